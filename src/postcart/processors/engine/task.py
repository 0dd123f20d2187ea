"""The contract between a stage and the engine that runs it.

Owns: the shapes that cross that line. Must not: do anything.

A stage knows no Kafka beyond the records it is handed: the engine calls its tasks, one per partition number, writes
what they hand back in one transaction with the offsets, and rebuilds them from the changelog when they move.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from postcart.adapters.rdkafka.batch import RecordBatch

__all__ = ["Clock", "Effects", "Idle", "Output", "RecordBatch", "Row", "StageSpec", "Task"]

Row = tuple[bytes, bytes | None]
"""Key and encoded row of the changelog; ``None`` is a tombstone."""


class Output(NamedTuple):
    """One record to produce."""

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int | None = None
    """``None``: by murmur2 of the key, as every producer of this system partitions."""
    headers: tuple[tuple[str, bytes], ...] = ()


class Effects(NamedTuple):
    """What a task wants written since it was last asked."""

    outputs: list[Output]
    rows: list[Row]
    """Each changed row once, as it is now; written to the changelog on the task's partition number."""


class Idle(NamedTuple):
    """An input that was read to a high watermark: what the clocks read before that was asked for."""

    clock_ms: int
    """The worker's clock: nothing that was appended before it showed this is unread."""
    asked_ms: int
    """Real wall time: nothing that was appended before this is unread, however much later the answer is used."""


class Clock(Protocol):
    """Wall time as the worker sees it: the machine's, faster, or a replay's."""

    def now_ms(self) -> int | None:
        """Milliseconds since the epoch, UTC; ``None`` while a replay has not told the time yet."""
        ...

    def real_ms(self) -> int:
        """Real wall time, milliseconds since the epoch, UTC."""
        ...


class Task(Protocol):
    """State and logic of one partition number of one stage.

    Called on the event-loop thread only; never awaits and does no I/O. An exception is a bug and ends the process.
    The order of calls is ``restore`` (any number of times), ``restored``, then ``process``, ``advance``, ``pending``
    and ``drain`` in any order, and ``close`` at any time, once.
    """

    def restore(self, rows: Sequence[Row]) -> None:
        """Take some thousand changelog records, in order; a later record of a key replaces the earlier.

        Keys that begin with ``!engine`` are the engine's own, and not among them.
        """
        ...

    def restored(self) -> None:
        """Take note that the changelog has been read to its end: build indexes."""
        ...

    def process(self, batch: RecordBatch) -> None:
        """Decode a batch; bad records become dead-letter outputs, never exceptions.

        It is folded now, or with others by the next call of ``advance`` or ``drain``.
        """
        ...

    def advance(self, idle: Mapping[str, Idle], now_ms: int | None) -> bool:
        """Fire what is due. Called after each batch that no other follows at once, and at least once a second.

        Args:
            idle: By input topic. The clocks were read *before* a high watermark of that topic's partition was fetched,
                and the task has since processed up to that watermark. While no newer watermark can be had the former
                stays, with its times. Topics with unread records are absent; all are while the clock is unknown.
            now_ms: The clock now, in milliseconds; ``None`` while unknown.

        Returns:
            Whether more is due than was looked at: then it is called again soon, also if nothing arrives.
        """
        ...

    def pending(self) -> bool:
        """Whether ``drain`` would return outputs (changed rows alone don't count): makes the transaction urgent."""
        ...

    def drain(self) -> Effects:
        """Encode and hand over what is to be written since the last drain, and forget it: all that was processed.

        Called once per transaction, just before the commit. The engine keeps the result until it is committed, so
        that rows are encoded once per transaction; the next call comes only after that commit succeeded.
        """
        ...

    def close(self) -> None:
        """Free memory and drop metric series: the partition went elsewhere. Nothing more is called."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSpec:
    """What the engine must know about a stage."""

    name: str
    """As in ``postcart worker NAME``; also part of the transactional id."""
    inputs: tuple[str, ...]
    """Topic names; all have the same partition count and key."""
    changelog: str
    """Compacted topic with that partition count."""
    task: Callable[[int], Task]
    """Makes the task of one partition number."""
    group: str
    """Consumer group."""
    dead: str | None = None
    """Topic for records that kill the process; without it they go on doing so."""
