"""What a stage's tasks count, as a port.

Owns: the facts' names. Must not: know how they are exposed (metrics does).
"""

from collections.abc import Mapping
from typing import Protocol


class StageMetrics(Protocol):
    """Called per batch, per decision or per transaction, never per record."""

    def processed(self, topic: str, *, applied: int, late: int, repeated: int, dead: int) -> None:
        """What became of so many events of a topic, or of records that are none."""
        ...

    def batch(self, seconds: float) -> None:
        """A batch took ``seconds``."""
        ...

    def delayed(self, delay_s: float) -> None:
        """The newest event of a batch was ``delay_s`` old when it was processed."""
        ...

    def dead_letters(self, topic: str, reason: str, count: int = 1) -> None:
        """Records of ``topic`` were set aside."""
        ...

    def clock(self, partition: int, clock_ms: int) -> None:
        """The task's clock, event time."""
        ...

    def state(self, partition: int, *, rows: int, size: int, waiting: Mapping[str, int]) -> None:
        """Rows held, their encoded size in bytes, and what they wait for."""
        ...

    def fired(self, delay_s: float) -> None:
        """A session ended, or a step fell due, so long before it was decided. Once for each."""
        ...

    def decided(self, *, purpose: str, outcome: str, reason: str) -> None:
        """A step was planned, became due or was cancelled, or an abandonment was decided."""
        ...

    def jobs_emitted(self, channel: str, purpose: str, count: int) -> None:
        """Jobs were handed to the senders of a channel."""
        ...

    def reported(self, channel: str, kind: str) -> None:
        """A provider or a mailbox said something about a message that had been accepted."""
        ...

    def closed(self, partition: int) -> None:
        """The partition went elsewhere: its series go."""
        ...


class NoStageMetrics:
    """Counts nothing: for tests and trials."""

    def processed(self, topic: str, *, applied: int, late: int, repeated: int, dead: int) -> None:
        """See StageMetrics."""

    def batch(self, seconds: float) -> None:
        """See StageMetrics."""

    def delayed(self, delay_s: float) -> None:
        """See StageMetrics."""

    def dead_letters(self, topic: str, reason: str, count: int = 1) -> None:
        """See StageMetrics."""

    def clock(self, partition: int, clock_ms: int) -> None:
        """See StageMetrics."""

    def state(self, partition: int, *, rows: int, size: int, waiting: Mapping[str, int]) -> None:
        """See StageMetrics."""

    def fired(self, delay_s: float) -> None:
        """See StageMetrics."""

    def decided(self, *, purpose: str, outcome: str, reason: str) -> None:
        """See StageMetrics."""

    def jobs_emitted(self, channel: str, purpose: str, count: int) -> None:
        """See StageMetrics."""

    def reported(self, channel: str, kind: str) -> None:
        """See StageMetrics."""

    def closed(self, partition: int) -> None:
        """See StageMetrics."""
