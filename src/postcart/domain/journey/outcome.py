"""What JOURNEY's rules work with, and what they bring about.

Owns: the context of a decision (campaign, zones) and the collector of decisions, jobs and gate changes. Must not:
decide.
"""

from collections.abc import Callable
from datetime import tzinfo
from typing import Literal

from msgspec import Struct, field

from postcart.domain.campaign import Campaign
from postcart.domain.journey.person import Episode, Person
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
from postcart.events.times import from_ms


class Context(Struct, frozen=True, kw_only=True):
    """What decisions depend on besides the person.

    Attributes:
        campaign: What a newly opened episode pins.
        zones: The recipient's zones: of the profile, else those of the country; all of them must allow.
        currency: Of lines that name none.
        impersonal: Channels that need no contact point of the person.
    """

    campaign: Campaign
    zones: Callable[[ProfileUpdated | None], tuple[tzinfo, ...]]
    currency: str = "USD"
    impersonal: frozenset[str] = frozenset()


class Decided(Struct, gc=False):
    """What folding brought about.

    Attributes:
        decisions: In the order in which they were made; ``moments`` holds the event time at which each was.
        records: The same, and between them why: everything for the topic ``decisions``.
        now_ms: The event time at which decisions are being made.
        gate: Persons whose gate record changed.
        suppressed: Contact points that are to get no messages any more.
        repeated: Happenings that were there already.
    """

    decisions: list[Decision] = field(default_factory=list)
    moments: list[int] = field(default_factory=list)
    records: list[DecisionRecord] = field(default_factory=list)
    now_ms: int = 0
    jobs: list[Job] = field(default_factory=list)
    gate: dict[str, Person] = field(default_factory=dict)
    suppressed: list[Suppressed] = field(default_factory=list)
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
