"""A moment of a story, and the records that stories are made of.

Owns: these shapes. Must not: make them.
"""

from typing import Literal, NamedTuple

from msgspec import Struct

from postcart.events.decisions import (
    AbandonmentDecided,
    EpisodeTold,
    Judged,
    RuleSaid,
    StepCancelled,
    StepDue,
    StepPlanned,
)
from postcart.events.jobs import Claim, DeliveryReport, Job, Receipt
from postcart.events.milestones import ParcelDecision

Record = (
    AbandonmentDecided
    | StepPlanned
    | StepDue
    | StepCancelled
    | Judged
    | EpisodeTold
    | Job
    | Claim
    | Receipt
    | DeliveryReport
    | ParcelDecision
)
Kind = Literal[
    "left", "episode", "planned", "judged", "cancelled", "due", "gate", "claim", "attempt", "report", "parcel"
]


class Recorded(NamedTuple):
    """A record and its place: ``appended_ms`` is when the broker took it, real time."""

    topic: str
    partition: int
    position: int
    appended_ms: int
    record: Record


class Planned(Struct, frozen=True, kw_only=True):
    """A step that was planned for ``at_ms``."""

    step: int
    at_ms: int


class Stopped(Struct, frozen=True, kw_only=True):
    """A step that was cancelled, and why."""

    step: int
    reason: str | None


class Moment(Struct, kw_only=True, omit_defaults=True):
    """Something that happened.

    Attributes:
        at_ms: Event time; of an open claim real time.
        recorded_ms: When the pipeline wrote it down, real time.
        what: In words.
        details: More of it, a line each.
        rules: What was asked, in this order.
        planned: Steps that it planned, and ``stopped`` those that it cancelled.
    """

    at_ms: int
    recorded_ms: int
    kind: Kind
    what: str
    details: list[str] = []
    rules: list[RuleSaid] = []
    planned: list[Planned] = []
    stopped: list[Stopped] = []
    visitor_id: str | None = None
    episode_id: str | None = None
    step: int | None = None
    job_id: str | None = None
    attempt: int | None = None
    reason: str | None = None
    outcome: str | None = None
    until_ms: int | None = None
    status: str | None = None
    parcel_id: str | None = None
    order_id: str | None = None
