"""What a stage's tasks count, as a port.

Owns: the facts' names. Must not: know how they are exposed (metrics does).
"""

from typing import Protocol


class StageMetrics(Protocol):
    """Called per batch or per transaction, never per record."""

    def processed(self, topic: str, *, received: int, applied: int, late: int, repeated: int, dead: int) -> None:
        """A batch of ``received`` records was processed; the others say what became of its events."""
        ...

    def clock(self, partition: int, clock_ms: int) -> None:
        """The task's clock, event time."""
        ...

    def rows(self, partition: int, count: int) -> None:
        """Rows held."""
        ...

    def decided(self, *, purpose: str, outcome: str, reason: str) -> None:
        """A step was planned, became due or was cancelled."""
        ...

    def closed(self, partition: int) -> None:
        """The partition went elsewhere: its series go."""
        ...


class NoStageMetrics:
    """For tests and simulations."""

    def processed(self, topic: str, *, received: int, applied: int, late: int, repeated: int, dead: int) -> None:
        """See StageMetrics."""

    def clock(self, partition: int, clock_ms: int) -> None:
        """See StageMetrics."""

    def rows(self, partition: int, count: int) -> None:
        """See StageMetrics."""

    def decided(self, *, purpose: str, outcome: str, reason: str) -> None:
        """See StageMetrics."""

    def closed(self, partition: int) -> None:
        """See StageMetrics."""
