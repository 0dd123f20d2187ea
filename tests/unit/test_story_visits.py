"""What became of a shop event: applied to a visit, late, repeated."""

from typing import Any

import pytest

from postcart.domain.detect.rules import Rules
from postcart.domain.story.visits import Arrived, fate_of
from postcart.events.ids import end_id
from postcart.events.times import MINUTE_MS, parse_iso
from side_by_side import typed
from told import VISITOR

NOON = parse_iso("2026-06-01T12:00:00Z")
DISORDER = 5 * MINUTE_MS


def arrived(*events: tuple[str, float, float]) -> list[Arrived]:
    """Events (id, minute at which it happened, minute at which it came); ``login`` identifies, ``exit`` leaves."""
    found = []
    for name, at, came in events:
        base: dict[str, Any] = {
            "id": name,
            "time": NOON + int(at * MINUTE_MS),
            "visitor_id": VISITOR,
            "session_id": "s",
        }
        kind: dict[str, Any] = {"type": "viewed", "variant_id": "shirt"}
        if name == "login":
            kind = {"type": "identified", "person_id": "ann"}
        (event,) = typed([base | kind])
        found.append(Arrived(event, NOON + int(came * MINUTE_MS)))  # type: ignore[arg-type]  # of a visitor
    return found


def test_an_event_belongs_to_the_visit_that_it_is_in() -> None:
    """Ten minutes apart is one visit, half an hour is two."""
    events = arrived(("a", 0, 0), ("b", 10, 10), ("c", 40, 40))
    first, second = (fate_of(name, events, Rules(), disorder_ms=DISORDER).visit for name in ("a", "c"))
    assert first is not None
    assert second is not None
    assert first == fate_of("b", events, Rules(), disorder_ms=DISORDER).visit
    assert (first.started_ms, first.end_ms, first.trigger) == (NOON, NOON + 25 * MINUTE_MS, "inactivity")
    assert first.end_id == end_id(VISITOR, "b")
    assert second.started_ms == NOON + 40 * MINUTE_MS


@pytest.mark.parametrize(("came", "outcome"), [(19, "applied"), (24, "late"), (60, "late")])
def test_an_event_that_comes_after_the_end_was_decided_is_late(came: float, outcome: str) -> None:
    """Within the allowed disorder it still counts; in a replay always."""
    events = arrived(("a", 0, 0), ("b", 5, came), ("c", 90, 90))
    assert fate_of("b", events, Rules(), disorder_ms=DISORDER).outcome == outcome
    assert fate_of("b", events, Rules(), disorder_ms=None).outcome == "applied"


def test_a_repeat_counts_once() -> None:
    """However often it came."""
    events = arrived(("a", 0, 0), ("b", 5, 5), ("b", 5, 6), ("b", 5, 7))
    fate = fate_of("b", events, Rules(), disorder_ms=DISORDER)
    assert (fate.outcome, fate.copies) == ("applied", 3)


def test_an_identification_belongs_to_no_visit() -> None:
    """It is no activity."""
    fate = fate_of("login", arrived(("login", 0, 0), ("a", 1, 1)), Rules(), disorder_ms=DISORDER)
    assert (fate.outcome, fate.visit) == ("applied", None)
