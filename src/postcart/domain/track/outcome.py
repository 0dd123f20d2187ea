"""What TRACK tells, and what its decisions depend on besides the parcel.

Owns: the collector, and what all records say of a parcel. Must not: decide.
"""

from typing import TypedDict

from msgspec import Struct, field

from postcart.domain.track.estimate_model import NO_FIT, Fit
from postcart.domain.track.estimate_sums import Sums
from postcart.domain.track.parcel import Parcel
from postcart.domain.track.rules import BusinessDays, Rules
from postcart.errors import StateError
from postcart.events.milestones import ParcelDecision, Registered
from postcart.events.polls import PollRequest
from postcart.events.shipments import ParcelLine
from postcart.events.times import DAY_MS


class Context(Struct, frozen=True, gc=False, kw_only=True):
    """What decisions depend on. ``fit``: what deliveries of earlier days taught, for the day that is folded.

    ``present_ms``, on which no decision depends: the clock once all that has piled up is folded, as far as is known.
    """

    rules: Rules
    business_days: BusinessDays
    fit: Fit = NO_FIT
    present_ms: int = 0


class Tracked(Struct, gc=False):
    """What folding brought.

    Attributes:
        news: In the order of deciding; ``moments``: when each was decided, event time.
        registrations: Of parcels, for JOURNEY.
        polls: What carriers are to be asked.
        deliveries: Sums of what was delivered, by day.
        applied, late, repeated, unmatched: What became of events; ``unmatched``: never registered.
    """

    news: list[ParcelDecision] = field(default_factory=list)
    moments: list[int] = field(default_factory=list)
    registrations: list[Registered] = field(default_factory=list)
    polls: list[PollRequest] = field(default_factory=list)
    deliveries: dict[int, Sums] = field(default_factory=dict)
    applied: int = 0
    late: int = 0
    repeated: int = 0
    unmatched: int = 0

    def tell(self, at_ms: int, record: ParcelDecision) -> None:
        """Decided at ``at_ms``."""
        self.moments.append(at_ms)
        self.news.append(record)

    def delivered(self, parcel: Parcel, at_ms: int, now_ms: int) -> None:
        """To be learned from, on the day on which it is known."""
        if parcel.forecast is not None:
            self.deliveries.setdefault(now_ms // DAY_MS, Sums()).observe(parcel.forecast, at_ms)


class Known(TypedDict):
    """What every record says of its parcel."""

    parcel_id: str
    person_id: str
    order_id: str
    carrier: str
    tracking_number: str
    number: int | None
    count: int | None
    service: str | None
    lines: tuple[ParcelLine, ...]


def known(parcel: Parcel) -> Known:
    """Of a registered parcel."""
    registered = parcel.registered
    if registered is None:
        raise StateError(f"parcel {parcel.key} has an incarnation, but no registration")
    return Known(
        parcel_id=parcel.parcel_id,
        person_id=registered.person_id,
        order_id=registered.order_id,
        carrier=registered.carrier,
        tracking_number=registered.tracking_number,
        number=registered.number,
        count=registered.count,
        service=registered.service,
        lines=registered.lines,
    )
