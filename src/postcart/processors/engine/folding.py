"""Hands batches to tasks, and sets records aside that kill the process.

Owns: what happens to a batch from its arrival until it waits for a commit. Must not: commit, or seek by itself.
"""

import time
from collections.abc import Callable
from dataclasses import replace

import structlog
from confluent_kafka import Message

from postcart.adapters.changelog import offset_of
from postcart.adapters.rdkafka.batch import RecordBatch
from postcart.processors.engine.metrics import EngineMetrics
from postcart.processors.engine.pace import Pace
from postcart.processors.engine.quarantine import REASON, first_killer, letter
from postcart.processors.engine.rehearsal import cause_of_death
from postcart.processors.engine.schedule import CommitSchedule
from postcart.processors.engine.settings import EngineSettings
from postcart.processors.engine.slot import Slot
from postcart.processors.engine.task import Clock, StageSpec

log = structlog.get_logger(__name__)


class Folding:
    """Folds batches into slots that run. Everything is called with the engine's turn held.

    Args:
        spec: The stage.
        settings: How long a batch may take.
        clock: For the tasks.
        metrics: Told of records.
        schedule: Told of outputs.
        seek: Seeks an input of a slot to its position.
    """

    def __init__(
        self,
        spec: StageSpec,
        settings: EngineSettings,
        *,
        clock: Clock,
        metrics: EngineMetrics,
        schedule: CommitSchedule,
        seek: Callable[[Slot, str], None],
    ) -> None:
        self._spec = spec
        self.pace = Pace(settings.batch_ms / 1000, most=settings.clients.batch_records)
        """How many records a batch may have."""
        self._folded, self._spent_s = 0, 0.0
        self._clock = clock
        self._metrics = metrics
        self._schedule = schedule
        self._seek = seek

    async def fold(self, slot: Slot, batch: RecordBatch) -> None:
        """Have a batch processed. Turns away what does not start where it should."""
        began = time.monotonic()
        tide = slot.tides[batch.topic]
        if batch.start != tide.position:
            if not tide.sought:
                log.info("seek", topic=batch.topic, partition=batch.partition, at=batch.start, to=tide.position)
                self._seek(slot, batch.topic)
            return
        if batch.records:
            self._metrics.consumed(batch.topic, len(batch.records))
            if slot.crashes.suspicious and self._spec.dead is not None:
                batch = await self._without_killers(slot, batch, self._spec.dead)
            if batch.records:
                slot.task.process(batch)
        tide.move(batch.next, time.monotonic())
        self._folded += len(batch.records)
        if batch.more:
            self._spent_s += time.monotonic() - began
            return
        self.advance(slot)
        self.pace.took(self._folded, self._spent_s + time.monotonic() - began)
        self._folded, self._spent_s = 0, 0.0

    def advance(self, slot: Slot) -> bool:
        """Let a slot's task fire what is due; whether more is."""
        more = slot.advance(self._clock.now_ms())
        slot.crashes.processed(slot.positions())
        if slot.letters or slot.task.pending():
            self._schedule.outputs_wait(time.monotonic())
        return more

    async def _without_killers(self, slot: Slot, batch: RecordBatch, dead: str) -> RecordBatch:
        """Set aside each record that ends the process; returns what can be processed and has not been yet."""

        def rehearse(count: int) -> None:
            slot.task.process(_first(batch, count))
            slot.advance(self._clock.now_ms())
            slot.task.drain()

        while batch.records:
            found = await first_killer(len(batch.records), lambda count: cause_of_death(lambda: rehearse(count)))
            if found is None:
                return batch
            place, cause = found
            if place:
                slot.task.process(_first(batch, place))
            self._set_aside(slot, batch.records[place], cause, dead)
            batch = _after(batch, place)
        return batch

    def _set_aside(self, slot: Slot, record: Message, cause: str, dead: str) -> None:
        slot.letters.append(letter(record, cause, crashes=slot.crashes.count, stage=self._spec.name, topic=dead))
        self._metrics.dead_letters(record.topic() or "", REASON)
        log.error(
            "record_quarantined",
            topic=record.topic(),
            partition=record.partition(),
            offset=record.offset(),
            cause=cause,
            crashes=slot.crashes.count,
        )


def _first(batch: RecordBatch, count: int) -> RecordBatch:
    """Its first records."""
    records = batch.records[:count]
    return replace(batch, records=records, next=offset_of(records[-1]) + 1)


def _after(batch: RecordBatch, place: int) -> RecordBatch:
    """What follows on one of its records."""
    return replace(batch, start=offset_of(batch.records[place]) + 1, records=batch.records[place + 1 :])
