"""What TRACK tells of a parcel (topics ``milestones`` and ``decisions``, key: person_id; lines of ``simulate``).

Owns: the records' fields, in the order in which they are printed, and their ids. Must not: decide.

``id`` names the occurrence: over the parcel's incarnation and the milestone, the new estimate's date, or the delay's
rule, the last scan and the level. A message's id is made over it, so what happened once is told once.
"""

from datetime import datetime
from typing import Literal
from uuid import UUID

from msgspec import Struct

from postcart.events.ids import uuid5
from postcart.events.shipments import ParcelLine, Place
from postcart.events.times import from_ms

Status = Literal[
    "pending",
    "info_received",
    "picked_up",
    "in_transit",
    "out_for_delivery",
    "attempt_failed",
    "available_for_pickup",
    "delivered",
    "returned",
    "exception",
    "expired",
]
Reason = Literal[
    "address",
    "cancelled",
    "carrier",
    "customs",
    "damaged",
    "delayed",
    "disposed",
    "documents",
    "held",
    "lost",
    "missorted",
    "moved",
    "payment",
    "refused",
    "returning",
    "unclaimed",
    "undeliverable",
    "weather",
    "other",
]
"""Why an exception: ``carrier``: it refused the parcel; ``moved``: the recipient did; ``held``: kept by the carrier."""
DelayRule = Literal["no_pickup", "no_scan", "estimate"]
Audience = Literal["customer", "operations"]


class Expected(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """When the parcel is expected, at the best of what is known.

    Attributes:
        at: The moment most likely; of a carrier's window its end, of a whole day its end.
        earliest, latest: The window; of a learned one, eight of ten parcels arrive in it.
        source: ``carrier``, ``learned`` from the shop's own deliveries, or ``promised`` by the shop.
    """

    at: datetime
    earliest: datetime
    latest: datetime
    source: Literal["carrier", "learned", "promised"]


class ParcelNews(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag_field="type"):
    """What all of them say.

    Attributes:
        parcel_id: The incarnation: a tracking number that is used again is another parcel.
        tracking_number: As the shop wrote it.
        number, count: Parcel ``number`` of ``count`` of the order, where the shop knows.
        lines: What is in it; empty: not known.
        at: When it happened, or was found; event time.
    """

    id: str
    parcel_id: str
    person_id: str
    order_id: str
    carrier: str
    tracking_number: str
    at: datetime
    number: int | None = None
    count: int | None = None
    service: str | None = None
    lines: tuple[ParcelLine, ...] = ()


class Milestone(ParcelNews, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="milestone"):
    """Something happened to the parcel. Told once; along the line only forward.

    Attributes:
        reason: Of ``exception``; also of another status where the carrier said why.
        attempts: Failed deliveries so far.
        text, place: Of the scan, as the carrier wrote it.
    """

    status: Status
    reason: Reason | None = None
    attempts: int = 0
    text: str | None = None
    place: Place | None = None
    expected: Expected | None = None


class EstimateChanged(ParcelNews, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="estimate"):
    """The parcel is expected at another time, and it matters: a day or more apart, or later than promised.

    Attributes:
        previous: What was told, or promised, before.
        late: Whether it is later than promised.
    """

    expected: Expected
    previous: datetime
    promised: datetime | None = None
    late: bool = False


class Delay(ParcelNews, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="delay"):
    """Something did not happen in time.

    Attributes:
        rule: ``no_pickup``, ``no_scan``, or the ``estimate`` passed.
        level: 1 when it is found; higher ones while it lasts.
        audiences: Who is to be told at this level; each with its own message.
        since: What was waited from: when it was ready, the last scan, the moment expected.
        status: Where the parcel is, as far as is known.
    """

    rule: DelayRule
    level: int
    audiences: tuple[Audience, ...]
    since: datetime
    status: Status | None = None
    expected: Expected | None = None


class Cleared(ParcelNews, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="cleared"):
    """A delay is over: the parcel moved, or is expected anew.

    Attributes:
        delay_id: Id of the delay's first level.
        level: The highest that was told; ``audiences``: all who were told.
        status: What it moved to; None if it is expected anew.
    """

    rule: DelayRule
    delay_id: str
    level: int
    audiences: tuple[Audience, ...]
    status: Status | None = None


class Registered(ParcelNews, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="registered"):
    """The parcel is there: the order was packed. For JOURNEY alone; nothing is told by it."""

    expected: Expected | None = None


ParcelDecision = Milestone | EstimateChanged | Delay | Cleared
"""What is told, on the topics ``milestones`` and ``decisions``."""
MilestoneRecord = ParcelDecision | Registered
"""Everything on the topic ``milestones``."""


def milestone_id(parcel_id: str, status: Status, reason: Reason | None) -> str:
    """Once per status; of an exception once per reason."""
    return uuid5(UUID(parcel_id), f"{status}/{reason or ''}" if status == "exception" else status)


def estimate_id(parcel_id: str, expected_ms: int) -> str:
    """Once per date."""
    return uuid5(UUID(parcel_id), f"estimate/{from_ms(expected_ms).date()}")


def delay_id(parcel_id: str, rule: DelayRule, cause: str, level: int) -> str:
    """Once per rule, last scan and level."""
    return uuid5(UUID(parcel_id), f"delay/{rule}/{cause}/{level}")


def cleared_id(delay: str) -> str:
    """Once per delay."""
    return uuid5(UUID(delay), "cleared")
