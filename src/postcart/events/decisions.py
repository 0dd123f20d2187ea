"""What was decided, for people and for comparison: the lines of ``simulate`` and the topic ``decisions``.

Owns: the decision records' fields, in the order in which they are printed. Must not: decide.
"""

from datetime import datetime
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from postcart.events.milestones import ParcelDecision
from postcart.events.signals import Abandonment, Tags, Trigger
from postcart.events.times import from_ms

CancelReason = Literal[
    "ordered",
    "emptied",
    "returned",
    "merged",
    "collapsed",
    "cool_off",
    "no_consent",
    "no_contact",
    "not_after",
    "expired",
]


class DecidedLine(Struct, frozen=True, gc=False):
    """A line as an abandonment shows it."""

    variant_id: str
    quantity: int
    unit_price: Decimal


class AbandonmentDecided(Struct, frozen=True, gc=False, kw_only=True, tag_field="type", tag="abandonment"):
    """A session ended with lines. Without a person, ``episode_id`` is that of the episode that it would open."""

    abandonment_id: str
    episode_id: str
    visitor_id: str
    person_id: str | None
    session_id: str | None
    trigger: Trigger
    abandoned_at: datetime
    lines: tuple[DecidedLine, ...]
    value: Decimal | None
    currency: str | None
    tags: Tags


class StepDecision(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag_field="type"):
    """A step of an episode's sequence, from 1. Every ``planned`` is followed by one ``due`` or ``cancelled``."""

    episode_id: str
    person_id: str
    step: int
    at: datetime
    reason: CancelReason | None = None


class StepPlanned(StepDecision, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="planned"):
    """The step waits; ``at`` is before deferral."""


class StepDue(StepDecision, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="due"):
    """The step's job goes out; ``at`` is after deferral."""


class StepCancelled(StepDecision, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="cancelled"):
    """The step does not go out, for ``reason``."""


class RuleSaid(Struct, frozen=True, gc=False, omit_defaults=True):
    """One rule's word on one message.

    Attributes:
        rule: Its name, from a closed set (``consent``, ``quiet_hours``, ``stock`` …).
        verdict: ``pass``, ``stop``, ``wait`` or ``change``.
        inputs: What it judged by, as short texts; never a contact point or a body.
    """

    rule: str
    verdict: Literal["pass", "stop", "wait", "change"]
    inputs: dict[str, str] = {}


class Judged(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag_field="type", tag="judged"):
    """Why a message goes out, waits or does not: the rules that were asked, in their order (topic ``decisions``).

    Attributes:
        stage: Who judged: ``journey`` when a step was due, or the channel's gate just before the claim.
        outcome: ``due``, ``deferred``, ``cancelled``, ``claimed``, ``suppressed`` or ``given_back``.
        until: Of ``deferred`` and ``given_back``: when it is looked at again.
        message: Of one about an order or a parcel, whose id ``episode_id`` is then: its occasion.
    """

    stage: str
    person_id: str
    episode_id: str
    step: int
    at: datetime
    outcome: Literal["due", "deferred", "cancelled", "claimed", "suppressed", "given_back"]
    rules: tuple[RuleSaid, ...]
    job_id: str | None = None
    reason: str | None = None
    until: datetime | None = None
    message: str | None = None


class EpisodeTold(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag_field="type", tag="episode"):
    """Why an episode opened, was armed, interrupted or closed (topic ``decisions``); decides nothing.

    Attributes:
        change: ``pinned``: its journey is chosen for good, after other devices told their lines; ``merged``: a
            recovered abandonment joined it, or replaced it.
        by: What brought it about: ids by kind (``abandonment``, ``visitor``, ``end``, ``episode``, ``order``,
            ``event``), the ``trigger`` of an end, when a visitor was ``identified``.
        rules: Of ``opened`` and ``pinned``: the cool-off and the choice of the journey.
        reason: Of ``interrupted``, ``merged`` and ``closed``; ``completed`` if every step had its end.
    """

    person_id: str
    episode_id: str
    at: datetime
    change: Literal["opened", "pinned", "armed", "interrupted", "merged", "closed"]
    by: dict[str, str] = {}
    rules: tuple[RuleSaid, ...] = ()
    reason: CancelReason | Literal["completed"] | None = None


DecisionRecord = AbandonmentDecided | StepPlanned | StepDue | StepCancelled | Judged | EpisodeTold | ParcelDecision
"""Everything on the topic ``decisions``. ``simulate`` prints all but ``Judged`` and ``EpisodeTold``."""

Decision = AbandonmentDecided | StepPlanned | StepDue | StepCancelled


def abandonment_decided(abandonment: Abandonment, *, episode_id: str, tags: Tags | None = None) -> AbandonmentDecided:
    """The decision line of ``abandonment``, in the episode that it opened, joined or would open."""
    return AbandonmentDecided(
        abandonment_id=abandonment.abandonment_id,
        episode_id=episode_id,
        visitor_id=abandonment.visitor_id,
        person_id=abandonment.person_id,
        session_id=abandonment.session_id,
        trigger=abandonment.trigger,
        abandoned_at=from_ms(abandonment.abandoned_ms),
        lines=tuple(DecidedLine(line.variant_id, line.quantity, line.unit_price) for line in abandonment.lines),
        value=abandonment.value,
        currency=abandonment.currency,
        tags=tags or abandonment.tags,
    )
