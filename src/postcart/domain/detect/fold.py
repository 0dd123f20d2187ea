"""Folding a visitor's events in order: sessions open, join, end.

Owns: the session rules of docs/decisions.md. Must not: wait, read a clock, or know how events arrive.

A visitor's events wait in ``pending`` until the clock says that nothing earlier can come within the allowed
disorder; then they are folded in the order (time, sequence, kind, id). So the outcome does not depend on the order
of arrival. What is due at T comes after the events at T: a clock of T says that all events up to T are there.
"""

from operator import attrgetter

from postcart.domain.detect import cart
from postcart.domain.detect.ends import finish, forget
from postcart.domain.detect.foresight import CHANGES_MEANING, foresee
from postcart.domain.detect.identity import identify, is_outdated, leave
from postcart.domain.detect.outcome import Arrival, Detected, caused, take_unsent, tell_lines
from postcart.domain.detect.rules import Rules
from postcart.domain.detect.visitor import CAN_END_EARLY, ENDED, EXIT, FOR_EVER, INACTIVITY, Session, Visitor
from postcart.domain.detect.waiting import (
    CartCleared,
    CheckoutStep,
    Identified,
    LineRemoved,
    LineSet,
    PageExited,
    SessionEnded,
    Waiting,
    kept,
)
from postcart.events.signals import VisitStarted

_place = attrgetter("time", "sequence", "RANK", "id")
"""The order of folding (as events.shop.order_key)."""
_rank = attrgetter("RANK")
_CLEARED, _ENDED = CartCleared.RANK, SessionEnded.RANK
_MOVES_ENDS = frozenset({CheckoutStep.RANK, _CLEARED, PageExited.RANK, _ENDED})
"""Ranks of the kinds after which a session ends otherwise than by inactivity."""
_TOUCHES_CART = frozenset({LineSet.RANK, LineRemoved.RANK, _CLEARED})
"""Ranks of the kinds that may change lines."""


def arrive(visitor: Visitor, events: list[Arrival], out: Detected, *, too_old_ms: int = -1) -> bool:
    """Take in events as they come; repeats are dropped. A return or a clear is told to the gate at once.

    Events up to ``too_old_ms`` are older than any row may be: they are late and come to nothing.

    Returns:
        Whether the row's deadline may now be sooner than the one it is indexed under.
    """
    pending = visitor.pending
    before = len(pending)
    sooner = visitor.session is None and not before
    ahead = sooner and visitor.person_id is not None
    known = {event.id for event in pending}
    last_ms = pending[-1].time if pending else -1
    ordered = True
    for event in map(kept, events):
        if event.id in known:
            out.repeated.append(event)
            continue
        at_ms = event.time
        if at_ms <= too_old_ms:
            out.late.append(event)
            continue
        known.add(event.id)
        if at_ms <= last_ms and ordered:
            ordered = at_ms == last_ms and _place(event) > _place(pending[-1])
        last_ms = at_ms
        pending.append(event)
        rank = event.RANK
        if rank in CAN_END_EARLY:
            sooner = True
            ahead = ahead or rank in CHANGES_MEANING
    if before and not ahead:
        ahead = not CHANGES_MEANING.isdisjoint(map(_rank, pending))
    fresh = {event.id for event in pending[before:]} if ahead else None
    if not ordered:
        pending.sort(key=_place)
    if fresh:
        foresee(visitor, fresh, out)
    # Out of order an event may have come before the first one, for whose time the row is indexed.
    return sooner or not ordered


def advance(visitor: Visitor, clock_ms: int, rules: Rules, out: Detected) -> bool:
    """Fold what is pending up to ``clock_ms`` and decide what fell due by then.

    Returns:
        Whether the visitor is still to be kept; False once it is forgotten.
    """
    pending = visitor.pending
    folded = 0
    for event in pending:
        at_ms = event.time
        if at_ms > clock_ms:
            break
        folded += 1
        session = visitor.session
        if session is None or (session.checkout_ms or session.latest[0]) < at_ms:
            _due_before(visitor, at_ms, rules, out)
        _fold(visitor, event, at_ms, rules, out)
    if folded:
        del pending[:folded]
    _due_before(visitor, clock_ms + 1, rules, out)
    return bool(pending) or visitor.session is not None or visitor.last_ms + rules.forget_ms > clock_ms


def _due_before(visitor: Visitor, at_ms: int, rules: Rules, out: Detected) -> None:
    """Decide what fell due before ``at_ms``: the end of the session, then forgetting."""
    session = visitor.session
    if session is not None:
        end_ms, trigger = session.end()
        if end_ms >= at_ms:
            return
        finish(visitor, session, rules, out, end_ms=end_ms, trigger=trigger)
        visitor.decided_ms, visitor.decided_seq = end_ms, FOR_EVER
    if visitor.last_ms and visitor.last_ms + rules.forget_ms < at_ms:
        forget(visitor, rules, out)


def _fold(visitor: Visitor, event: Waiting, at_ms: int, rules: Rules, out: Detected) -> None:
    """One event, in its place. One that comes behind others is late, or a repeat: then nothing may come of it."""
    behind = at_ms <= visitor.last_ms and _is_behind(visitor, event, at_ms)
    if at_ms <= visitor.decided_ms and (behind or (at_ms, event.sequence) < (visitor.decided_ms, visitor.decided_seq)):
        _fold_late(visitor, event, at_ms, rules, out)
        return
    session, rank = visitor.session, event.RANK
    if session is not None and session.leaving:
        _take_exits_back(session, at_ms, rules, behind=behind)
    if isinstance(event, Identified):
        if not (behind and is_outdated(visitor, event, at_ms)):
            identify(visitor, event, at_ms, rules, out)
    else:
        if session is None:
            session = _open(visitor, event, at_ms, out)
        if behind or rank in _MOVES_ENDS:
            _join(session, event, at_ms, rules, behind=behind)
        else:
            _go_on(session, event, at_ms, rules)
        if rank in _TOUCHES_CART:
            cart.apply(visitor, event, at_ms, behind=behind)
            if rank == _CLEARED:
                _drop_anonymous(visitor, at_ms)
    if not behind:
        visitor.last_ms, visitor.last_seq, visitor.last_rank = at_ms, event.sequence, rank
    if rank == _ENDED and isinstance(event, SessionEnded) and event.reason == "logout":
        leave(visitor, event, at_ms, rules, out)


def _is_behind(visitor: Visitor, event: Waiting, at_ms: int) -> bool:
    """Whether the event's place is at or before that of the latest one folded."""
    place, last = (at_ms, event.sequence, event.RANK), (visitor.last_ms, visitor.last_seq, visitor.last_rank)
    if place != last:
        return place < last
    session = visitor.session
    return session is not None and not isinstance(event, Identified) and event.id <= session.last_id


def _fold_late(visitor: Visitor, event: Waiting, at_ms: int, rules: Rules, out: Detected) -> None:
    """An event at or before an end already decided: it changes lines by its time, never a session."""
    out.late.append(event)
    if isinstance(event, Identified):
        if visitor.person_id is None and not is_outdated(visitor, event, at_ms):
            identify(visitor, event, at_ms, rules, out)
        return
    cart.apply(visitor, event, at_ms, behind=True)
    if isinstance(event, CartCleared) and not cart.filled(visitor):
        _drop_anonymous(visitor, at_ms)
    if visitor.person_id is not None and visitor.session is None:
        tell_lines(visitor, take_unsent(visitor), out, at_ms=at_ms, order=caused(event))


def _drop_anonymous(visitor: Visitor, at_ms: int) -> None:
    """A clear leaves nothing to recover of an abandonment before it."""
    if visitor.anonymous is not None and visitor.anonymous.abandoned_ms <= at_ms:
        visitor.anonymous = None


def _take_exits_back(session: Session, at_ms: int, rules: Rules, *, behind: bool) -> None:
    """An event within a page exit's grace makes that exit an event like any other."""
    session.leaving = False
    for session_id, (end_ms, trigger) in tuple(session.ends.items()):
        if trigger == EXIT and at_ms <= end_ms and not (behind and at_ms <= end_ms - rules.exit_ms):
            session.set_end(session_id, (end_ms - rules.exit_ms + rules.inactivity_ms, INACTIVITY))
        elif trigger == EXIT:
            session.leaving = True


def _open(visitor: Visitor, event: Waiting, at_ms: int, out: Detected) -> Session:
    session = visitor.session = Session(started_ms=at_ms, last_ms=at_ms, last_id=event.id)
    if visitor.person_id is not None:
        out.signals.append(
            VisitStarted(person_id=visitor.person_id, visitor_id=visitor.visitor_id, at_ms=at_ms, order=caused(event))
        )
    return session


def _go_on(session: Session, event: Waiting, at_ms: int, rules: Rules) -> None:
    """``_join`` for what most events are: in order, and without a meaning of their own for the session's end."""
    session_id = event.session_id
    session.last_ms, session.last_id, session.last_session_id = at_ms, event.id, session_id or None
    if event.device:
        session.device = event.device
    end = (at_ms + rules.inactivity_ms, INACTIVITY)
    if end[0] > session.latest[0]:
        session.ends[session_id or ""] = session.latest = end
    else:
        session.set_end(session_id or "", end)


def _join(session: Session, event: Waiting, at_ms: int, rules: Rules, *, behind: bool) -> None:
    """The event belongs to the session: its id's end moves, a checkout begins, goes on or is over."""
    if not behind or at_ms > session.last_ms:
        session.last_ms, session.last_id, session.last_session_id = at_ms, event.id, event.session_id or None
        if event.device:
            session.device = event.device
    if isinstance(event, SessionEnded):
        end = (at_ms, ENDED)
    elif isinstance(event, PageExited):
        end = (at_ms + rules.exit_ms, EXIT)
        session.leaving = True
    else:
        end = (at_ms + rules.inactivity_ms, INACTIVITY)
    key = event.session_id or ""
    known = session.ends.get(key)
    if known is None or not behind or at_ms > _last_event_ms(known, rules):
        session.set_end(key, end)
    if isinstance(event, CheckoutStep):
        if not behind or at_ms > session.cleared_ms:
            session.checkout_ms = max(session.checkout_ms, at_ms + rules.checkout_ms)
    elif isinstance(event, CartCleared):
        session.cleared_ms = max(session.cleared_ms, at_ms)
        if not behind or at_ms > session.checkout_ms - rules.checkout_ms:
            session.checkout_ms = 0


def _last_event_ms(end: tuple[int, int], rules: Rules) -> int:
    """When the event came that set this end."""
    end_ms, trigger = end
    return end_ms - (rules.inactivity_ms if trigger == INACTIVITY else rules.exit_ms if trigger == EXIT else 0)
