"""What TRACK keeps of a tracking number: one row.

Owns: the row's fields and its next deadline. Must not: decide anything from them.
"""

from typing import ClassVar, NamedTuple

from msgspec import Struct, field

from postcart.domain.track.estimate_sums import Forecast
from postcart.domain.track.rules import Rules
from postcart.domain.track.status import rank
from postcart.events.event import time_ms
from postcart.events.milestones import Audience, DelayRule, Expected, Reason, Status
from postcart.events.shipments import ParcelEstimate, ParcelRegistered, ParcelStatus, Place

FOR_EVER = 1 << 62
"""A clock, or a deadline, after all others."""


class Scan(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag_field="type", tag="scan"):
    """A carrier's status in the words of the model."""

    RANK: ClassVar[int] = 2

    id: str
    time: int
    status: Status
    sequence: int = 0
    reason: Reason | None = None
    text: str | None = None
    place: Place | None = None


ParcelEvent = ParcelRegistered | ParcelEstimate | Scan
"""An event as it is folded."""


def when_ms(event: ParcelEvent) -> int:
    """The event's time."""
    return event.time if isinstance(event, Scan) else time_ms(event)


class Order(NamedTuple):
    """The place of an event among those of its parcel: what is equal is a repeat."""

    time: int
    sequence: int
    kind: int
    rank: int
    id: str


FIRST = Order(-1, 0, 0, 0, "")


def order_of(event: ParcelEvent) -> Order:
    """By time, sequence, kind (registered, estimate, status), rank of the status, id."""
    place = rank(event.status) if isinstance(event, Scan) else 0
    return Order(when_ms(event), event.sequence, event.RANK, place, event.id)


class Watch(Struct, gc=False, omit_defaults=True):
    """Something that is waited for.

    Attributes:
        due_ms: When the next level is told, unless it happens before.
        since_ms: What is waited from.
        cause: Names the occurrence: the last scan, or the registration; with the moment expected.
        level: Levels told so far; 0: not late yet.
        found_ms: When the first was; ``told``: to whom.
    """

    due_ms: int
    since_ms: int
    cause: str
    level: int = 0
    found_ms: int = 0
    told: tuple[Audience, ...] = ()


class Poll(Struct, gc=False, omit_defaults=True):
    """How far asking the carrier about the parcel is, where it pushes nothing.

    Attributes:
        due_ms: When it is asked next.
        round: How often it was asked; ``unchanged``: since the latest scan.
        asked_ms: When it was asked last; 0: never.
        last: Id of the latest scan known then.
        put_off: The round waits for the present, once.
    """

    due_ms: int
    round: int = 0
    unchanged: int = 0
    asked_ms: int = 0
    last: str = ""
    put_off: bool = False


class Parcel(Struct, gc=False, kw_only=True, omit_defaults=True):
    """A tracking number of a carrier, and the parcel that it names now.

    Attributes:
        parcel_id: Of the incarnation; empty before a registration.
        registered: The latest registration; its time is when 60 days begin.
        floor_ms: Scans up to then are an earlier incarnation's.
        status, reason: As the latest scan has it.
        reached: The highest rank told.
        told: Milestones told, as ``status`` or ``exception/reason``.
        last: Place of the latest scan folded.
        final_ms: When it was delivered or returned; 0 before.
        estimated: Place of the carrier's latest estimate.
        baseline_ms: What the customer was told, or promised, last; 0 for nothing.
        estimates_told: Days (since 1970) of the estimates told.
        overdue_ms: The latest moment expected whose passing was found.
        waiting: Scans and estimates without a registration, in order.
        pending: Events not yet folded, in order.
        seen_ms: When something happened last: an event, or a delay told. -1: the row is as if it had never been.
        poll: Where its carrier is asked; a row without it is that of a parcel whose carrier is not.
        indexed_ms: The deadline under which the row stands in the task's index; 0 for none.
    """

    key: str
    parcel_id: str = ""
    registered: ParcelRegistered | None = None
    floor_ms: int = -1
    status: Status | None = None
    reason: Reason | None = None
    reached: int = 0
    told: list[str] = field(default_factory=list)
    last: Order = FIRST
    attempts: int = 0
    final_ms: int = 0
    expected: Expected | None = None
    estimated: Order = FIRST
    baseline_ms: int = 0
    estimates_told: list[int] = field(default_factory=list)
    forecast: Forecast | None = None
    watches: dict[DelayRule, Watch] = field(default_factory=dict)
    overdue_ms: int = 0
    waiting: list[Scan | ParcelEstimate] = field(default_factory=list)
    pending: list[ParcelRegistered | ParcelEstimate | Scan] = field(default_factory=list)
    seen_ms: int = -1
    indexed_ms: int = 0
    poll: Poll | None = None

    def deadline_ms(self, rules: Rules) -> int:
        """When the row must be looked at, at the latest; event time."""
        due = self.due_ms(rules)
        if self.poll is not None:
            due = min(due, self.poll.due_ms)
        return min(due, when_ms(self.pending[0])) if self.pending else due

    def due_ms(self, rules: Rules) -> int:
        """When the first thing that is decided falls due without any event; the carrier is asked beside that."""
        due = self.seen_ms + rules.forget_ms if self.seen_ms >= 0 else FOR_EVER
        if self.waiting:
            due = min(due, when_ms(self.waiting[0]) + rules.known_ms)
        for watch in self.watches.values():
            due = min(due, watch.due_ms)
        return due


def scan_of(event: ParcelStatus, status: Status, reason: Reason | None) -> Scan:
    """The carrier's word as what it means."""
    return Scan(
        id=event.id,
        time=time_ms(event),
        sequence=event.sequence,
        status=status,
        reason=reason,
        text=event.text,
        place=event.place,
    )
