"""Writes what tasks handed over, with their offsets, in one transaction.

Owns: what a transaction of a stage holds. Must not: touch a task; repeat (the committer does).
"""

import time
from collections.abc import Callable, Iterator, Sequence

from postcart.adapters.rdkafka.committer import Committer
from postcart.adapters.rdkafka.offsets import Offsets
from postcart.adapters.rdkafka.poller import Poller
from postcart.adapters.rdkafka.transaction import Record, Transactor
from postcart.processors.engine.metrics import EngineMetrics
from postcart.processors.engine.slot import Harvest, offsets_of
from postcart.processors.engine.task import StageSpec


class Writer:
    """Commits harvests.

    Args:
        spec: The stage.
        transactor: Makes a producer, more or less lenient; called again when an outage has outlived a transaction.
        poller: Gives fresh metadata; asked for each attempt.
        offsets: Asked whether a transaction of unknown outcome was committed.
        attempts: How often a transaction may be aborted before the process ends.
        metrics: Told of aborts and commits.
    """

    def __init__(
        self,
        spec: StageSpec,
        *,
        transactor: Callable[[int], Transactor],
        poller: Callable[[], Poller],
        offsets: Offsets,
        attempts: int,
        metrics: EngineMetrics,
    ) -> None:
        self._changelog = spec.changelog
        self._metrics = metrics
        self.committer = Committer(
            transactor,
            poller=poller,
            marks=lambda partitions: offsets.marks(spec.group, partitions),
            attempts=attempts,
            aborted=metrics.aborted,
        )
        self.writing: Sequence[Harvest] = ()
        """What is under way."""

    async def write(self, harvests: Sequence[Harvest]) -> None:
        """Commit; returns when the broker has confirmed it.

        Raises:
            Fenced: A partition was lost, or it was aborted too often: the process must end.
        """
        began = time.monotonic()
        self.writing = harvests
        try:
            await self.committer.commit(lambda: self._records(harvests), offsets_of(harvests))
        finally:
            self.writing = ()
        outputs = sum(len(harvest.effects.outputs) for harvest in harvests)
        rows = sum(len(harvest.effects.rows) for harvest in harvests)
        self._metrics.committed(time.monotonic() - began, outputs, rows)

    def _records(self, harvests: Sequence[Harvest]) -> Iterator[Record]:
        for harvest in harvests:
            for topic, key, value, partition, headers in harvest.effects.outputs:
                yield topic, value, key, -1 if partition is None else partition, headers
            number = harvest.slot.number
            for row_key, row in harvest.effects.rows:
                yield self._changelog, row, row_key, number, None
