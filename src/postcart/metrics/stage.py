"""What a stage (detect, journey) counts.

Owns: the answer to each callback of the engine and of the stage's tasks. Must not: be called per record; callers hand
in what a whole batch came to.

It fits ``postcart.processors.engine.metrics.EngineMetrics`` and ``postcart.processors.stage_metrics.StageMetrics`` by
its shape: this layer lies below and can't import them.
"""

from collections import Counter as Counts
from collections.abc import Mapping

from postcart.metrics.instruments import Instruments, PerPartition

_ABORTED = {"rebalance": "aborted_rebalance", "other": "aborted"}


class StageFigures:
    """Figures of one stage in this process.

    Args:
        instruments: Of the process.
        stage: As in ``postcart worker STAGE``.
    """

    def __init__(self, instruments: Instruments, stage: str) -> None:
        self._instruments = instruments
        self._stage = stage
        self._partitions = PerPartition(instruments, stage=stage)
        self._deadlines: dict[tuple[int, str], int] = {}
        self._committed = instruments.counter("transactions_total", stage=stage, outcome="committed")
        self._commit_time = instruments.histogram("transaction_duration_seconds", stage=stage)
        self._batch_time = instruments.histogram("batch_process_duration_seconds", stage=stage)

    # The engine's callbacks.

    def consumed(self, topic: str, records: int) -> None:
        """A batch was folded."""
        self._instruments.counter("records_received_total", stage=self._stage, topic=topic).inc(records)

    def committed(self, seconds: float, outputs: int, rows: int) -> None:
        """A transaction was committed."""
        del outputs, rows  # records written are the next stage's records received
        self._committed.inc()
        self._commit_time.observe(seconds)

    def aborted(self, reason: str) -> None:
        """A transaction was aborted and will be written again."""
        self._instruments.counter("transactions_total", stage=self._stage, outcome=_ABORTED[reason]).inc()

    def restoring(self, partition: int, done: int, total: int) -> None:
        """Positions of the changelog read so far, of how many."""
        self._partitions.set("restore_remaining_records", partition, max(0, total - done))

    def restored(self, partition: int, rows: int, seconds: float) -> None:
        """A task runs."""
        del rows, seconds
        self._partitions.set("restore_remaining_records", partition, 0)

    def lag(self, topic: str, partition: int, records: int | None) -> None:
        """Only the end of a partition is of interest: lag is measured from outside, where a stuck worker can't hide."""
        del topic
        if records is None:
            self.closed(partition)

    def tasks(self, running: int, restoring: int) -> None:
        """How many tasks this worker has."""
        for state, count in (("running", running), ("restoring", restoring)):
            self._instruments.gauge("worker_partitions", stage=self._stage, state=state).set(count)

    def rebalanced(self) -> None:
        """Partitions were given or taken."""
        self._instruments.counter("rebalances_total", stage=self._stage).inc()

    # The tasks' callbacks.

    def processed(self, topic: str, *, received: int, applied: int, late: int, repeated: int, dead: int) -> None:
        """What became of the events of a batch."""
        del received  # the engine's ``consumed`` counts them, also where a batch is refused
        outcomes = {"applied": applied, "late": late, "repeated": repeated, "dead": dead}
        for outcome, count in outcomes.items():
            if count:
                self._instruments.counter(
                    "records_processed_total", stage=self._stage, topic=topic, outcome=outcome
                ).inc(count)

    def batch(self, seconds: float, delay_s: float | None) -> None:
        """A batch took ``seconds``; its newest event was ``delay_s`` old (None: no clock yet)."""
        self._batch_time.observe(seconds)
        if delay_s is not None:
            self._instruments.histogram("event_delay_seconds", stage=self._stage).observe(max(0.0, delay_s))

    def dead_letters(self, topic: str, reason: str, count: int = 1) -> None:
        """Records of ``topic`` were set aside."""
        self._instruments.counter("dead_letters_total", topic=topic, reason=reason).inc(count)

    def rows(self, partition: int, count: int) -> None:
        """Rows that the partition holds."""
        self._partitions.set("state_rows", partition, count)

    def state_size(self, partition: int, size: int) -> None:
        """Their encoded size in bytes, estimated."""
        self._partitions.set("state_bytes", partition, size)

    def clock(self, partition: int, clock_ms: int) -> None:
        """The partition has decided up to this event time (ms)."""
        self._partitions.set("watermark_timestamp_seconds", partition, clock_ms / 1_000)

    def deadlines(self, partition: int, pending: Mapping[str, int]) -> None:
        """Deadlines of the partition that wait, by kind."""
        for kind, count in pending.items():
            self._deadlines[partition, kind] = count
        self._show_deadlines(set(pending))

    def fired(self, delay_s: float) -> None:
        """A deadline fired so long after its time."""
        self._instruments.histogram("deadline_fire_delay_seconds", stage=self._stage).observe(max(0.0, delay_s))

    def decided(self, *, purpose: str, outcome: str, reason: str) -> None:
        """A step was planned, became due or was cancelled; ``reason`` is empty unless cancelled."""
        self._instruments.counter("decisions_total", purpose=purpose, outcome=outcome, reason=reason).inc()

    def jobs_emitted(self, channel: str, purpose: str, count: int) -> None:
        """Jobs were handed to the senders of a channel: from here on they must come to an end."""
        self._instruments.counter("jobs_accepted_total", channel=channel, purpose=purpose).inc(count)

    def closed(self, partition: int) -> None:
        """The partition went elsewhere: its series end."""
        self._partitions.close(partition)
        gone = [key for key in self._deadlines if key[0] == partition]
        for key in gone:
            del self._deadlines[key]
        self._show_deadlines({kind for _, kind in gone})

    def _show_deadlines(self, kinds: set[str]) -> None:
        """Sums over the partitions; they carry no partition, as their number is of interest, not their place."""
        sums: Counts[str] = Counts()
        for (_, kind), count in self._deadlines.items():
            sums[kind] += count
        for kind in kinds:
            self._instruments.gauge("deadlines_pending", stage=self._stage, kind=kind).set(sums[kind])
