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
    """Law: where all that came before has been folded, every visit that will start is told, and nothing else.

    But where another session id goes on an explicit end is none, which only the fold finds out: after one a return may
    be told that is none, and that JOURNEY will drop.
    """
    out = Detected()
    ended: dict[str, int] = {}
    visitors: dict[str, Visitor] = {}
    for event in typed(history):
        if isinstance(event, OrderEvents | ProfileUpdated):
            continue
        visitor = visitors.setdefault(event.visitor_id, Visitor(visitor_id=event.visitor_id))
        fold.advance(visitor, time_ms(event) - 1, RULES, out)
        fold.arrive(visitor, [event], out)
        if isinstance(event, SessionEnded):
            ended.setdefault(event.visitor_id, time_ms(event))
    for visitor in visitors.values():
        fold.advance(visitor, FOR_EVER, RULES, out)
    hints, visits = starts(out, Returning), starts(out, VisitStarted)
    assert visits <= hints
    assert all(visitor in ended and at_ms >= ended[visitor] for _, visitor, at_ms in hints - visits)


def starts(out: Detected, kind: type[Returning | VisitStarted]) -> set[tuple[str, str, int]]:
    """Who came back, on what, when."""
    return {(one.person_id, one.visitor_id, one.at_ms) for one in out.signals if isinstance(one, kind)}


def test_what_comes_in_the_millisecond_of_an_end() -> None:
    """Is of the session that ends: what is due at a moment comes after the events of that moment."""
    end, same = at(SessionEnded, 3, reason="explicit"), at(ProductViewed, 3, variant_id="shirt", sequence=1)
    assert told([VIEWED, end, same], visitor=known()) == [("Returning", "p1", 2)]
    assert told([VIEWED, end, person(1, 3)]) == [("Returning", "p1", 3)]
    assert told([VIEWED, end, person(1, 3.1), viewed(4)]) == [("Returning", "p1", 4)]


def test_the_first_moment_of_all() -> None:
    """An event of 1970 is as good as any other: it waits, is folded, and is late only behind what came later."""
    visitor, first = Visitor(visitor_id="v"), ProductViewed(id="a", time=0, visitor_id="v", variant_id="shirt")
    assert told([first], [first], visitor=visitor) == []
    assert [event.id for event in visitor.pending] == ["a"]
