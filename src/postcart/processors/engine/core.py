"""Runs a stage's tasks: hands batches in, commits what comes out, follows the group's assignments.

Owns: when a task is called and when a transaction is due. Must not: block the event loop; know what a stage decides.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from postcart.adapters.rdkafka.batch import RecordBatch
from postcart.adapters.rdkafka.listener import TopicPartition
from postcart.adapters.rdkafka.offsets import Offsets
from postcart.adapters.rdkafka.poller import Poller
from postcart.adapters.rdkafka.transaction import Transactor
from postcart.errors import Fenced, PostcartError
from postcart.processors.engine.folding import Folding
from postcart.processors.engine.health import Health
from postcart.processors.engine.lookout import Lookout, unread
from postcart.processors.engine.metrics import EngineMetrics
from postcart.processors.engine.preflight import check_topics
from postcart.processors.engine.restorer import Restorer
from postcart.processors.engine.roster import Roster
from postcart.processors.engine.schedule import CommitSchedule
from postcart.processors.engine.settings import EngineSettings
from postcart.processors.engine.slot import Slot
from postcart.processors.engine.task import Clock, StageSpec
from postcart.processors.engine.writer import Writer

log = structlog.get_logger(__name__)


class Engine:
    """The shell around the tasks of one worker; also the listener of its poller.

    Everything here happens on one event loop. ``_turn`` is held while tasks are called and while a transaction is
    written: a task is never called between its drain and the commit of what it handed over.

    Args:
        spec: The stage.
        settings: Intervals and clients.
        clock: Wall time for the tasks.
        metrics: Told what happens.
        poller: Gives the poller once the app has subscribed.
    """

    def __init__(
        self,
        spec: StageSpec,
        settings: EngineSettings,
        *,
        clock: Clock,
        metrics: EngineMetrics,
        poller: Callable[[], Poller | None],
    ) -> None:
        self.spec = spec
        self.health = Health()
        self.ended = asyncio.Event()
        """Set when the engine has failed; ``health.failure`` says why."""
        self.checked = asyncio.Event()
        """Set when topics were found to be as they must."""
        self._settings = settings
        self._metrics = metrics
        self._find_poller = poller
        client_id = f"{spec.group}.{settings.worker}"
        self._offsets = Offsets(settings.clients, client_id=f"{client_id}.admin")
        self._writer = Writer(
            spec,
            transactor=lambda lenience: Transactor(
                settings.clients, client_id=client_id, transactional_id=client_id, lenience=lenience
            ),
            poller=self._poller,
            offsets=self._offsets,
            attempts=settings.commit_attempts,
            metrics=metrics,
        )
        self._restorer = Restorer(
            spec,
            offsets=self._offsets,
            reader_config=settings.clients.reader(f"{client_id}.restore"),
            ready=self._run,
            metrics=metrics,
        )
        self._lookout = Lookout(settings, offsets=self._offsets, clock=clock, metrics=metrics, seek=self._seek)
        self._roster = Roster(spec.inputs)
        self._turn = asyncio.Lock()
        self._schedule = CommitSchedule(settings, time.monotonic())
        self._folding = Folding(spec, settings, clock=clock, metrics=metrics, schedule=self._schedule, seek=self._seek)
        self._asked_at = 0.0
        self._asking = False
        self._background: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Start the background work; call it on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._spawn(self._open_then_restore)
        self._spawn(self._keep_time)

    async def stop(self) -> None:
        """Let go of threads and timers. Partitions must have been given up before, or are abandoned uncommitted."""
        background = tuple(self._background)
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        self._writer.committer.stop()
        self._offsets.stop()
        self._restorer.stop()
        self._roster.close()

    def when_restored(self, call: Callable[[], None]) -> None:
        """Have this called whenever all that was to be restored has been."""
        self._restorer.on_restored = call

    def failed(self, error: BaseException) -> None:
        """End the process by this error; the first one counts. May be called on any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._fail, error)

    def _fail(self, error: BaseException) -> None:
        if self.health.failure is not None:
            return
        self.health.failure = error
        expected = isinstance(error, PostcartError)
        log.error(
            "engine_failed", code=getattr(error, "code", "bug"), error=str(error), exc_info=not expected and error
        )
        self._writer.committer.stop()
        poller = self._find_poller()
        if poller is not None:
            poller.abandon()
        self.ended.set()

    def _spawn(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        task = asyncio.create_task(self._guarded(work))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _guarded(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await work()  # made only here: a task may be cancelled before its first step
        except Exception as error:  # noqa: BLE001 -- a bug ends the process, and must be told
            self._fail(error)

    def _poller(self) -> Poller:
        poller = self._find_poller()
        if poller is None:
            raise Fenced("there is no polling thread")
        return poller

    async def take(self, batch: RecordBatch) -> None:
        """Fold a batch into its task, and commit if that is due. Turns away what does not start where it should."""
        async with self._turn:
            if self.health.failure is not None:
                return
            try:
                slot = self._roster.get(batch.partition)
                if slot is not None and slot.phase == "running":
                    await self._folding.fold(slot, batch)
                    self._poller().handover.batch_records = self._folding.pace.records
                if self._commit_due():
                    await self._commit()
            except Exception as error:  # noqa: BLE001 -- nothing may leave an agent: Faust would restart it
                self._fail(error)

    def _seek(self, slot: Slot, topic: str) -> None:
        tide = slot.tides[topic]
        tide.sought = True
        self._demand({(topic, slot.number): tide.position})

    def _demand(self, positions: dict[TopicPartition, int]) -> None:
        self._poller().start_at(positions).add_done_callback(self._on_sought)

    def _on_sought(self, future: Any) -> None:
        if future.cancelled() or self._poller().leaving:  # what was still to be started stays where it was committed
            return
        if (error := future.exception()) is not None:
            self.failed(error)

    def _commit_due(self) -> bool:
        return self._schedule.due(time.monotonic())

    async def _commit(self) -> None:
        """Write everything that the tasks have to hand over. ``_turn`` is held."""
        self._schedule.begin(time.monotonic())
        harvests = [harvest for slot in self._roster.running() if (harvest := slot.harvest()) is not None]
        if harvests:
            await self._writer.write(harvests)
            for harvest in harvests:
                harvest.slot.committed = harvest.positions
        self._schedule.done(time.monotonic())

    async def _keep_time(self) -> None:
        while True:
            await asyncio.sleep(self._settings.tick_ms / 1000)
            now = self.health.ticked_at = time.monotonic()
            self.health.watch(self._find_poller())
            if now - self._asked_at >= self._settings.watermark_interval_ms / 1000 and not self._asking:
                self._asked_at, self._asking = now, True
                self._spawn(self._look_around)
            if self._roster and self._commit_due() and not self._turn.locked():
                self._spawn(self._commit_in_silence)

    async def _commit_in_silence(self) -> None:
        async with self._turn:
            if self.health.failure is None and self._commit_due():
                await self._commit()

    async def _look_around(self) -> None:
        """Fetch high watermarks, so that idle partitions follow the clock; then let every task fire what is due."""
        try:
            running = self._roster.running()
            before, ends = await self._lookout.ask(running, self.spec.inputs)
            async with self._turn:
                for slot in running:
                    if slot.phase == "running" and self.health.failure is None:
                        self._lookout.take_note(slot, before, ends)
                        if self._folding.advance(slot):
                            self._asked_at = 0.0  # more is due than it looked at: go on at the next tick
                self._schedule.behind = unread(running) > self._settings.behind_records
            poller = self._find_poller()
            if poller is not None:
                await self._lookout.watch(self._roster, waiting=poller.handover.records)
        finally:
            self._asking = False

    async def assigned(self, partitions: frozenset[TopicPartition]) -> None:
        """Begin to restore every number that is now complete."""
        for slot in self._roster.own(partitions):
            self._restorer.add(slot)
        self._metrics.rebalanced()
        self._count()

    async def revoking(self, partitions: frozenset[TopicPartition]) -> None:
        """Commit what is open, then close the tasks of these numbers."""
        numbers = {number for _, number in partitions}
        async with self._turn:
            if self.health.failure is not None:
                return
            for slot in self._roster.running():
                if slot.number in numbers:
                    slot.crashes.leave()
            try:
                await self._commit()
            except Exception as error:  # noqa: BLE001 -- told to the process, which ends
                self._fail(error)
                return
            self._release(partitions)

    async def lost(self, partitions: frozenset[TopicPartition]) -> None:
        """Forget the tasks of these numbers: another member goes on from what was committed.

        What such a task had not yet handed over is dropped with its state. But a transaction under way that holds
        some of it can be neither repeated nor taken apart, so then the process ends.
        """
        numbers = {number for _, number in partitions}
        if any(harvest.slot.number in numbers for harvest in self._writer.writing):
            self._fail(Fenced("partitions were lost while a transaction that touched them was open"))
            return
        self._release(partitions)

    def _release(self, partitions: frozenset[TopicPartition]) -> None:
        if left := self._roster.release(partitions):
            self._poller().stop_reading(left)
        for topic, number in partitions:
            self._metrics.lag(topic, number, None)
        self._metrics.rebalanced()
        self._count()

    async def _run(self, slot: Slot, positions: dict[str, int]) -> None:
        """Begin to process; first of all what tells the next owner of a crash is written."""
        crashed = slot.crashes.count > 0
        until = {topic: await self._offsets.end(topic, slot.number) for topic in positions if crashed}
        async with self._turn:
            if slot.phase == "closed" or self.health.failure is not None:
                return
            slot.run(positions, time.monotonic(), until)
            self._asked_at = 0.0  # look at once how far its inputs reach
            await self._commit()
            self._demand({(topic, slot.number): position for topic, position in positions.items()})
        self._count()

    def _count(self) -> None:
        self.health.running = len(self._roster.running())
        self.health.restoring = len(self._roster) - self.health.running
        self._metrics.tasks(self.health.running, self.health.restoring)

    async def _open_then_restore(self) -> None:
        settings = self._settings
        self._writer.committer.forgetful_broker = await check_topics(
            self._offsets,
            (*self.spec.inputs, self.spec.changelog),
            bootstrap=settings.clients.bootstrap,
            within_s=settings.connect_within_ms / 1000,
        )
        self.checked.set()
        await self._writer.committer.open()
        await self._restorer.run()
