"""Brings tasks back to life, one partition after the other, in the background.

Owns: the order of a restore: stable committed offsets, then the changelog's high watermark, read up to that, then
run. In another order a predecessor's last transaction could be counted twice or not at all. Must not: decode rows.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator

import structlog

from postcart.adapters.changelog import ChangelogReader, Rows
from postcart.adapters.rdkafka.lane import Lane
from postcart.adapters.rdkafka.offsets import Offsets
from postcart.adapters.rdkafka.settings import Config
from postcart.adapters.rdkafka.trouble import no_position
from postcart.processors.engine.metrics import EngineMetrics
from postcart.processors.engine.slot import Slot
from postcart.processors.engine.task import StageSpec

log = structlog.get_logger(__name__)

_SAY_EVERY_S = 2.0


class Restorer:
    """Restores slots in the order in which they became complete.

    Args:
        spec: The stage.
        offsets: Asked for positions and watermarks.
        reader_config: Of the changelog's consumer.
        ready: Called when a slot may run, with its start positions.
        metrics: Told of progress.
    """

    def __init__(
        self,
        spec: StageSpec,
        *,
        offsets: Offsets,
        reader_config: Config,
        ready: Callable[[Slot, dict[str, int]], Awaitable[None]],
        metrics: EngineMetrics,
    ) -> None:
        self._spec = spec
        self._offsets = offsets
        self._config = reader_config
        self._ready = ready
        self._metrics = metrics
        self._waiting: asyncio.Queue[Slot] = asyncio.Queue()
        self._lane = Lane("changelog-reader")
        self.on_restored: Callable[[], None] = lambda: None
        """Called whenever all that was to be restored has been."""

    def add(self, slot: Slot) -> None:
        """Restore this slot when its turn comes."""
        slot.restoring(self._spec.task(slot.number))
        self._waiting.put_nowait(slot)

    async def run(self) -> None:
        """Restore whatever is added, until cancelled. An error means that the process must end."""
        reader = await self._lane.run(ChangelogReader, self._spec.changelog, self._config)
        try:
            while True:
                await self._restore(await self._waiting.get(), reader)
                if self._waiting.empty():
                    self.on_restored()
        finally:
            self._lane.run(reader.close)

    def stop(self) -> None:
        """Let go of the thread."""
        self._lane.close()

    async def _restore(self, slot: Slot, reader: ChangelogReader) -> None:
        if slot.phase == "closed":
            return
        began = time.monotonic()
        topics = self._spec.inputs
        committed = await self._offsets.committed(self._spec.group, [(topic, slot.number) for topic in topics])
        positions: dict[str, int] = {}
        for (topic, partition), position in committed.items():
            if position is None:
                raise no_position(topic, partition, self._spec.group)
            positions[topic] = position
        end = await self._offsets.end(self._spec.changelog, slot.number)
        if not self._closed(slot):
            self._metrics.restoring(slot.number, 0, end)
        rows = await self._read(slot, reader, end)
        if self._closed(slot):
            log.info("restore_given_up", partition=slot.number)
            return
        slot.task.restored()
        slot.crashes.restored()
        seconds = time.monotonic() - began
        log.info("restored", partition=slot.number, rows=rows, seconds=round(seconds, 3))
        self._metrics.restored(slot.number, rows, seconds)
        await self._ready(slot, positions)

    def _closed(self, slot: Slot) -> bool:
        return slot.phase == "closed"

    async def _read(self, slot: Slot, reader: ChangelogReader, end: int) -> int:
        """Feed the task; returns the number of rows. Ends early if the slot is closed meanwhile."""
        chunks: Iterator[tuple[Rows, int]] = reader.read(slot.number, end=end)
        count, said_at = 0, time.monotonic()
        while (chunk := await self._lane.run(next, chunks, None)) is not None:
            if slot.phase == "closed":
                await self._lane.run(reader.reset)
                break
            rows, position = chunk
            if rows:
                slot.task.restore(slot.crashes.restore(rows))
            count += len(rows)
            self._metrics.restoring(slot.number, position, end)
            if (now := time.monotonic()) - said_at > _SAY_EVERY_S:
                said_at = now
                log.info("restoring", partition=slot.number, position=position, end=end, rows=count)
        return count
