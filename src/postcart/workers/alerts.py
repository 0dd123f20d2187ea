"""``postcart worker alerts``: tells employees of trouble, in this process.

Owns: what a turn does. Must not: know what is news or where it goes, or build collaborators (the wiring
does).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Final

import structlog

from postcart.adapters.batch_consumer import BatchConsumer, Place, Resume
from postcart.adapters.rdkafka.batch import RecordBatch
from postcart.events.alerts import Alert
from postcart.senders.alerts import AlertDesk, Heard
from postcart.workers.loop import LoopHealth, run_until_told

log = structlog.get_logger(__name__)

_BATCH: Final = 2_000
_WAIT_S: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsConfig:
    """What the worker is given.

    Attributes:
        open_consumer: A member of the group that resumes where it is told.
        committed: Where the group's commits stand, of those partitions that have any; asked on the polling thread.
        read: The alerts of a batch, with their positions; what can't be read is left out, and counted by whoever does.
        close: Leaves the destinations.
    """

    desk: AlertDesk
    open_consumer: Callable[[Resume], BatchConsumer]
    committed: Callable[[Collection[Place]], Mapping[Place, int]]
    read: Callable[[RecordBatch], Sequence[tuple[int, Alert]]]
    close: Callable[[], Awaitable[None]]
    health: LoopHealth = field(default_factory=LoopHealth)


def run_alerts(config: AlertsConfig) -> int:
    """Run until SIGTERM, SIGINT or a failure; returns the exit code: 0, 75 (start again) or 78 (change something)."""
    return run_until_told(lambda stop: asyncio.run(_run(config, stop)), failed="alerts_failed")


async def _run(config: AlertsConfig, stop: Event) -> None:
    """Poll, hear, tell, commit; again and again. The loop has nothing else to do while a destination thinks."""

    def resume(places: Collection[Place]) -> Mapping[Place, int]:
        known = config.committed(places)
        config.desk.begin({place: known.get(place, 0) for place in places})
        return {}  # the topics hold all troubles: they are read from their beginning

    consumer = config.open_consumer(resume)
    try:
        while not stop.is_set():
            config.health.turns(ready=bool(consumer.positions))
            for batch in consumer.poll(_BATCH, _WAIT_S):
                for position, alert in config.read(batch):
                    config.desk.hear(Heard(alert, (batch.topic, batch.partition), position), time.monotonic())
                config.desk.read_up_to((batch.topic, batch.partition), batch.next)
            await config.desk.tell(time.monotonic(), consumer.positions.keys())
            consumer.show(config.desk.told_up_to())
    finally:
        consumer.close()
        await config.close()
