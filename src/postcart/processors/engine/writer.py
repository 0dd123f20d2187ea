"""Writes what tasks handed over, with their offsets, in one transaction; again if a rebalance aborted it.

Owns: repetition and fencing of transactions. Must not: touch a task.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import structlog
from confluent_kafka import TopicPartition

from postcart.adapters.rdkafka.poller import Poller
from postcart.adapters.rdkafka.transaction import Record, TransactionAborted, Transactor
from postcart.errors import Fenced
from postcart.processors.engine.metrics import EngineMetrics
from postcart.processors.engine.slot import Harvest, offsets_of

log = structlog.get_logger(__name__)

_AGAIN_S = 0.1  # the member epoch that made a commit fail reaches the client with its next heartbeat's answer
_REBALANCE = frozenset({"ILLEGAL_GENERATION", "REBALANCE_IN_PROGRESS", "STALE_MEMBER_EPOCH"})


class Writer:
    """Commits harvests on a thread of its own, so that a broker outage holds up the agent but not the event loop.

    Args:
        transactor: Makes the transactions; used on the writer's thread only.
        poller: Gives fresh metadata; asked for each attempt.
        changelog: Topic for changed rows.
        attempts: How often a transaction may be aborted before the process ends.
        metrics: Told of aborts and commits.
    """

    def __init__(
        self,
        transactor: Transactor,
        *,
        poller: Callable[[], Poller],
        changelog: str,
        attempts: int,
        metrics: EngineMetrics,
    ) -> None:
        self._transactor = transactor
        self._poller = poller
        self._changelog = changelog
        self._attempts = attempts
        self._metrics = metrics
        self._thread = ThreadPoolExecutor(1, "rdkafka-writer")
        self.forgetful_broker = False
        """Whether the consumer must commit the offsets too: librdkafka's mock broker drops those of transactions."""
        self.writing: Sequence[Harvest] = ()
        """What is under way."""

    async def open(self) -> None:
        """Fence and clean up after a predecessor. Waits for the broker."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._transactor.open)

    async def write(self, harvests: Sequence[Harvest]) -> None:
        """Commit; returns when the broker has confirmed it.

        Raises:
            Fenced: A partition was lost, or it was aborted too often: the process must end.
        """
        began = time.monotonic()
        self.writing = harvests
        try:
            await self._write(harvests)
        finally:
            self.writing = ()
        outputs = sum(len(harvest.effects.outputs) for harvest in harvests)
        rows = sum(len(harvest.effects.rows) for harvest in harvests)
        self._metrics.committed(time.monotonic() - began, outputs, rows)

    async def _write(self, harvests: Sequence[Harvest]) -> None:
        offsets = offsets_of(harvests)
        loop = asyncio.get_running_loop()
        for attempt in range(1, self._attempts + 1):
            membership = await asyncio.wrap_future(self._poller().membership())
            if not offsets.keys() <= membership.owned:
                raise Fenced(f"lost before they were committed: {sorted(offsets.keys() - membership.owned)}")
            try:
                await loop.run_in_executor(
                    self._thread, self._transactor.write, self._records(harvests), offsets, membership.metadata
                )
            except TransactionAborted as error:
                self._metrics.aborted("rebalance" if error.reason in _REBALANCE else "other")
                log.info("transaction_aborted", reason=error.reason, attempt=attempt)
                await asyncio.sleep(_AGAIN_S * attempt)
            else:
                if self.forgetful_broker:
                    await asyncio.wrap_future(self._commit_plainly(offsets))
                return
        raise Fenced(f"a transaction was aborted {self._attempts} times with fresh metadata")

    def stop(self) -> None:
        """Give up what waits for the broker, and let go of the thread."""
        self._transactor.stop()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _records(self, harvests: Sequence[Harvest]) -> Iterator[Record]:
        changelog = self._changelog
        for harvest in harvests:
            for topic, key, value, partition, headers in harvest.effects.outputs:
                yield topic, value, key, -1 if partition is None else partition, headers
            number = harvest.slot.number
            for row_key, row in harvest.effects.rows:
                yield changelog, row, row_key, number, None

    def _commit_plainly(self, offsets: dict[tuple[str, int], int]) -> Future[None]:
        positions = [TopicPartition(topic, number, position) for (topic, number), position in offsets.items()]
        return self._poller().call(lambda consumer: consumer.commit(offsets=positions, asynchronous=True))
