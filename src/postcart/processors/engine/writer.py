"""Writes what tasks handed over, with their offsets, in one transaction; again if that was aborted.

Owns: repetition and fencing of transactions. Must not: touch a task.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

import structlog
from confluent_kafka import TopicPartition

from postcart.adapters.rdkafka.lane import Lane
from postcart.adapters.rdkafka.offsets import Offsets
from postcart.adapters.rdkafka.poller import Poller
from postcart.adapters.rdkafka.transaction import Record, TransactionAborted, TransactionExpired, Transactor
from postcart.errors import Fenced
from postcart.processors.engine.metrics import EngineMetrics
from postcart.processors.engine.slot import Harvest, offsets_of
from postcart.processors.engine.task import StageSpec

log = structlog.get_logger(__name__)

_AGAIN_S = 0.1  # the member epoch that made a commit fail reaches the client with its next heartbeat's answer
_LOOK_S = 1.0  # how often a call that does not come back is looked at
_REBALANCE = frozenset({"ILLEGAL_GENERATION", "REBALANCE_IN_PROGRESS", "STALE_MEMBER_EPOCH"})


class Writer:
    """Commits harvests on a thread of its own, so that a broker outage holds up the agent but not the event loop.

    Args:
        spec: The stage.
        transactor: Makes a producer; called again when an outage has outlived a transaction.
        poller: Gives fresh metadata; asked for each attempt.
        offsets: Asked whether a transaction of unknown outcome was committed.
        attempts: How often a transaction may be aborted before the process ends.
        metrics: Told of aborts and commits.
    """

    def __init__(
        self,
        spec: StageSpec,
        *,
        transactor: Callable[[], Transactor],
        poller: Callable[[], Poller],
        offsets: Offsets,
        attempts: int,
        metrics: EngineMetrics,
    ) -> None:
        self._spec = spec
        self._make_transactor = transactor
        self._transactor: Transactor | None = None
        self._lane = Lane("rdkafka-writer")
        self._poller = poller
        self._offsets = offsets
        self._attempts = attempts
        self._metrics = metrics
        self._stopped = False
        self.forgetful_broker = False
        """Whether the consumer must commit the offsets too: librdkafka's mock broker drops those of transactions."""
        self.writing: Sequence[Harvest] = ()
        """What is under way."""

    async def open(self) -> None:
        """Fence a predecessor, which may be an earlier producer of this writer. Waits for the broker.

        Raises:
            Fenced: The writer was stopped meanwhile.
        """
        if self._transactor is not None:
            self._transactor.stop()
            self._lane.close()
            self._lane = Lane("rdkafka-writer")  # the former's thread may never come back
        if self._stopped:
            raise Fenced("stopped before a transaction could be written")
        self._transactor = transactor = self._make_transactor()
        await self._lane.run(transactor.open)

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
        aborted = 0
        while aborted < self._attempts:
            try:
                await self._attempt(harvests, offsets)
            except TransactionAborted as error:
                aborted += 1
                self._metrics.aborted("rebalance" if error.reason in _REBALANCE else "other")
                log.info("transaction_aborted", reason=error.reason, attempt=aborted)
                await asyncio.sleep(_AGAIN_S * aborted)
            except TransactionExpired as error:
                self._metrics.aborted("outage")
                log.warning("transaction_expired", reason=str(error), committing=error.committing)
                await self.open()
                if error.committing and await self._was_committed(harvests, offsets):
                    return
            else:
                if self.forgetful_broker:
                    await asyncio.wrap_future(self._commit_plainly(offsets))
                return
        raise Fenced(f"a transaction was aborted {self._attempts} times with fresh metadata")

    async def _attempt(self, harvests: Sequence[Harvest], offsets: dict[tuple[str, int], int]) -> None:
        transactor = self._transactor
        if transactor is None:
            raise Fenced("there is no producer yet")
        membership = await asyncio.wrap_future(self._poller().membership())
        if not offsets.keys() <= membership.owned:
            raise Fenced(f"lost before they were committed: {sorted(offsets.keys() - membership.owned)}")
        writing = self._lane.run(transactor.write, self._records(harvests), offsets, membership.metadata)
        while not (await asyncio.wait({writing}, timeout=_LOOK_S))[0]:
            if transactor.stuck():
                writing.add_done_callback(lambda future: future.cancelled() or future.exception())  # if ever
                raise TransactionExpired("a call to the broker never came back", committing=transactor.committing)
        writing.result()

    async def _was_committed(self, harvests: Sequence[Harvest], wanted: Mapping[tuple[str, int], int]) -> bool:
        """Whether a transaction of unknown outcome took place: the group's offsets, which were part of it, tell.

        Raises:
            Fenced: They don't tell; restoring from the changelog will.
        """
        before = {
            (topic, harvest.slot.number): position
            for harvest in harvests
            for topic, position in harvest.slot.committed.items()
        }
        moved = {tp: position for tp, position in wanted.items() if before[tp] != position}
        found = dict(await self._offsets.committed(self._spec.group, moved)) if moved else {}
        if moved and found == moved:
            return True
        if moved and found == {tp: before[tp] for tp in moved}:
            return False
        raise Fenced("it can't be told whether the last transaction was committed")

    def stop(self) -> None:
        """Give up what waits for the broker, and let go of the thread."""
        self._stopped = True
        if self._transactor is not None:
            self._transactor.stop()
        self._lane.close()

    def _records(self, harvests: Sequence[Harvest]) -> Iterator[Record]:
        changelog = self._spec.changelog
        for harvest in harvests:
            for topic, key, value, partition, headers in harvest.effects.outputs:
                yield topic, value, key, -1 if partition is None else partition, headers
            number = harvest.slot.number
            for row_key, row in harvest.effects.rows:
                yield changelog, row, row_key, number, None

    def _commit_plainly(self, offsets: dict[tuple[str, int], int]) -> Future[Any]:
        positions = [TopicPartition(topic, number, position) for (topic, number), position in offsets.items()]
        return self._poller().call(lambda consumer: consumer.commit(offsets=positions, asynchronous=True))
