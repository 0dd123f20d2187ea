"""What JOURNEY's rules work with, and what they bring about.

Owns: the context of a decision (campaign, zones) and the collector of decisions, jobs and gate changes. Must not:
decide.
"""

from collections.abc import Callable
from datetime import tzinfo

from msgspec import Struct, field

from postcart.domain.campaign import Campaign
from postcart.domain.journey.person import Episode, Person
from postcart.events.decisions import CancelReason, Decision, StepCancelled, StepDue, StepPlanned
from postcart.events.jobs import Job
from postcart.events.shop import ProfileUpdated
from postcart.events.times import from_ms


class Context(Struct, frozen=True, kw_only=True):
    """What decisions depend on besides the person.

    Attributes:
        campaign: What a newly opened episode pins.
        zones: The recipient's zones: of the profile, else those of the country; all of them must allow.
        currency: Of lines that name none.
    """

    campaign: Campaign
    zones: Callable[[ProfileUpdated | None], tuple[tzinfo, ...]]
    currency: str = "USD"


class Decided(Struct, gc=False):
    """What folding brought about.

    Attributes:
        decisions: In the order in which they were made; ``moments`` holds the event time at which each was.
        now_ms: The event time at which decisions are being made.
        gate: Persons whose gate record changed.
    """

    decisions: list[Decision] = field(default_factory=list)
    moments: list[int] = field(default_factory=list)
    now_ms: int = 0
    jobs: list[Job] = field(default_factory=list)
    gate: dict[str, Person] = field(default_factory=dict)

    def decide(self, decision: Decision) -> None:
        """Keep a decision made now."""
        self.decisions.append(decision)
        self.moments.append(self.now_ms)
        repeated: Happenings that were there already.

    def planned(self, person: Person, episode: Episode, step: int, at_ms: int) -> None:
        """Step (from 0) waits for ``at_ms``."""
        self.decide(
            StepPlanned(episode_id=episode.episode_id, person_id=person.person_id, step=step + 1, at=from_ms(at_ms))
        )

    def due(self, person: Person, episode: Episode, step: int, at_ms: int) -> None:
    repeated: int = 0
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
