"""Ids that are derived."""

import uuid

import pytest

from postcart.events.ids import POSTCART, end_id

KNOWN = "6f1d2c58-0d3e-5a63-9d0b-0f4e5b7c2a11"


@pytest.mark.parametrize(
    "visitor",
    [
        KNOWN,
        KNOWN.upper(),
        KNOWN.replace("-", ""),
        f"urn:uuid:{KNOWN}",
        f"{{{KNOWN}}}",
        f"urn:uuid-:{KNOWN}",
        f" {KNOWN} ",
        f"{KNOWN[:-2]} 1",
        f"{KNOWN[:-1]}g",
        f"{KNOWN[:-1]}\u0661",
        "GA1.2.1018263942.1669852800",
        "",
        "32 characters that are no digits",
    ],
)
def test_an_end_is_named_within_its_visitor(visitor: str) -> None:
    """Whatever form of a UUID its id has, that one is the namespace; of other ids it is derived."""
    try:
        namespace = uuid.UUID(visitor)
    except ValueError:
        namespace = uuid.uuid5(POSTCART, visitor)
    assert end_id(visitor, "event-1") == str(uuid.uuid5(namespace, "event-1"))
