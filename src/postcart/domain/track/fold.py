"""Folding a parcel's events in order: scans wait for their parcel, parcels come and go.

Owns: order, repeats, waiting, incarnations, the end of a row (docs/tracking.md). Must not: wait, read a clock, or know
how events arrive.

A parcel's events wait in ``pending`` until the clock says that nothing earlier can come within the allowed disorder;
then they are folded in their order. So the outcome does not depend on the order of arrival. What is due at T comes
after the events at T.
"""

from collections.abc import Sequence

from postcart.domain.track import delays, expectations, polling, scans
from postcart.domain.track.outcome import Context, Tracked, known
from postcart.domain.track.parcel import Parcel, ParcelEvent, Scan, order_of, when_ms
from postcart.domain.track.rules import Rules
from postcart.events.milestones import Registered
from postcart.events.shipments import ParcelEstimate, ParcelRegistered, incarnation_id
from postcart.events.times import from_ms

_MOST_WAITING = 100
"""Scans that wait for a registration; of more the oldest go: nobody's number must not fill the memory."""


def arrive(parcel: Parcel, events: Sequence[ParcelEvent], out: Tracked, *, too_old_ms: int = -1) -> None:
    """Take in events as they come; repeats of what waits are dropped.

    Events up to ``too_old_ms`` are older than any row may be: they are late and come to nothing.
    """
    pending = parcel.pending
    known = {event.id for event in pending}
    for event in events:
        if event.id in known:
            out.repeated += 1
        elif when_ms(event) <= too_old_ms:
            out.late += 1
        else:
            known.add(event.id)
            pending.append(event)
    pending.sort(key=order_of)


def advance(parcel: Parcel, clock_ms: int, context: Context, out: Tracked) -> bool:
    """Fold what is pending up to ``clock_ms`` and decide what fell due by then.

    Returns:
        Whether the row is still to be kept; False once it has died.
    """
    pending = parcel.pending
    folded = 0
    for event in pending:
        at_ms = when_ms(event)
        if at_ms > clock_ms:
            break
        folded += 1
        _due_before(parcel, at_ms, context, out)
        _fold(parcel, event, at_ms, context, out)
    if folded:
        del pending[:folded]
    _due_before(parcel, clock_ms + 1, context, out)
    if parcel.poll is not None or context.rules.polling is not None:
        polling.turn(parcel, clock_ms, context, out)
    return bool(pending) or parcel.seen_ms >= 0


def _due_before(parcel: Parcel, at_ms: int, context: Context, out: Tracked) -> None:
    """Whatever falls due before ``at_ms``, in its order: waiting scans, delays, the end."""
    rules = context.rules
    while (due_ms := parcel.due_ms(rules)) < at_ms:
        if parcel.waiting and when_ms(parcel.waiting[0]) + rules.known_ms == due_ms:
            del parcel.waiting[0]
            out.unmatched += 1
        elif not delays.fire(parcel, due_ms, context, out):
            _forget(parcel)


def _fold(parcel: Parcel, event: ParcelEvent, at_ms: int, context: Context, out: Tracked) -> None:
    if isinstance(event, ParcelRegistered):
        _register(parcel, event, at_ms, context, out)
    elif at_ms <= parcel.floor_ms:
        out.late += 1
        return
    elif not parcel.parcel_id or _is_of_another(parcel, event, context.rules):
        _wait(parcel, event, out)
    else:
        _apply(parcel, event, at_ms, context, out)
    parcel.seen_ms = max(parcel.seen_ms, at_ms)


def _apply(parcel: Parcel, event: Scan | ParcelEstimate, now_ms: int, context: Context, out: Tracked) -> None:
    if isinstance(event, Scan):
        scans.fold(parcel, event, now_ms, out)
    else:
        expectations.estimate(parcel, event, now_ms, out)
    delays.watch(parcel, now_ms, context)


def _is_of_another(parcel: Parcel, event: Scan | ParcelEstimate, rules: Rules) -> bool:
    """Long after the parcel's end the number is used again, and the registration has yet to come."""
    return bool(parcel.final_ms) and when_ms(event) > parcel.final_ms + rules.known_ms


def _wait(parcel: Parcel, event: Scan | ParcelEstimate, out: Tracked) -> None:
    if any(event.id == other.id for other in parcel.waiting):
        out.repeated += 1
        return
    parcel.waiting.append(event)
    parcel.waiting.sort(key=order_of)
    if len(parcel.waiting) > _MOST_WAITING:
        del parcel.waiting[0]
        out.unmatched += 1


def _register(parcel: Parcel, event: ParcelRegistered, at_ms: int, context: Context, out: Tracked) -> None:
    """Binds the number to an order and a person: anew, corrected, or for another parcel."""
    former = parcel.registered
    if former is not None and order_of(event) <= order_of(former):
        out.late += 1
        return
    out.applied += 1
    if former is None or at_ms > when_ms(former) + context.rules.recycled_ms:
        _begin(parcel, event)
        parcel.forecast = context.fit.forecast(event, at_ms)
    else:
        parcel.registered = event
    expectations.registered(parcel, event)
    out.registrations.append(Registered(id=event.id, at=from_ms(at_ms), expected=parcel.expected, **known(parcel)))
    delays.watch(parcel, at_ms, context)
    waited, parcel.waiting = parcel.waiting, []
    for waiting in waited:
        _apply(parcel, waiting, at_ms, context, out)


def _begin(parcel: Parcel, event: ParcelRegistered) -> None:
    """Another incarnation; scans that wait are its own."""
    floor_ms = max(parcel.floor_ms, parcel.last.time)
    waiting, pending, indexed_ms = parcel.waiting, parcel.pending, parcel.indexed_ms
    _forget(parcel)
    parcel.waiting, parcel.pending, parcel.indexed_ms = waiting, pending, indexed_ms
    parcel.floor_ms = floor_ms
    parcel.parcel_id = incarnation_id(parcel.key, event.id)
    parcel.registered = event


def _forget(parcel: Parcel) -> None:
    """As if the number had never been seen; what is pending stays."""
    fresh = Parcel(key=parcel.key, pending=parcel.pending, indexed_ms=parcel.indexed_ms)
    for name in Parcel.__struct_fields__:
        setattr(parcel, name, getattr(fresh, name))
