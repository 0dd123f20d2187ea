"""Writes claims, receipts and offsets in one transaction; again if a rebalance aborted it.

Owns: repetition and fencing. Must not: know what the records say.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog
from confluent_kafka import TopicPartition

from postcart.adapters.rdkafka.poller import Poller
from postcart.adapters.rdkafka.transaction import Record, TransactionAborted, Transactor
from postcart.errors import Fenced
from postcart.senders.metrics import SenderMetrics

log = structlog.get_logger(__name__)

_ATTEMPTS = 4
_AGAIN_S = 0.1  # the member epoch that made a commit fail reaches the client with its next heartbeat's answer


class Ledger:
    """Commits on a thread of its own, so that a broker outage holds up neither the sockets nor the event loop.

    Args:
        transactor: Makes the transactions; used on the ledger's thread only.
        poller: Gives fresh metadata; asked for each attempt.
        metrics: Told of commits.
    """

    def __init__(self, transactor: Transactor, *, poller: Callable[[], Poller], metrics: SenderMetrics) -> None:
        self._transactor = transactor
        self._poller = poller
        self._metrics = metrics
        self._thread = ThreadPoolExecutor(1, "sender-ledger")
        self.forgetful_broker = False
        """librdkafka's mock broker drops the offsets of transactions: the consumer commits them besides."""

    async def open(self) -> None:
        """Fence and clean up after a predecessor of the same name. Waits for the broker."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._transactor.open)

    async def write(self, records: Sequence[Record], offsets: Mapping[tuple[str, int], int]) -> None:
        """Commit; returns when the broker has confirmed it.

        Args:
            records: To produce.
            offsets: What to commit, of every topic-partition that the records concern; may be lower than before.

        Raises:
            Fenced: A partition was lost, or it was aborted too often: the process must end.
        """
        began = time.monotonic()
        for attempt in range(1, _ATTEMPTS + 1):
            membership = await asyncio.wrap_future(self._poller().membership())
            if not offsets.keys() <= membership.owned:
                raise Fenced(f"lost before they were committed: {sorted(offsets.keys() - membership.owned)}")
            try:
                await asyncio.get_running_loop().run_in_executor(
                    self._thread, self._transactor.write, records, dict(offsets), membership.metadata
                )
            except TransactionAborted as error:
                self._metrics.committed("failed", time.monotonic() - began)
                log.info("transaction_aborted", reason=error.reason, attempt=attempt)
                await asyncio.sleep(_AGAIN_S * attempt)
            else:
                self._metrics.committed("committed", time.monotonic() - began)
                if self.forgetful_broker:
                    await asyncio.wrap_future(self._commit_plainly(offsets))
                return
        raise Fenced(f"a transaction was aborted {_ATTEMPTS} times with fresh metadata")

    def stop(self) -> None:
        """Give up what waits for the broker, and let go of the thread."""
        self._transactor.stop()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _commit_plainly(self, offsets: Mapping[tuple[str, int], int]):  # type: ignore[no-untyped-def]  # noqa: ANN202
        positions = [TopicPartition(topic, number, position) for (topic, number), position in offsets.items()]
        return self._poller().call(lambda consumer: consumer.commit(offsets=positions, asynchronous=True))
