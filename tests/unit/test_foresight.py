"""What DETECT tells ahead of event time: whose return, from what has come so far."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from msgspec import msgpack

from histories import MINUTE, Json, histories
from postcart.domain.detect import fold
from postcart.domain.detect.outcome import Detected
from postcart.domain.detect.rules import Rules
from postcart.domain.detect.visitor import FOR_EVER, Visitor
from postcart.events.shop import (
    CartCleared,
    Identified,
    OrderEvents,
    ProductViewed,
    ProfileUpdated,
    SessionEnded,
    time_ms,
)
from postcart.events.signals import Emptied, Returning, VisitStarted
from side_by_side import typed

T0 = 1_664_618_400_000
RULES = Rules()


def at(kind: type[Any], minute: float, **fields: Any) -> Any:
    """An event of the visitor, so many minutes after T0."""
    return kind(id=f"{kind.__name__}-{minute}", time=T0 + int(minute * MINUTE), visitor_id="v", **fields)


def person(number: int, minute: float) -> Any:
    return at(Identified, minute, person_id=f"p{number}")


def viewed(minute: float) -> Any:
    return at(ProductViewed, minute, variant_id="shirt")


def told(*batches: Sequence[Any], visitor: Visitor | None = None) -> list[tuple[str, str, float]]:
    """What is told ahead while nothing is folded yet: kind, person, minute."""
    visitor = visitor or Visitor(visitor_id="v")
    out = Detected()
    for batch in batches:
        fold.arrive(visitor, list(batch), out)
    return [
        (type(one).__name__, one.person_id, (one.at_ms - T0) / MINUTE)
        for one in out.signals
        if isinstance(one, Returning | Emptied)
    ]


def known(number: int = 1) -> Visitor:
    """Was identified an hour ago, and is in no session."""
    visitor = Visitor(visitor_id="v")
    fold.arrive(visitor, [person(number, -60)], Detected())
    fold.advance(visitor, T0, RULES, Detected())
    return visitor


HANDED_ON = person(2, 2.5)
VIEWED, CLEARED = viewed(2), at(CartCleared, 3, reason="emptied")
LOGOUT, ENDED = at(SessionEnded, 4, reason="logout"), at(SessionEnded, 4, reason="explicit")


@pytest.mark.parametrize("size", [20, 1], ids=["one batch", "one by one"])
@pytest.mark.parametrize(
    ("visitor", "events", "expected"),
    [
        (known(), [VIEWED, viewed(3)], [("Returning", "p1", 2)]),
        (known(), [person(1, 1), VIEWED], [("Returning", "p1", 2)]),
        (known(), [person(2, 1), VIEWED], [("Returning", "p2", 2)]),
        (None, [VIEWED, viewed(3)], []),
        (None, [VIEWED, person(1, 3)], [("Returning", "p1", 3)]),
        (None, [person(1, 1), VIEWED], [("Returning", "p1", 2)]),
        (known(), [VIEWED, CLEARED], [("Returning", "p1", 2), ("Emptied", "p1", 3)]),
        (known(), [VIEWED, HANDED_ON, CLEARED], [("Returning", "p1", 2), ("Returning", "p2", 3), ("Emptied", "p2", 3)]),
        (known(), [VIEWED, LOGOUT, viewed(5)], [("Returning", "p1", 2)]),
        (known(), [VIEWED, ENDED, viewed(5)], [("Returning", "p1", 2), ("Returning", "p1", 5)]),
        (known(), [at(Identified, -61, person_id="p2"), VIEWED], [("Returning", "p1", 2)]),
    ],
    ids=[
        "once per session", "identified again", "somebody else", "nobody known", "identified in a session",
        "identified before", "cleared", "changed hands, then cleared", "logged out", "ended, and again", "outdated",
    ],
)  # fmt: skip
def test_whose_return(
    visitor: Visitor | None, events: list[Any], expected: list[tuple[str, str, float]], size: int
) -> None:
    """Also of events that wait for their place themselves."""
    batches = [events[start : start + size] for start in range(0, len(events), size)]
    assert told(*batches, visitor=own(visitor)) == expected


def own(visitor: Visitor | None) -> Visitor:
    """One of its own for each case."""
    return msgpack.decode(msgpack.encode(visitor or Visitor(visitor_id="v")), type=Visitor)


def test_who_comes_behind() -> None:
    """The identification came after the view that it precedes: both are told, the fold will know."""
    assert told([VIEWED], [person(2, 1)], visitor=known()) == [("Returning", "p1", 2), ("Returning", "p2", 2)]


@given(history=histories())
def test_up_to_date_hints_are_the_visits(history: list[Json]) -> None:
    """Law: where all that came before has been folded, exactly the visits that will start are told."""
    out = Detected()
    visitors: dict[str, Visitor] = {}
    for event in typed(history):
        if isinstance(event, OrderEvents | ProfileUpdated):
            continue
        visitor = visitors.setdefault(event.visitor_id, Visitor(visitor_id=event.visitor_id))
        fold.advance(visitor, time_ms(event) - 1, RULES, out)
        fold.arrive(visitor, [event], out)
    for visitor in visitors.values():
        fold.advance(visitor, FOR_EVER, RULES, out)
    assert starts(out, Returning) == starts(out, VisitStarted)


def starts(out: Detected, kind: type[Returning | VisitStarted]) -> set[tuple[str, str, int]]:
    """Who came back, on what, when."""
    return {(one.person_id, one.visitor_id, one.at_ms) for one in out.signals if isinstance(one, kind)}
