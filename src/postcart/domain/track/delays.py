"""What should have happened to a parcel and did not.

Owns: when each rule applies, its levels, its clearing. Must not: know a calendar beyond the function it is given.
"""

from postcart.domain.track.outcome import Context, Tracked, known
from postcart.domain.track.parcel import FOR_EVER, Parcel, Watch
from postcart.domain.track.rules import Countries
from postcart.domain.track.status import PICKED_UP
from postcart.events.event import moment_ms, time_ms
from postcart.events.milestones import Audience, Cleared, Delay, DelayRule, Status, cleared_id, delay_id
from postcart.events.times import from_ms, to_ms

_RULES: tuple[DelayRule, ...] = ("no_pickup", "no_scan", "estimate")
"""In the order in which they are told at one moment."""


def watch(parcel: Parcel, now_ms: int, context: Context) -> None:
    """Wait for what should come next. What is late already stays so until it is cleared."""
    waits: dict[DelayRule, Watch | None] = {
        "no_pickup": _pickup(parcel, context),
        "no_scan": _scan(parcel, context),
        "estimate": _estimate(parcel),
    }
    for rule, wait in waits.items():
        found = parcel.watches.get(rule)
        if found is not None and found.level:
            continue
        if wait is None:
            parcel.watches.pop(rule, None)
        else:
            wait.due_ms = max(wait.due_ms, now_ms)
            parcel.watches[rule] = wait


def fire(parcel: Parcel, due_ms: int, context: Context, out: Tracked) -> bool:
    """Tell the next level of the first delay that is due at ``due_ms``; False if none is."""
    for rule in _RULES:
        found = parcel.watches.get(rule)
        if found is not None and found.due_ms == due_ms:
            _tell(parcel, rule, found, context, out)
            return True
    return False


def clear(
    parcel: Parcel, at_ms: int, out: Tracked, *, status: Status | None = None, only: DelayRule | None = None
) -> None:
    """The parcel moved, or is expected anew: what was told to be late is no more."""
    for rule in _RULES:
        found = parcel.watches.get(rule)
        if found is None or not found.level or rule != (only or rule):
            continue
        del parcel.watches[rule]
        at_ms = max(at_ms, found.found_ms)
        first = delay_id(parcel.parcel_id, rule, found.cause, 1)
        out.tell(
            at_ms,
            Cleared(
                id=cleared_id(first),
                at=from_ms(at_ms),
                rule=rule,
                delay_id=first,
                level=found.level,
                audiences=found.told,
                status=status,
                **known(parcel),
            ),
        )


def _tell(parcel: Parcel, rule: DelayRule, found: Watch, context: Context, out: Tracked) -> None:
    levels, at_ms = context.rules.levels, found.due_ms
    parcel.seen_ms = max(parcel.seen_ms, at_ms)
    audiences = levels[found.level].audiences
    found.level += 1
    found.told = _united(found.told, audiences)
    found.found_ms = found.found_ms or at_ms
    if rule == "estimate":
        parcel.overdue_ms = found.since_ms
    found.due_ms = FOR_EVER
    if found.level < len(levels):
        found.due_ms = context.business_days(found.found_ms, levels[found.level].after, _countries(parcel))
    out.tell(
        at_ms,
        Delay(
            id=delay_id(parcel.parcel_id, rule, found.cause, found.level),
            at=from_ms(at_ms),
            rule=rule,
            level=found.level,
            audiences=audiences,
            since=from_ms(found.since_ms),
            status=parcel.status,
            expected=parcel.expected,
            **known(parcel),
        ),
    )


def _pickup(parcel: Parcel, context: Context) -> Watch | None:
    registered = parcel.registered
    if registered is None or parcel.final_ms or parcel.reached >= PICKED_UP or parcel.status == "expired":
        return None
    ready_ms = time_ms(registered) if registered.ready_at is None else moment_ms(registered.ready_at)
    due_ms = context.business_days(ready_ms + context.rules.pickup_ms, 0, _countries(parcel))
    return Watch(due_ms, ready_ms, _last_cause(parcel))


def _scan(parcel: Parcel, context: Context) -> Watch | None:
    if parcel.final_ms or parcel.reached < PICKED_UP or parcel.status in {"available_for_pickup", "expired"}:
        return None
    countries, rules = _countries(parcel), context.rules
    days = rules.scan_days_abroad if len(countries) > 1 else rules.scan_days
    return Watch(context.business_days(parcel.last.time, days, countries), parcel.last.time, parcel.last.id)


def _estimate(parcel: Parcel) -> Watch | None:
    expected = parcel.expected
    if expected is None or parcel.final_ms or parcel.status in {"available_for_pickup", "expired"}:
        return None
    latest_ms = to_ms(expected.latest)
    if latest_ms <= parcel.overdue_ms:
        return None  # its passing was told; moving on cleared that
    return Watch(latest_ms, latest_ms, f"{_last_cause(parcel)}/{latest_ms}")


def _last_cause(parcel: Parcel) -> str:
    return parcel.last.id or (parcel.registered.id if parcel.registered else "")


def _countries(parcel: Parcel) -> Countries:
    """Origin and destination, as far as they are known; two only if they differ."""
    registered = parcel.registered
    places = (registered.origin, registered.destination) if registered else ()
    return tuple(sorted({place.country for place in places if place and place.country}))


def _united(told: tuple[Audience, ...], more: tuple[Audience, ...]) -> tuple[Audience, ...]:
    return (*told, *(audience for audience in more if audience not in told))
