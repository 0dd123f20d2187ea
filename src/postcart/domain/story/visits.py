"""What became of a shop event: which visit it belongs to, or that it was late.

Owns: folding a visitor's events once more, by DETECT's own rules. Must not: hold rules, or read events.

DETECT keeps no record of single events: that would cost more than deciding. What it did is found again from the events
themselves: they are all there for as long as their topics are kept.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from msgspec import Struct

from postcart.domain.detect import fold
from postcart.domain.detect.outcome import Arrival, Detected
from postcart.domain.detect.rules import Rules
from postcart.domain.detect.visitor import FOR_EVER, TRIGGERS, Session, Visitor
from postcart.events.ids import end_id
from postcart.events.shop import Identified, order_key, time_ms
from postcart.events.signals import Trigger


class Arrived(NamedTuple):
    """An event, and when the broker took it, real time."""

    event: Arrival
    appended_ms: int


class Visit(Struct, frozen=True, kw_only=True):
    """A session of a visitor; ``end_id`` is the abandonment's id if lines were left in the cart."""

    started_ms: int
    end_ms: int
    trigger: Trigger
    end_id: str


class Fate(Struct, frozen=True, kw_only=True):
    """What became of an event.

    Attributes:
        outcome: ``late``: its visit's end had been decided when it came; it changed cart lines only, by its time.
        copies: How often it came; all but the first change nothing.
        visit: None for what belongs to none: an identification outside of a visit, or a late event.
    """

    outcome: Literal["applied", "late"]
    copies: int
    visit: Visit | None


def fate_of(event_id: str, arrived: Sequence[Arrived], rules: Rules, *, disorder_ms: int | None) -> Fate:
    """The fate of one of a visitor's events.

    Args:
        event_id: Of one of them.
        arrived: All events of the visitor that are still there.
        rules: Of detection.
        disorder_ms: How long DETECT waits for events that are out of order. It is taken to have had no backlog: with
            one it waits longer, and fewer events are late. None in a replay, where no event is.
    """
    copies = sum(one.event.id == event_id for one in arrived)
    others = [one for one in arrived if one.event.id != event_id]
    late = _late(arrived, rules, disorder_ms) > _late(others, rules, disorder_ms)
    visit = None if late else _visit(event_id, arrived, rules)
    return Fate(outcome="late" if late else "applied", copies=copies, visit=visit)


def _late(arrived: Sequence[Arrived], rules: Rules, disorder_ms: int | None) -> int:
    """How many of them are late."""
    if not arrived:
        return 0
    visitor, out = Visitor(visitor_id=arrived[0].event.visitor_id), Detected()
    for event, appended_ms in sorted(arrived, key=lambda one: one.appended_ms):
        if disorder_ms is not None:
            fold.advance(visitor, appended_ms - disorder_ms, rules, out)
        fold.arrive(visitor, [event], out)
    fold.advance(visitor, FOR_EVER - 1, rules, out)
    return len(out.late)


def _visit(event_id: str, arrived: Sequence[Arrived], rules: Rules) -> Visit | None:
    """The session that the event is in, when all are folded in their order."""
    events = {one.event.id: one.event for one in arrived}
    visitor, out = Visitor(visitor_id=arrived[0].event.visitor_id), Detected()
    found: Session | None = None
    end = (0, 0)
    for event in sorted(events.values(), key=order_key):
        fold.arrive(visitor, [event], out)
        fold.advance(visitor, time_ms(event), rules, out)
        if event.id == event_id and not isinstance(event, Identified):
            found = visitor.session
        if found is not None and visitor.session is found:
            end = found.end()
    if found is None:
        return None
    return Visit(
        started_ms=found.started_ms,
        end_ms=end[0],
        trigger=TRIGGERS[end[1]],
        end_id=end_id(visitor.visitor_id, found.last_id),
    )
