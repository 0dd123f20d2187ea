"""Writes claims, receipts and offsets in one transaction; again if a rebalance or an outage got in between.

Owns: repetition and fencing. Must not: know what the records say.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

import structlog
from confluent_kafka import TopicPartition

from postcart.adapters.rdkafka.lane import Lane
from postcart.adapters.rdkafka.poller import Poller
from postcart.adapters.rdkafka.transaction import Record, TransactionAborted, TransactionExpired, Transactor
from postcart.errors import Fenced
from postcart.senders.metrics import SenderMetrics

log = structlog.get_logger(__name__)

_ATTEMPTS = 4
_AGAIN_S = 0.1  # the member epoch that made a commit fail reaches the client with its next heartbeat's answer
_LOOK_S = 1.0

Partitions = Mapping[tuple[str, int], int]


class Ledger:
    """Commits on a thread of its own, so that a broker outage holds up neither the sockets nor the event loop.

    Args:
        make_transactor: Makes the transactional producer; once more where an outage outlived a transaction.
        committed: Asked for the group's stable offsets, where an outage left open whether a transaction took place.
        poller: Gives fresh metadata; asked for each attempt.
        metrics: Told of commits.
    """

    def __init__(
        self,
        make_transactor: Callable[[], Transactor],
        *,
        committed: Callable[[Partitions], Awaitable[Mapping[tuple[str, int], int | None]]],
        poller: Callable[[], Poller],
        metrics: SenderMetrics,
    ) -> None:
        self._make_transactor = make_transactor
        self._committed = committed
        self._transactor: Transactor | None = None
        self._poller = poller
        self._metrics = metrics
        self._lane = Lane("sender-ledger")
        self._stopped = False
        self.forgetful_broker = False
        """librdkafka's mock broker drops the offsets of transactions: the consumer commits them besides."""

    async def open(self) -> None:
        """Fence a predecessor of the same name, which may be an earlier producer of ours. Waits for the broker.

        Raises:
            Fenced: The ledger was stopped meanwhile, or has a successor.
        """
        if self._transactor is not None:
            self._transactor.stop()
            self._lane.close()
            self._lane = Lane("sender-ledger")  # the former's thread may never come back
        if self._stopped:
            raise Fenced("stopped before a transaction could be written")
        self._transactor = transactor = self._make_transactor()
        await self._lane.run(transactor.open)

    async def write(self, records: Sequence[Record], offsets: Partitions, *, before: Partitions) -> None:
        """Commit; returns when the broker has confirmed it.

        Args:
            records: To produce.
            offsets: What to commit, of every topic-partition that the records concern; may be lower than before.
            before: What was committed last, of at least these.

        Raises:
            Fenced: A partition was lost, it was aborted too often, or an outage leaves open whether it took place and
                the offsets don't tell: the process must end, and its claims will be settled by what the topic says.
        """
        began = time.monotonic()
        aborted = 0
        while aborted < _ATTEMPTS:
            try:
                await self._attempt(records, offsets)
            except TransactionAborted as error:
                aborted += 1
                self._metrics.committed("failed", time.monotonic() - began)
                log.info("transaction_aborted", reason=error.reason, attempt=aborted)
                await asyncio.sleep(_AGAIN_S * aborted)
            except TransactionExpired as error:
                self._metrics.committed("failed", time.monotonic() - began)
                log.warning("transaction_expired", reason=str(error), committing=error.committing)
                await self.open()
                if error.committing and await self._took_place(offsets, before):
                    return
            else:
                self._metrics.committed("committed", time.monotonic() - began)
                if self.forgetful_broker:
                    await asyncio.wrap_future(self._commit_plainly(offsets))
                return
        raise Fenced(f"a transaction was aborted {_ATTEMPTS} times with fresh metadata")

    def stop(self) -> None:
        """Give up what waits for the broker, and let go of the thread."""
        self._stopped = True
        if self._transactor is not None:
            self._transactor.stop()
        self._lane.close()

    async def _attempt(self, records: Sequence[Record], offsets: Partitions) -> None:
        transactor = self._transactor
        if transactor is None:
            raise Fenced("there is no producer yet")
        membership = await asyncio.wrap_future(self._poller().membership())
        if not offsets.keys() <= membership.owned:
            raise Fenced(f"lost before they were committed: {sorted(offsets.keys() - membership.owned)}")
        writing = self._lane.run(transactor.write, records, dict(offsets), membership.metadata)
        while not (await asyncio.wait({writing}, timeout=_LOOK_S))[0]:
            if transactor.stuck():
                writing.add_done_callback(lambda future: future.cancelled() or future.exception())  # if ever
                raise TransactionExpired("a call to the broker never came back", committing=transactor.committing)
        writing.result()

    async def _took_place(self, offsets: Partitions, before: Partitions) -> bool:
        """Whether a transaction of unknown outcome was committed: the offsets in it tell, if any moved."""
        moved = {tp: offset for tp, offset in offsets.items() if before[tp] != offset}
        found = dict(await self._committed(moved)) if moved else {}
        if moved and found == moved:
            return True
        if moved and found == {tp: before[tp] for tp in moved}:
            return False
        raise Fenced("it can't be told whether the last transaction was committed")

    def _commit_plainly(self, offsets: Partitions) -> Future[Any]:
        positions = [TopicPartition(topic, number, position) for (topic, number), position in offsets.items()]
        return self._poller().call(lambda consumer: consumer.commit(offsets=positions, asynchronous=True))
