"""A sender, put together and run.

Owns: start, end and the tasks in between. Must not: know a channel.
"""

import asyncio
import contextlib
import time
from dataclasses import replace

import structlog

from postcart.adapters.rdkafka.offsets import Offsets
from postcart.adapters.rdkafka.poller import Poller
from postcart.adapters.rdkafka.transaction import Transactor
from postcart.errors import BrokerUnavailable, Fenced
from postcart.senders.config import SenderConfig
from postcart.senders.cycle import Cycle
from postcart.senders.dispatch import Dispatcher
from postcart.senders.elapsed import elapsed_s
from postcart.senders.gate_reader import GateReader
from postcart.senders.intake import Intake
from postcart.senders.ledger import Ledger
from postcart.senders.ownership import Ownership
from postcart.senders.restore import Restorer
from postcart.senders.state import SenderState
from postcart.senders.table_reader import TableReader
from postcart.senders.throttle import Throttle
from postcart.senders.watchdog import Watchdog

log = structlog.get_logger(__name__)

_CONNECT_S = 30.0
_PULSE_S = 0.5
_LAST_WORD_S = 1.0
_TABLES_EVERY_S = {False: 2.0, True: 0.25}
"""How often, in live operation and in a replay, copies are proven fresh: 10 s old is too old, and in a replay a job
waits for what was there when it was read."""
_QUEUED_KBYTES = 8 * 1024
_BATCH_RECORDS = 500
_HANDOVER_RECORDS = 2000
"""Smaller than a stage's: a sender is never bound by fetching, but keeps what it has fetched in memory."""


class Sender:
    """One sender of one channel; make and run it on the same event loop.

    Args:
        config: All that it needs.
    """

    def __init__(self, config: SenderConfig) -> None:
        client = replace(
            config.client,
            queued_kbytes=_QUEUED_KBYTES,
            batch_records=_BATCH_RECORDS,
            handover_records=_HANDOVER_RECORDS,
        )
        config = self._config = replace(config, client=client)
        name = f"{config.group}.{config.worker_name}"
        topics = config.topics
        self._state = SenderState(config)
        self._offsets = Offsets(client, client_id=f"{name}.offsets")
        self._gates = GateReader(
            client,
            client_id=f"{name}.gate",
            gate=topics.gate,
            keys=topics.keys,
            offsets=self._offsets,
            failed=self._thread_failed,
        )
        self._tables = TableReader(
            client,
            client_id=f"{name}.tables",
            tables={topics.catalog: self._state.tables.catalogue, topics.suppressions: self._state.tables.suppressions},
            proof=self._state.tables.proof,
            offsets=self._offsets,
            every_s=_TABLES_EVERY_S[config.clock.is_replay],
            failed=self._thread_failed,
        )
        self._restorer = Restorer(config, offsets=self._offsets, gates=self._gates)
        self._ownership = Ownership(config, self._state, restorer=self._restorer, gates=self._gates)
        self._poller = self._ownership.poller = Poller(
            client,
            client_id=name,
            consumer_group=config.group,
            topics=topics.jobs,
            listener=self._ownership,
            loop=asyncio.get_running_loop(),
        )
        self._ledger = Ledger(
            lambda lenience: Transactor(client, client_id=f"{name}.ledger", transactional_id=name, lenience=lenience),
            marks=lambda partitions: self._offsets.marks(config.group, partitions),
            poller=lambda: self._poller,
            metrics=config.metrics,
        )
        self._dispatcher = Dispatcher(config)
        throttle = Throttle(config, self._state, self._poller)
        self._cycle = Cycle(config, self._state, ledger=self._ledger, dispatcher=self._dispatcher, throttle=throttle)
        self._watchdog = Watchdog(config, self._state, offsets=self._offsets)
        self._intake = Intake(config, self._state, poller=self._poller, throttle=throttle)

    async def run(self, stop: asyncio.Event) -> BaseException | None:
        """Work until ``stop`` is set, then leave politely; or until something fails.

        Returns:
            The failure: the process must end by it, at once, for other threads may hang in a call to the broker.
        """
        loop = asyncio.get_running_loop()
        forgetful = await self._check_topics()
        self._restorer.forgetful_broker = self._ledger.committer.forgetful_broker = forgetful
        await self._ledger.committer.open()
        self._gates.start()
        self._tables.start()
        self._poller.start()
        tasks = [
            loop.create_task(work, name=name)
            for name, work in (
                ("intake", self._intake.run()),
                ("cycle", self._cycle.run()),
                ("gate-watch", self._gates.watch()),
                ("table-watch", self._tables.watch()),
                ("watchdog", self._watchdog.run()),
                ("pulse", self._pulse()),
            )
        ]
        for task in tasks:
            task.add_done_callback(self._ended)
        stopping, failed = loop.create_task(stop.wait()), loop.create_task(self._state.failed())
        await asyncio.wait([stopping, failed], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        failed.cancel()
        if not self._state.failure.done():
            await self._leave()
        await self._close(tasks)
        return self._state.failure.result() if self._state.failure.done() else None

    async def _check_topics(self) -> bool:
        """Check the topics, waiting for a broker for a while; returns whether it is the mock one.

        Raises:
            TopologyError: Topics are missing or don't fit together.
            BrokerUnavailable: None answers.
        """
        topics, client = self._config.topics, self._config.client
        give_up_s = elapsed_s() + _CONNECT_S
        while True:
            try:
                return await asyncio.to_thread(
                    self._offsets.check,
                    (*topics.jobs, topics.gate, topics.keys, topics.claims, topics.receipts, topics.decisions),
                )
            except BrokerUnavailable as error:
                if elapsed_s() > give_up_s:
                    raise BrokerUnavailable(
                        f"no Kafka broker answers at {client.bootstrap}: is it running, and is the address right?"
                    ) from error
                log.warning("broker_unreachable", bootstrap=client.bootstrap)

    async def _pulse(self) -> None:
        """Show that the loop turns and how things stand, also while the broker is away."""
        health = self._config.health
        while True:
            health.ticked_s = elapsed_s()
            health.polled_s = elapsed_s() - (time.monotonic() - self._poller.polled_at)
            health.ready_now = self._ownership.ready
            health.failed = self._state.failure.done()
            await asyncio.sleep(_PULSE_S)

    async def _leave(self) -> None:
        """Drain, commit, leave the group."""
        log.info("sender_leaves", channel=self._config.adapter.channel)
        self._poller.close()
        loop = asyncio.get_running_loop()
        ended, failed = loop.create_task(self._poller.ended()), loop.create_task(self._state.failed())
        await asyncio.wait([ended, failed], timeout=self._config.limits.leave_s, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            self._state.fail(Fenced("leaving took too long"))
        ended.cancel()
        failed.cancel()

    async def _close(self, tasks: list[asyncio.Task[None]]) -> None:
        self._poller.abandon()
        self._ledger.committer.stop()
        self._offsets.stop()
        self._restorer.stop()
        self._dispatcher.stop()
        for task in tasks:
            task.cancel()
        if self._state.failure.done():  # the process is to end at once: nothing that takes time, but for a last word
            with contextlib.suppress(TimeoutError):  # without which its partitions would wait for the session's end
                async with asyncio.timeout(_LAST_WORD_S):
                    await self._poller.ended()
            return
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._gates.stop()
        await self._tables.stop()
        await self._config.adapter.close()

    def _thread_failed(self, error: BaseException) -> None:
        self._ownership.failed(error)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._state.fail(error)
