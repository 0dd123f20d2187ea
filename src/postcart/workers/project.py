"""``postcart worker project``: keeps the read model up to date, in this process.

Owns: what a turn does, and waiting for a database that is away. Must not: know what is stored, or build
collaborators (the wiring does).
"""

import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Event, Thread

import structlog

from postcart.adapters.batch_consumer import BatchConsumer, Resume
from postcart.adapters.rdkafka.batch import RecordBatch
from postcart.adapters.read_model import Place, ReadModel, Standing
from postcart.errors import BrokerUnavailable, ReadModelUnavailable
from postcart.events.feed import KEPT_MS
from postcart.processors.accounting import Accounting, Glimpse
from postcart.processors.projection import Projection
from postcart.workers.loop import LoopHealth, run_until_told

log = structlog.get_logger(__name__)

_BATCH = 5_000
_WAIT_S = 0.1
_LOOK_EVERY_S = 0.5
_AGAIN_S = 1.0
"""Between two tries to reach the database."""
_FORGET_EVERY_S = 3_600.0
_JOINS_S = 30.0
"""After that a worker is ready without partitions, too: others have them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectConfig:
    """What the worker is given.

    Attributes:
        open_store: A connection to the read model, migrated.
        open_consumer: A member of the group that resumes where it is told.
        glimpse: Asks Kafka; called every ``glimpse_every_s`` on a thread of its own.
        kept_from_ms: From when on facts are kept, at the moment of asking.
        on_look: Told now and then how the accounts stand, which partitions are owned, how far all have been applied.
        now_ms: Real time.
    """

    projection: Projection
    open_store: Callable[[], ReadModel]
    open_consumer: Callable[[Resume], BatchConsumer]
    glimpse: Callable[[], Glimpse]
    glimpse_every_s: float
    kept_from_ms: Callable[[], int]
    on_look: Callable[[Accounting, Collection[Place], Mapping[Place, Standing]], None]
    now_ms: Callable[[], int]
    health: LoopHealth = field(default_factory=LoopHealth)


def run_projection(config: ProjectConfig) -> int:
    """Run until SIGTERM, SIGINT or a failure; returns the exit code: 0, 75 (start again) or 78 (change something)."""
    return run_until_told(lambda stop: Projector(config).run(stop), failed="projection_failed")


class Projector:
    """Polls, stores, shows; again and again."""

    def __init__(self, config: ProjectConfig) -> None:
        self._config = config
        self._store = config.open_store()
        self._accounting = Accounting()
        self._glimpses: SimpleQueue[Glimpse | Exception] = SimpleQueue()
        self._began_s = time.monotonic()
        self._look_due_s = 0.0
        self._forget_due_s = 0.0

    def run(self, stop: Event) -> None:
        """Go on until ``stop`` is set.

        Raises:
            PostcartError: Kafka says that this can't go on.
        """
        watcher = Thread(target=self._watch, args=(stop,), name="glimpses", daemon=True)
        watcher.start()
        consumer = self._config.open_consumer(lambda places: self._config.projection.resume(self._store, places))
        try:
            while not stop.is_set():
                try:
                    self._round(consumer)
                except ReadModelUnavailable as error:
                    self._outlast(consumer, stop, error)
        finally:
            consumer.close()
            self._store.close()

    def _round(self, consumer: BatchConsumer) -> None:
        config, now_s = self._config, time.monotonic()
        config.health.turns(ready=bool(consumer.positions) or now_s - self._began_s > _JOINS_S)
        batches = consumer.poll(_BATCH, _WAIT_S)
        if batches:
            self._apply(consumer, batches)
        if now_s >= self._look_due_s:
            self._look_due_s = now_s + _LOOK_EVERY_S
            self._look(consumer)
        if now_s >= self._forget_due_s:
            self._forget_due_s = now_s + _FORGET_EVERY_S
            forgotten = self._store.forget(config.kept_from_ms())
            items = self._store.forget_items(config.now_ms() - KEPT_MS)
            if forgotten or items:
                log.info("forgotten", facts=forgotten, items=items)

    def _apply(self, consumer: BatchConsumer, batches: list[RecordBatch]) -> None:
        elsewhere = self._config.projection.apply(self._store, batches, now_ms=self._config.now_ms())
        if elsewhere:
            self._send_to(consumer, elsewhere)
        else:
            consumer.show({(batch.topic, batch.partition): batch.next for batch in batches})

    def _send_to(self, consumer: BatchConsumer, positions: Mapping[Place, int | None]) -> None:
        """Read on where the read model stands: another worker was faster, or it is being rebuilt."""
        if positions:
            log.info("projection_outrun", partitions=len(positions))
            consumer.go_on_at(positions)

    def _look(self, consumer: BatchConsumer) -> None:
        with suppress(Empty):
            while True:
                latest = self._glimpses.get_nowait()
                if isinstance(latest, Exception):
                    raise latest
                self._accounting.take(latest)
        standings = self._store.standings()
        self._send_to(consumer, self._config.projection.astray(standings, consumer.positions.keys()))
        self._accounting.look(self._store, consumer.positions)
        self._config.on_look(self._accounting, consumer.positions.keys(), standings)

    def _watch(self, stop: Event) -> None:
        """On its own thread: what is asked of Kafka may take long while it is away."""
        while not stop.is_set():
            try:
                self._glimpses.put(self._config.glimpse())
            except BrokerUnavailable as error:
                log.warning("ends_unknown", detail=str(error))
            except Exception as error:  # noqa: BLE001 -- a bug must end the process, not only this thread
                self._glimpses.put(error)
            stop.wait(self._config.glimpse_every_s)

    def _outlast(self, consumer: BatchConsumer, stop: Event, error: ReadModelUnavailable) -> None:
        """Wait for the database, as a member of the group that fetches nothing; then go on where it says."""
        log.warning("read_model_away", detail=str(error))
        self._config.health.ready_now = False
        consumer.hold()
        while not stop.is_set():
            self._config.health.ticked_s = time.monotonic()
            try:
                consumer.poll(1, _AGAIN_S)  # what it returns is read again
                consumer.hold()
                self._store.close()
                self._store = self._config.open_store()
                owned = list(consumer.positions)
                known = self._config.projection.resume(self._store, owned)
            except ReadModelUnavailable:
                continue
            consumer.go_on_at({place: known.get(place) for place in owned})
            consumer.release()
            log.info("read_model_back")
            return
