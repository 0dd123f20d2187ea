"""What JOURNEY's rules work with, and what they bring about.

Owns: the context of a decision (campaign, zones) and the collector of decisions, jobs and gate changes. Must not:
decide.
"""

from collections.abc import Callable
from datetime import tzinfo
from typing import Literal

from msgspec import Struct, field

from postcart.domain.campaign import Campaign
from postcart.domain.caps import Caps
from postcart.domain.journey.person import Episode, Person
from postcart.domain.messages import SILENT, Messages
from postcart.domain.track.rules import BusinessDays, Countries
from postcart.events.alerts import Alert
from postcart.events.decisions import (
    CancelReason,
    Decision,
    DecisionRecord,
    EpisodeTold,
    Judged,
    RuleSaid,
    StepCancelled,
    StepDue,
    StepPlanned,
)
from postcart.events.jobs import Job
from postcart.events.shop import ProfileUpdated
from postcart.events.suppressions import Suppressed
from postcart.events.times import DAY_MS, from_ms


def every_day(at_ms: int, days: int, countries: Countries) -> int:
    """A calendar without holidays and weekends."""
    del countries
    return at_ms + days * DAY_MS


class Context(Struct, frozen=True, kw_only=True):
    """What decisions depend on besides the person.

    Attributes:
        campaign: What a newly opened episode pins.
        zones: The recipient's zones: of the profile, else those of the country; all of them must allow.
        currency: Of lines that name none.
        caps: How often marketing may go to a person.
        messages: What is told of orders and parcels.
        business_days: Moves a moment to a business day; by default every day is one.
        impersonal: Channels that need no contact point of the person.
    """

    campaign: Campaign
    zones: Callable[[ProfileUpdated | None], tuple[tzinfo, ...]]
    currency: str = "USD"
    caps: Caps = Caps()
    messages: Messages = SILENT
    business_days: BusinessDays = every_day
    impersonal: frozenset[str] = frozenset()


class Decided(Struct, gc=False):
    """What folding brought about.

    Attributes:
        decisions: In the order in which they were made; ``moments`` holds the event time at which each was.
        records: The same, and between them why: everything for the topic ``decisions``.
        now_ms: The event time at which decisions are being made.
        gate: Persons whose gate record changed.
        shipping_ms: The shipping clock, as far as it is known; -1: not at all.
        suppressed: Contact points that are to get no messages any more.
        alerts: For employees.
        repeated: Happenings that were there already.
    """

    decisions: list[Decision] = field(default_factory=list)
    moments: list[int] = field(default_factory=list)
    records: list[DecisionRecord] = field(default_factory=list)
    now_ms: int = 0
    jobs: list[Job] = field(default_factory=list)
    gate: dict[str, Person] = field(default_factory=dict)
    shipping_ms: int = -1
    suppressed: list[Suppressed] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    repeated: int = 0

    def decide(self, decision: Decision) -> None:
        """Keep a decision made now."""
        self.decisions.append(decision)
        self.moments.append(self.now_ms)
        self.records.append(decision)

    def planned(self, person: Person, episode: Episode, step: int, at_ms: int) -> None:
        """Step (from 0) waits for ``at_ms``."""
        self.decide(
            StepPlanned(episode_id=episode.episode_id, person_id=person.person_id, step=step + 1, at=from_ms(at_ms))
        )

    def due(self, person: Person, episode: Episode, step: int, at_ms: int) -> None:
        """Step (from 0) goes out."""
        self.decide(
            StepDue(episode_id=episode.episode_id, person_id=person.person_id, step=step + 1, at=from_ms(at_ms))
        )

    def cancelled(self, person: Person, episode: Episode, step: int, at_ms: int, reason: CancelReason) -> None:
        """Step (from 0) does not go out."""
        self.decide(
            StepCancelled(
                episode_id=episode.episode_id,
                person_id=person.person_id,
                step=step + 1,
                at=from_ms(at_ms),
                reason=reason,
            )
        )

    def judged(
        self,
        person: Person,
        episode: Episode,
        step: int,
        *,
        outcome: Literal["due", "deferred", "cancelled"],
        rules: tuple[RuleSaid, ...],
        job_id: str | None = None,
        reason: CancelReason | None = None,
        until_ms: int | None = None,
    ) -> None:
        """Why step (from 0) was due, deferred or cancelled when its time had come."""
        self.records.append(
            Judged(
                stage="journey",
                person_id=person.person_id,
                episode_id=episode.episode_id,
                step=step + 1,
                at=from_ms(episode.steps[step].next_ms),
                outcome=outcome,
                rules=rules,
                job_id=job_id,
                reason=reason,
                until=None if until_ms is None else from_ms(until_ms),
            )
        )

    def told(
        self,
        person: Person,
        job: Job,
        *,
        outcome: Literal["due", "deferred", "cancelled"],
        rules: tuple[RuleSaid, ...],
        reason: str | None = None,
    ) -> None:
        """Why a message about an order or a parcel goes out, waits for another, or does not."""
        at_ms = job.due_ms if outcome == "due" else max(job.due_ms, self.shipping_ms)
        self.records.append(
            Judged(
                stage="journey",
                person_id=person.person_id,
                episode_id=job.episode_id,
                step=job.step,
                at=from_ms(at_ms),
                outcome=outcome,
                rules=rules,
                job_id=job.job_id or None,
                reason=reason,
                message=job.journey if job.step == 0 else None,
            )
        )

    def episode(
        self,
        person: Person,
        episode: Episode,
        change: Literal["opened", "pinned", "armed", "interrupted", "merged", "closed"],
        *,
        at_ms: int,
        by: dict[str, str] | None = None,
        rules: tuple[RuleSaid, ...] = (),
        reason: CancelReason | Literal["completed"] | None = None,
    ) -> None:
        """Why an episode changed."""
        self.records.append(
            EpisodeTold(
                person_id=person.person_id,
                episode_id=episode.episode_id,
                at=from_ms(at_ms),
                change=change,
                by=by or {},
                rules=rules,
                reason=reason,
            )
        )
