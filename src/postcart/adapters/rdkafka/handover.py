"""The bounded queue between the polling thread and the event loop.

Owns: handing batches over and counting what waits. Must not: touch the consumer.
"""

import asyncio
import threading
from collections import deque

from postcart.adapters.rdkafka.batch import RecordBatch


class HandOver:
    """Batches on their way; one thread puts, one event loop takes.

    Args:
        loop: Where ``take`` is awaited.
        capacity: Number of records from which ``full`` says so. A single put may exceed it by one poll.
        batch_records: Most records that one poll is to return, to begin with.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, capacity: int, batch_records: int) -> None:
        self._loop = loop
        self._capacity = capacity
        self.batch_records = batch_records
        """As the loop's side would have it now."""
        self._batches: deque[RecordBatch] = deque()
        self._records = 0
        self._guard = threading.Lock()
        self._filled = asyncio.Event()
        self._room = threading.Event()

    @property
    def full(self) -> bool:
        """Whether the polling thread should wait."""
        return self._records >= self._capacity

    @property
    def records(self) -> int:
        """Records waiting, now."""
        return self._records

    def put(self, batches: list[RecordBatch]) -> None:
        """Add batches, on the polling thread. Never blocks."""
        with self._guard:
            self._batches.extend(batches)
            self._records += sum(len(batch.records) for batch in batches)
            self._room.clear()
        self._loop.call_soon_threadsafe(self._filled.set)

    def wait_for_room(self, seconds: float) -> None:
        """Wait on the polling thread until something was taken, at most ``seconds``."""
        self._room.wait(seconds)

    async def take(self) -> RecordBatch:
        """Next batch; waits for one. One caller at a time."""
        while True:
            with self._guard:
                if self._batches:
                    batch = self._batches.popleft()
                    self._records -= len(batch.records)
                    if not self.full:
                        self._room.set()
                    return batch
                self._filled.clear()
            await self._filled.wait()
