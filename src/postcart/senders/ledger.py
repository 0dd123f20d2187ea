"""Writes claims, receipts and offsets in one transaction.

Owns: telling the metrics. Must not: know what the records say; repeat (the committer does).
"""

import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Literal

from postcart.adapters.rdkafka.committer import Committer, Partitions
from postcart.adapters.rdkafka.group_offsets import Marks
from postcart.adapters.rdkafka.poller import Poller
from postcart.adapters.rdkafka.transaction import Record, Transactor
from postcart.senders.metrics import SenderMetrics

_ATTEMPTS = 4


class Ledger:
    """What a sender writes.

    Args:
        make_transactor: Makes a producer, more or less lenient; once more where an outage outlived a transaction.
        marks: Asked for the group's stable marks, where an outage left open whether a transaction took place.
        poller: Gives fresh metadata; asked for each attempt.
        metrics: Told of commits.
    """

    def __init__(
        self,
        make_transactor: Callable[[int], Transactor],
        *,
        marks: Callable[[Iterable[tuple[str, int]]], Awaitable[Marks]],
        poller: Callable[[], Poller],
        metrics: SenderMetrics,
    ) -> None:
        self._metrics = metrics
        self._began_s = 0.0
        self.committer = Committer(
            make_transactor, poller=poller, marks=marks, attempts=_ATTEMPTS, aborted=lambda _: self._tell("failed")
        )

    async def write(self, records: Sequence[Record], offsets: Partitions) -> None:
        """Commit; returns when the broker has confirmed it.

        Args:
            records: To produce.
            offsets: What to commit, of every topic-partition that the records concern; may be lower than before.

        Raises:
            Fenced: A partition was lost, or it was aborted too often: the process must end, and its claims will be
                settled by what the topic says.
        """
        self._began_s = time.monotonic()
        await self.committer.commit(lambda: records, offsets)
        self._tell("committed")

    def _tell(self, outcome: Literal["committed", "failed"]) -> None:
        self._metrics.committed(outcome, time.monotonic() - self._began_s)
