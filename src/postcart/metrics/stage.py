"""What a stage (detect, journey) counts.

Owns: the answer to each callback of the engine and of the stage's tasks. Must not: be called per record; callers hand
in what a whole batch came to.

It fits ``postcart.processors.engine.metrics.EngineMetrics`` and ``postcart.processors.stage_metrics.StageMetrics`` by
its shape: this layer lies below and can't import them.
"""

from collections import Counter as Counts
from collections.abc import Mapping, Sequence
from typing import get_args

from postcart.events.jobs import ReportKind
from postcart.metrics.instruments import Instruments, PerPartition

_ABORTED = {"rebalance": "aborted_rebalance", "other": "aborted", "outage": "failed"}
"""``failed``: the broker was away for so long that only the group's offsets told what became of the transaction."""
_READS_REPORTS = "journey"


class StageFigures:
    """Figures of one stage in this process.

    Args:
        instruments: Of the process.
        stage: As in ``postcart worker STAGE``.
        channels: Whose reports are counted.
    """

    def __init__(self, instruments: Instruments, stage: str, *, channels: Sequence[str] = ()) -> None:
        self._instruments = instruments
        self._stage = stage
        self._partitions = PerPartition(instruments, stage=stage)
        self._waiting: dict[int, Mapping[str, int]] = {}
        self._deadlines: Counts[str] = Counts()
        self._committed = instruments.counter("transactions_total", stage=stage, outcome="committed")
        self._commit_time = instruments.histogram("transaction_duration_seconds", stage=stage)
        self._batch_time = instruments.histogram("batch_process_duration_seconds", stage=stage)
        self._event_delay = instruments.histogram("event_delay_seconds", stage=stage)
        self._fire_delay = instruments.histogram("deadline_fire_delay_seconds", stage=stage)

        for outcome in _ABORTED.values():  # a series that begins at 1 has not increased, for Prometheus
            instruments.counter("transactions_total", stage=stage, outcome=outcome)
        if stage == _READS_REPORTS:
            for channel in channels:
                for kind in get_args(ReportKind):
                    instruments.counter("delivery_reports_total", channel=channel, kind=kind)

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

    def processed(self, topic: str, *, applied: int, late: int, repeated: int, dead: int) -> None:
        """See StageMetrics. How many came the engine counts, also where a batch is refused."""
        outcomes = {"applied": applied, "late": late, "repeated": repeated, "dead": dead}
        for outcome, count in outcomes.items():
            if count:
                self._instruments.counter(
                    "records_processed_total", stage=self._stage, topic=topic, outcome=outcome
                ).inc(count)

    def batch(self, seconds: float) -> None:
        """A batch took ``seconds``."""
        self._batch_time.observe(seconds)

    def delayed(self, delay_s: float) -> None:
        """The newest event of a batch was ``delay_s`` old when it was processed."""
        self._event_delay.observe(max(0.0, delay_s))

    def dead_letters(self, topic: str, reason: str, count: int = 1) -> None:
        """Records of ``topic`` were set aside."""
        self._instruments.counter("dead_letters_total", topic=topic, reason=reason).inc(count)

    def state(self, partition: int, *, rows: int, size: int, waiting: Mapping[str, int]) -> None:
        """Rows that the partition holds, their encoded size in bytes, and the deadlines that wait, by kind."""
        self._partitions.set("state_rows", partition, rows)
        self._partitions.set("state_bytes", partition, size)
        self._show_deadlines(partition, waiting)

    def clock(self, partition: int, clock_ms: int) -> None:
        """The partition has decided up to this event time (ms)."""
        self._partitions.set("watermark_timestamp_seconds", partition, clock_ms / 1_000)

    def fired(self, delay_s: float) -> None:
        """A session's end or a due step was decided so long after its time."""
        self._fire_delay.observe(max(0.0, delay_s))

    def decided(self, *, purpose: str, outcome: str, reason: str) -> None:
        """A step was planned, became due or was cancelled; ``reason`` is empty unless cancelled."""
        self._instruments.counter("decisions_total", purpose=purpose, outcome=outcome, reason=reason).inc()

    def jobs_emitted(self, channel: str, purpose: str, count: int) -> None:
        """Jobs were handed to the senders of a channel: from here on they must come to an end."""
        self._instruments.counter("jobs_accepted_total", channel=channel, purpose=purpose).inc(count)

    def reported(self, channel: str, kind: str) -> None:
        """A bounce, a complaint or a delivery was read."""
        self._instruments.counter("delivery_reports_total", channel=channel, kind=kind).inc()

    def closed(self, partition: int) -> None:
        """The partition went elsewhere: its series end."""
        self._partitions.close(partition)
        self._show_deadlines(partition, {})

    def _show_deadlines(self, partition: int, waiting: Mapping[str, int]) -> None:
        """Sums over the partitions; they carry no partition, as their number is of interest, not their place."""
        former = self._waiting.pop(partition, {})
        if waiting:
            self._waiting[partition] = waiting
        for kind in former.keys() | waiting.keys():
            change = waiting.get(kind, 0) - former.get(kind, 0)
            if change or kind not in self._deadlines:
                self._deadlines[kind] += change
                self._instruments.gauge("deadlines_pending", stage=self._stage, kind=kind).set(self._deadlines[kind])
