"""Quiet hours: when a message may go out, by the recipient's local time.

Owns: the deferral. Must not: choose the recipient's zones (the caller does), or drop a message.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo

from postcart.domain.campaign import QuietHours
from postcart.events.times import from_ms, to_ms

_ONE_DAY = timedelta(days=1)


def defer(at_ms: int, zones: Sequence[tzinfo], quiet: QuietHours | None) -> int:
    """The first moment at or after ``at_ms`` that is in no zone's quiet hours; ``at_ms`` itself where it is in none.

    Where a number spans several zones, all must allow: the deferral is applied until the time no longer moves.
    Idempotent. If the zones leave no hour of the day, the first zone's word counts.
    """
    if quiet is None or not zones:
        return at_ms
    moment = at_ms
    for _ in range(2 * len(zones) + 1):
        moved = moment
        for zone in zones:
            moved = _end_of_quiet(moved, zone, quiet)
        if moved == moment:
            return moment
        moment = moved
    return _end_of_quiet(at_ms, zones[0], quiet)


def _end_of_quiet(at_ms: int, zone: tzinfo, quiet: QuietHours) -> int:
    """``at_ms``, or the end of the quiet hours that it falls into."""
    local = from_ms(at_ms).astimezone(zone)
    clock = local.time()
    start, end = quiet.start, quiet.end
    spans_midnight = end <= start
    inside = (clock >= start or clock < end) if spans_midnight else start <= clock < end
    if not inside:
        return at_ms
    day = local.date() + _ONE_DAY if spans_midnight and clock >= start else local.date()
    # Never backwards: where clocks are set back, the end of quiet hours can come twice.
    return max(at_ms, to_ms(datetime.combine(day, end, zone)))
