"""What the engine tells whoever counts.

Owns: the names of what happens. Must not: know a metrics library.
"""

from typing import Literal, Protocol

AbortReason = Literal["rebalance", "outage", "other"]


class EngineMetrics(Protocol):
    """Called on the event loop; must be quick and must not raise."""

    def consumed(self, topic: str, records: int) -> None:
        """A batch was folded."""
        ...

    def committed(self, seconds: float, outputs: int, rows: int) -> None:
        """A transaction was committed; ``seconds`` from its drain to the broker's answer."""
        ...

    def aborted(self, reason: AbortReason) -> None:
        """A transaction was aborted and will be written again."""
        ...

    def restoring(self, partition: int, done: int, total: int) -> None:
        """Positions of the changelog read so far, of how many."""
        ...

    def restored(self, partition: int, rows: int, seconds: float) -> None:
        """A task runs."""
        ...

    def lag(self, topic: str, partition: int, records: int | None) -> None:
        """Positions between the task and the high watermark; ``None``: the partition went elsewhere."""
        ...

    def tasks(self, running: int, restoring: int) -> None:
        """How many tasks this worker has."""
        ...

    def rebalanced(self) -> None:
        """Partitions were given, taken or lost."""
        ...

    def dead_letters(self, topic: str, reason: str, count: int = 1) -> None:
        """Records of ``topic`` were set aside."""
        ...


class NoMetrics:
    """Counts nothing."""

    def consumed(self, topic: str, records: int) -> None:
        """Nothing."""

    def committed(self, seconds: float, outputs: int, rows: int) -> None:
        """Nothing."""

    def aborted(self, reason: AbortReason) -> None:
        """Nothing."""

    def restoring(self, partition: int, done: int, total: int) -> None:
        """Nothing."""

    def restored(self, partition: int, rows: int, seconds: float) -> None:
        """Nothing."""

    def lag(self, topic: str, partition: int, records: int | None) -> None:
        """Nothing."""

    def tasks(self, running: int, restoring: int) -> None:
        """Nothing."""

    def rebalanced(self) -> None:
        """Nothing."""

    def dead_letters(self, topic: str, reason: str, count: int = 1) -> None:
        """Nothing."""
