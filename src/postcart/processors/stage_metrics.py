"""What a stage's tasks count, as a port.

Owns: the facts' names. Must not: know how they are exposed (metrics does).
"""

from typing import Protocol


class StageMetrics(Protocol):
    """Called per batch, per decision or per transaction, never per record."""

    def processed(self, topic: str, *, received: int, applied: int, late: int, repeated: int, dead: int) -> None:
        """A batch of ``received`` records was processed; the others say what became of its events."""
        ...

    def batch(self, seconds: float, delay_s: float | None) -> None:
        """A batch took ``seconds``; its newest event was ``delay_s`` old (None: no clock yet)."""
        ...

    def dead_letters(self, topic: str, reason: str, count: int = 1) -> None:
        """Records of ``topic`` were set aside."""
        ...

    def clock(self, partition: int, clock_ms: int) -> None:
        """The task's clock, event time."""
        ...

    def rows(self, partition: int, count: int) -> None:
        """Rows held."""
        ...

    def decided(self, *, purpose: str, outcome: str, reason: str) -> None:
        """A step was planned, became due or was cancelled, or an abandonment was decided."""
        ...

    def jobs_emitted(self, channel: str, purpose: str, count: int) -> None:
        """Jobs were handed to the senders of a channel."""
        ...

    def closed(self, partition: int) -> None:
        """The partition went elsewhere: its series go."""
        ...


class NoStageMetrics:
    """Counts nothing: for tests and trials."""

    def processed(self, topic: str, *, received: int, applied: int, late: int, repeated: int, dead: int) -> None:
        """See StageMetrics."""

    def batch(self, seconds: float, delay_s: float | None) -> None:
        """See StageMetrics."""

    def dead_letters(self, topic: str, reason: str, count: int = 1) -> None:
        """See StageMetrics."""

    def clock(self, partition: int, clock_ms: int) -> None:
        """See StageMetrics."""

    def rows(self, partition: int, count: int) -> None:
        """See StageMetrics."""

    def decided(self, *, purpose: str, outcome: str, reason: str) -> None:
        """See StageMetrics."""

    def jobs_emitted(self, channel: str, purpose: str, count: int) -> None:
        """See StageMetrics."""

    def closed(self, partition: int) -> None:
        """See StageMetrics."""
