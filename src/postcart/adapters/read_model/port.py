"""What the read model is asked and told, whatever database is behind it.

Owns: the port and the shapes that cross it. Must not: know SQL, or what facts mean.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from postcart.codecs.facts import Fact
from postcart.codecs.marks import Mark

Place = tuple[str, int]
"""Topic and partition."""


class Standing(NamedTuple):
    """How far a partition has been applied.

    Attributes:
        next: Position of the first record that has not been.
        applied_ms: When that was last changed; real time.
        complete_ms: Everything that was in the partition at this moment, real time, has been applied; None: unknown.
    """

    next: int
    applied_ms: int
    complete_ms: int | None


class Move(NamedTuple):
    """A partition is applied from ``before`` (None: nothing has been) to ``after``."""

    before: int | None
    after: int


class Unaccounted(NamedTuple):
    """A job that nobody can account for; ``claim_position`` is that of its latest claim record, -1 without one."""

    job_id: str
    topic: str
    partition: int
    position: int
    claim_position: int


class Size(NamedTuple):
    """What is stored. ``oldest_ms``: when the broker took the oldest record; None if there is none."""

    facts: int
    jobs: int
    positions: int
    oldest_ms: int | None


class ReadModel(Protocol):
    """A projection of Postcart's topics. Every method raises ``ReadModelUnavailable`` if the database can't be reached.

    One connection; one thread at a time.
    """

    def migrate(self) -> list[str]:
        """Bring the schema to this release's; returns the names of the migrations applied. Workers may do so at once.

        Raises:
            ConfigurationError: A newer release has been here.
        """
        ...

    def require_schema(self) -> None:
        """See that the schema is one that this release reads, without changing anything.

        Raises:
            ReadModelUnavailable: Nothing was ever written here.
            ConfigurationError: A newer release has been here.
        """
        ...

    def bind(self, installation: str) -> None:
        """Take note of whose topics are projected here, the first time.

        Raises:
            ConfigurationError: Another installation's are.
        """
        ...

    def standings(self) -> dict[Place, Standing]:
        """How far each partition has been applied."""
        ...

    def apply(
        self, facts: Sequence[Fact], marks: Sequence[Mark], moves: Mapping[Place, Move], *, now_ms: int
    ) -> frozenset[Place]:
        """Store facts and marks and move the positions on, in one transaction: all or nothing.

        Applying a record again changes nothing, in whatever order partitions are applied.

        Returns:
            Empty; or, with nothing stored, the partitions that stand elsewhere than ``before`` says: another worker was
            faster, or the read model is being rebuilt.
        """
        ...

    def complete(self, places: Sequence[Place], *, at_ms: int) -> None:
        """Take note that these partitions have been applied up to what was in them at ``at_ms``."""
        ...

    def unaccounted(self, committed: Mapping[Place, int], *, most: int) -> list[Unaccounted]:
        """Jobs before these committed positions without open claim, final receipt or pending ``not_accepted``."""
        ...

    def named(self, name: str, *, most: int) -> list[Fact]:
        """Facts in which ``name`` is the id of anything, or a tracking number. Newest first."""
        ...

    def about_person(self, person_id: str, *, most: int) -> list[Fact]:
        """All facts about a person, newest first."""
        ...

    def about_visitor(self, visitor_id: str, *, most: int) -> list[Fact]:
        """Facts about a visitor, newest first."""
        ...

    def about_episode(self, episode_id: str, *, most: int) -> list[Fact]:
        """Facts about an episode, newest first."""
        ...

    def size(self) -> Size:
        """What is stored."""
        ...

    def count_before(self, beginnings: Mapping[Place, int]) -> int:
        """How many facts stand before these positions: what Kafka does not hold any more."""
        ...

    def forget(self, before_ms: int) -> int:
        """Forget whole months (UTC) that ended by then, and jobs last heard of then. Returns how many facts."""
        ...

    def forget_items(self, before_ms: int) -> int:
        """Forget items of in-app feeds that the broker took before then. Returns how many."""
        ...

    def rebuild(self) -> None:
        """Drop everything and begin anew, in one transaction; workers that run begin at the topics' beginnings."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...
