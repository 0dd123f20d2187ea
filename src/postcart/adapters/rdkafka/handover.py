"""The bounded queue between the polling thread and the event loop.

Owns: handing batches over, in which order and how large, and counting what waits. Must not: touch the consumer.
"""

import asyncio
import threading
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from postcart.adapters.rdkafka.batch import RecordBatch
from postcart.adapters.rdkafka.settings import ClientSettings

_OBJECTS: Final = 300
"""Bytes of a record besides its value: the message, its key, and what Python keeps for each."""


class HandOver:
    """Batches on their way; one thread puts, one event loop takes.

    Whichever partition number has waited longest has its turn: all of it that waits by then is taken, and what was
    polled bit by bit becomes one batch for each topic, which are folded together. The longer the queue, the more
    records of one key meet, and the fewer rows are touched; where nothing waits, what was polled is taken as it is.

    Args:
        loop: Where ``take`` is awaited.
        settings: How much may wait, in records and in memory: a record is its value and some more, for key and
            objects. A single put may exceed it by one poll. And how many are put together, to begin with.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, settings: ClientSettings) -> None:
        self._loop = loop
        self._settings = settings
        self.batch_records = settings.batch_records
        """As the loop's side would have it now."""
        self._waiting: dict[int, list[RecordBatch]] = {}
        """By partition number; the one that has waited longest first."""
        self._sizes: Counter[int] = Counter()
        self._turn: deque[RecordBatch] = deque()
        self._turn_bytes = 0
        self._records = self._bytes = 0
        self._guard = threading.Lock()
        self._filled = asyncio.Event()
        self._room = threading.Event()

    @property
    def full(self) -> bool:
        """Whether the polling thread should wait."""
        settings = self._settings
        return self._records >= settings.handover_records or self._bytes >= settings.handover_kbytes * 1024

    @property
    def poll_records(self) -> int:
        """Most records that the next poll is to return."""
        return min(self._settings.poll_records, self.batch_records)

    @property
    def records(self) -> int:
        """Records waiting, now."""
        return self._records

    def put(self, batches: list[RecordBatch]) -> None:
        """Add batches, on the polling thread. Never blocks."""
        sizes = [sum(map(len, batch.records)) + _OBJECTS * len(batch.records) for batch in batches]
        with self._guard:
            for batch, size in zip(batches, sizes, strict=True):
                self._waiting.setdefault(batch.partition, []).append(batch)
                self._sizes[batch.partition] += size
                self._records += len(batch.records)
                self._bytes += size
            self._room.clear()
        self._loop.call_soon_threadsafe(self._filled.set)

    def wait_for_room(self, seconds: float) -> None:
        """Wait on the polling thread until something was taken, at most ``seconds``."""
        self._room.wait(seconds)

    async def take(self) -> RecordBatch:
        """Next batch; waits for one. One caller at a time."""
        while True:
            with self._guard:
                if not self._turn and self._waiting:
                    longest = next(iter(self._waiting))
                    self._turn_bytes = self._sizes.pop(longest)
                    self._turn.extend(_groups(self._waiting.pop(longest), self.batch_records))
                if self._turn:
                    return self._next_of_turn()
                self._filled.clear()
            await self._filled.wait()

    def _next_of_turn(self) -> RecordBatch:
        """Its size is told by its share of the turn's records: each was looked at once, as it was put."""
        left = sum(len(batch.records) for batch in self._turn)
        batch = self._turn.popleft()
        count = len(batch.records)
        size = self._turn_bytes * count // max(left, 1) if self._turn else self._turn_bytes
        self._turn_bytes -= size
        self._bytes -= size
        self._records -= count
        if not self.full:
            self._room.set()
        return batch


def _groups(batches: Iterable[RecordBatch], most: int) -> Iterator[RecordBatch]:
    """A turn's batches, in groups of at most so many records. In each those of a topic are put together."""
    group: list[RecordBatch] = []
    count = 0
    for batch in batches:
        if group and count + len(batch.records) > most:
            yield from _together(group)
            group, count = [], 0
        group.append(batch)
        count += len(batch.records)
    yield from _together(group)


def _together(group: Iterable[RecordBatch]) -> Iterator[RecordBatch]:
    """Where a batch goes on where the other of its topic ended, both become one; all but the last say "more"."""
    runs: list[list[RecordBatch]] = []
    latest: dict[str, list[RecordBatch]] = {}
    for batch in group:
        run = latest.get(batch.topic)
        if run and run[-1].next == batch.start:
            run.append(batch)
        else:
            latest[batch.topic] = [batch]
            runs.append(latest[batch.topic])
    for run in runs:
        records = run[0].records if len(run) == 1 else [record for batch in run for record in batch.records]
        yield replace(run[0], records=records, next=run[-1].next, more=run is not runs[-1])
