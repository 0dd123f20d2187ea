"""What a scan changes, and whether it is told.

Owns: the status, the milestones. Must not: know how long something may take (delays, expectations).

A scan is *late* if one with a later place was folded before: it says what was, not what is. So it tells nothing, and
changes nothing, unless it is the end: delivered or returned.
"""

from postcart.domain.track import delays
from postcart.domain.track.outcome import Tracked, known
from postcart.domain.track.parcel import Parcel, Scan, order_of
from postcart.domain.track.status import BESIDE, DELIVERED, PICKED_UP, rank
from postcart.events.milestones import Milestone, milestone_id
from postcart.events.times import from_ms


def fold(parcel: Parcel, scan: Scan, now_ms: int, out: Tracked) -> None:
    """One scan of a registered parcel. ``now_ms``: when it is folded, its own time or that of the registration."""
    place, level = order_of(scan), rank(scan.status)
    late = place <= parcel.last
    ends = level >= DELIVERED and level > parcel.reached
    if (late or parcel.final_ms) and not ends:
        out.late += 1
        return
    out.applied += 1
    if not late:
        parcel.last = place
    if scan.status == "attempt_failed":
        parcel.attempts += 1
    if level > parcel.reached:
        parcel.reached = level
        _tell(parcel, scan, now_ms, out)
    elif level == BESIDE:
        _tell(parcel, scan, now_ms, out)
    # A label printed again does not take the parcel back to the shop; whatever else is newer says where it is.
    if level >= PICKED_UP or level in {BESIDE, parcel.reached}:
        parcel.status, parcel.reason = scan.status, scan.reason
    if level >= PICKED_UP:
        delays.clear(parcel, now_ms, out, status=scan.status)
    if ends:
        if level == DELIVERED:
            out.delivered(parcel, scan.time, now_ms)
        parcel.final_ms = scan.time
        parcel.watches.clear()
    elif scan.status == "expired":
        parcel.watches.clear()


def _tell(parcel: Parcel, scan: Scan, now_ms: int, out: Tracked) -> None:
    name = f"exception/{scan.reason or 'other'}" if scan.status == "exception" else scan.status
    if name in parcel.told:
        return
    parcel.told.append(name)
    reason = scan.reason or "other" if scan.status == "exception" else scan.reason
    out.tell(
        now_ms,
        Milestone(
            id=milestone_id(parcel.parcel_id, scan.status, reason),
            at=from_ms(scan.time),
            status=scan.status,
            reason=reason,
            attempts=parcel.attempts,
            text=scan.text,
            place=scan.place,
            expected=parcel.expected if scan.status not in {"delivered", "returned"} else None,
            **known(parcel),
        ),
    )
