"""``postcart worker poll``: asks carriers that push nothing, in this process.

Owns: what a turn does. Must not: know whom to ask, or build collaborators (the wiring does).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Final

import structlog

from postcart.adapters.batch_consumer import BatchConsumer, Resume
from postcart.adapters.rdkafka.batch import RecordBatch
from postcart.senders.poll_queue import Question
from postcart.senders.polls import PollDesk
from postcart.workers.loop import LoopHealth, run_until_told

log = structlog.get_logger(__name__)

_BATCH: Final = 500
_WAIT_S: Final = 0.2
_STEP_S: Final = 0.1
_COMMIT_EVERY_S: Final = 1.0
_HELD_MOST: Final = 5_000
"""Questions; more stay on Kafka."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PollWorkerConfig:
    """What the worker is given.

    Attributes:
        open_consumer: A member of the group that resumes where it is told.
        committed: Where the group's commits stand; asked on the polling thread.
        read: The questions of a batch; what can't be read is a dead letter by then.
        close: Leaves the sources.
        now_ms: Real time.
        check: Raises if the process can't go on.
    """

    desk: PollDesk
    open_consumer: Callable[[Resume], BatchConsumer]
    committed: Resume
    read: Callable[[RecordBatch], Sequence[Question]]
    close: Callable[[], Awaitable[None]]
    now_ms: Callable[[], int]
    check: Callable[[], None]
    health: LoopHealth = field(default_factory=LoopHealth)


def run_poll(config: PollWorkerConfig) -> int:
    """Run until SIGTERM, SIGINT or a failure; returns the exit code: 0, 75 (start again) or 78 (change something).

    On a signal: no new questions; answers under way are waited for, each within its time, and written.
    """
    return run_until_told(lambda stop: asyncio.run(_run(config, stop)), failed="poll_failed")


async def _run(config: PollWorkerConfig, stop: Event) -> None:
    desk, consumer = config.desk, config.open_consumer(config.committed)
    held, commit_s = False, 0.0
    try:
        while not stop.is_set():
            config.health.turns(ready=bool(consumer.positions))
            config.check()
            held = _regulate(consumer, len(desk.queue), held=held)
            _take_in(config, consumer)
            desk.start(config.now_ms())
            await desk.settle(_STEP_S)
            if time.monotonic() >= commit_s:
                commit_s = time.monotonic() + _COMMIT_EVERY_S
                consumer.show(desk.queue.handled_up_to())
        await desk.settle(None)
        consumer.show(desk.queue.handled_up_to())
    finally:
        consumer.close()
        await config.close()


def _take_in(config: PollWorkerConfig, consumer: BatchConsumer) -> None:
    """Answers are waited for in the same loop: while any is due, nothing else is."""
    desk = config.desk
    batches = consumer.poll(_BATCH, 0.0 if desk.busy else _WAIT_S)
    desk.queue.own(consumer.positions.keys())
    now_ms = config.now_ms()
    for batch in batches:
        for question in config.read(batch):
            desk.take(question, now_ms)
        desk.queue.read_up_to((batch.topic, batch.partition), batch.next)


def _regulate(consumer: BatchConsumer, count: int, *, held: bool) -> bool:
    """Whether nothing more is fetched for now."""
    if not held and count >= _HELD_MOST:
        consumer.hold()
        return True
    if held and count <= _HELD_MOST // 2:
        consumer.release()
        return False
    return held
