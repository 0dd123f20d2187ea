"""Parcels in a story: what TRACK told, in words, and where each parcel stands.

Owns: these words. Must not: know carts.
"""

from collections.abc import Sequence

from msgspec import Struct

from postcart.domain.story.moment import Moment, Recorded
from postcart.events.milestones import Cleared, Delay, EstimateChanged, Milestone, ParcelDecision
from postcart.events.times import to_ms

_RULES = {
    "no_pickup": "the carrier has not picked it up",
    "no_scan": "the carrier has not scanned it for days",
    "estimate": "it has not come by when it was expected",
}


class ParcelState(Struct, kw_only=True, omit_defaults=True):
    """A parcel: its last status, whether it is late, and when it is expected."""

    parcel_id: str
    order_id: str
    carrier: str
    tracking_number: str
    status: str | None = None
    says: str = "registered"
    at_ms: int | None = None
    expected_ms: int | None = None
    delay: str | None = None


def parcel_moment(record: ParcelDecision, recorded_ms: int) -> Moment:
    """What was told of a parcel."""
    place = f" {record.number} of {record.count}" if record.number and record.count else ""
    return Moment(
        at_ms=to_ms(record.at),
        recorded_ms=recorded_ms,
        kind="parcel",
        what=f"Parcel{place} ({record.carrier} {record.tracking_number}): {_said(record)}",
        details=list(_details(record)),
        outcome=str(type(record).__struct_config__.tag),
        reason=record.reason if isinstance(record, Milestone) else None,
        status=None if isinstance(record, EstimateChanged) else record.status,
        parcel_id=record.parcel_id,
        order_id=record.order_id,
    )


def parcels_of(records: Sequence[Recorded]) -> list[ParcelState]:
    """Each parcel as it stands; records in the order of their topics."""
    found: dict[str, ParcelState] = {}
    for one in records:
        record = one.record
        if not isinstance(record, ParcelDecision):
            continue
        state = found.get(record.parcel_id)
        if state is None:
            state = found[record.parcel_id] = ParcelState(
                parcel_id=record.parcel_id,
                order_id=record.order_id,
                carrier=record.carrier,
                tracking_number=record.tracking_number,
            )
        match record:
            case Milestone():
                state.status, state.says, state.at_ms = record.status, _said(record), to_ms(record.at)
            case Delay():
                state.delay = record.rule
            case Cleared():
                state.delay = None
            case EstimateChanged():
                pass
        if not isinstance(record, Cleared) and record.expected is not None:
            state.expected_ms = to_ms(record.expected.at)
    return list(found.values())


def _said(record: ParcelDecision) -> str:
    match record:
        case Milestone(status=status, reason=reason):
            because = f", because of {reason.replace('_', ' ')}" if reason else ""
            return f"{status.replace('_', ' ')}{because}"
        case EstimateChanged():
            return "expected at another time" + (", later than promised" if record.late else "")
        case Delay():
            return f"delayed, {_RULES[record.rule]}"
        case Cleared():
            return "no longer delayed"


def _details(record: ParcelDecision) -> list[str]:
    details = [f"parcel {record.parcel_id}", f"order {record.order_id}"]
    if not isinstance(record, Cleared) and record.expected is not None:
        expected = record.expected
        details.append(f"expected {expected.at:%Y-%m-%d %H:%M}, by {expected.source}")
    if isinstance(record, EstimateChanged):
        details.append(f"before: {record.previous:%Y-%m-%d %H:%M}")
    if isinstance(record, Delay):
        details.append(
            f"since {record.since:%Y-%m-%d %H:%M}, level {record.level}, tells {', '.join(record.audiences)}"
        )
    return details
