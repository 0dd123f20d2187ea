"""A dead letter can be looked at, whatever its bytes are."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postcart.codecs.dead_letter_view import described
from postcart.codecs.dead_letters import DeadLetter
from postcart.codecs.shop_events import ShopEventEncoder
from postcart.events.shop import LineRemoved

REMOVED = LineRemoved(id="1", time=5, visitor_id="guest", variant_id="p")


def letter(value: bytes | None, key: bytes | None = b"key") -> DeadLetter:
    return DeadLetter(
        id="i", stage="detect", reason="decode", detail="d", topic="t", partition=0, offset=1, key=key, value=value
    )


@pytest.mark.parametrize(
    ("value", "value_as", "shown"),
    [
        (None, "empty", None),
        (b'{"a":1}', "json", {"a": 1}),
        (b'{"a":', "text", '{"a":'),
        (b"\xff\x00", "hex", "ff00"),
        (b"\x00\x00\x00\x00\x01\xff", "hex", "0000000001ff"),
        (ShopEventEncoder("wire").encode(REMOVED)[2], "avro shop.carts v1", "p"),
        (ShopEventEncoder("single_object").encode(REMOVED)[2], "avro shop.carts v1", "p"),
    ],
)
def test_values(value: bytes | None, value_as: str, shown: object) -> None:
    """JSON and Avro are taken apart, the rest is text or digits."""
    found = described(letter(value))
    assert found["value_as"] == value_as
    assert (found["value"]["variant_id"] if value_as.startswith("avro") else found["value"]) == shown


def test_keys_and_headers() -> None:
    """Bytes that are no text are digits."""
    assert described(letter(None, b"\xff"))["key"] == "0xff"
    assert described(letter(None, b"<p>\n ann@shop.example</p>"))["key"].startswith("<p>\n"), "text over several lines"
    assert "ann@" not in described(letter(None, b"<p>\n ann@shop.example</p>"))["key"]
    assert described(letter(None, None))["key"] is None


@given(st.binary(max_size=60))
def test_any_bytes(value: bytes) -> None:
    """Nothing fails, and everything can be written as JSON."""
    for framed in (value, b"\x00\x00\x00\x00\x01" + value):
        assert json.dumps(described(letter(framed, value)))
