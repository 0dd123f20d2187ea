"""DETECT's task: one partition of visitors.

Owns: the way from record batches to the rules of domain.detect and from their outcome to records. Must not: hold a
rule, or know how records are fetched and committed.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic

import msgspec

from postcart.domain.detect import fold
from postcart.domain.detect.outcome import Arrival, Detected
from postcart.domain.detect.rules import Rules
from postcart.domain.detect.visitor import Visitor
from postcart.domain.detect.waiting import Waiting
from postcart.events.signals import TaskClock, VisitEnded
from postcart.processors.engine.task import Effects, Idle, Output, RecordBatch, Row
from postcart.processors.intake import BatchDecoder, append_bound_ms, dead_outputs, latest_ms
from postcart.processors.older_rows import OLDER_VISITORS
from postcart.processors.outlines import waiting_visitors
from postcart.processors.rows import RowStore
from postcart.processors.stage_metrics import StageMetrics
from postcart.processors.watermark import Watermark

ROW_VERSION = 2
_SMALL = 32
"""Lines and waiting events together: a row with more of them is encoded once per transaction, not at each touch."""
_FIRE_LIMIT = 20_000
"""Overdue rows looked at in one go: a restart after a long stop must not hold the loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectConfig:
    """What all DETECT tasks of a worker share.

    Attributes:
        decoders: By input topic.
        topic_of: The input topic of an event.
        partitions: Of the signals topic: the task's clock goes to each of them.
        clock_interval_ms: The clock is told anew when it has moved by this much, and with every output.
    """

    rules: Rules
    decoders: Mapping[str, BatchDecoder]
    topic_of: Callable[[Waiting], str]
    signals_topic: str
    decisions_topic: str
    dead_topic: str
    partitions: int
    disorder_ms: int
    exact_idle: bool
    clock_interval_ms: int
    metrics: StageMetrics


class DetectTask:
    """State and logic of one partition number (see processors.engine.task.Task)."""

    def __init__(self, config: DetectConfig, partition: int) -> None:
        self._config = config
        self._partition = partition
        self._rows = RowStore(
            Visitor,
            version=ROW_VERSION,
            older=OLDER_VISITORS,
            deadline=lambda visitor: visitor.deadline_ms(config.rules),
            stays_decoded=lambda visitor: visitor.session is not None or bool(visitor.pending),
            at_once=lambda visitor: len(visitor.pending) + len(visitor.lines) <= _SMALL,
            waiting=waiting_visitors(),
        )
        self._watermark = Watermark(config.decoders, disorder_ms=config.disorder_ms, exact_idle=config.exact_idle)
        self._arrived: defaultdict[str, list[Arrival]] = defaultdict(list)
        self._counts: Counter[str] = Counter()
        self._spent_s = 0.0
        self._outputs: list[Output] = []
        self._fired_ms = -1
        self._told_ms = -1
        self._newest_ms = 0
        self._now_ms: int | None = None
        self._encode = msgspec.json.Encoder().encode

    def restore(self, rows: Sequence[Row]) -> None:
        """See Task."""
        self._rows.restore(rows)

    def restored(self) -> None:
        """See Task."""
        self._rows.restored()

    def process(self, batch: RecordBatch) -> None:
        """See Task. Events are grouped by visitor: of batches that follow each other, each row is touched once."""
        config, began = self._config, monotonic()
        events, letters = config.decoders[batch.topic].decode_batch(batch.records)
        self._outputs += dead_outputs(config.dead_topic, letters, config.metrics)
        if events:
            self._newest_ms = latest_ms(events)
            self._watermark.saw(batch.topic, append_bound_ms(batch, self._newest_ms))
            self._counts[batch.topic] += len(events)
            arrived = self._arrived
            for event in events:
                arrived[event.visitor_id].append(event)
        if letters:
            config.metrics.processed(batch.topic, applied=0, late=0, repeated=0, dead=len(letters))
        self._spent_s += monotonic() - began

    def advance(self, idle: Mapping[str, Idle], now_ms: int | None) -> bool:
        """See Task. The clock decides, not now, by which only delays are measured."""
        self._now_ms = now_ms
        if self._newest_ms and now_ms is not None:
            self._config.metrics.delayed((now_ms - self._newest_ms) / 1_000)
            self._newest_ms = 0
        self._watermark.idle(idle)
        self._take_in()
        clock_ms = self._watermark.clock_ms
        if clock_ms is None or clock_ms <= self._fired_ms:
            return False
        rules, rows, out = self._config.rules, self._rows, Detected()
        limit = _FIRE_LIMIT
        for key, visitor in rows.due(clock_ms, limit):
            limit -= 1
            if fold.advance(visitor, clock_ms, rules, out):
                rows.save(key, visitor)
            else:
                rows.drop(key)
        self._collect(out)
        # With rows left over, only what is before the next of them has been told.
        next_ms = rows.next_deadline_ms() if limit <= 0 else None
        self._fired_ms = clock_ms if next_ms is None else min(clock_ms, next_ms - 1)
        self._config.metrics.clock(self._partition, self._fired_ms)
        return self._fired_ms < clock_ms

    def pending(self) -> bool:
        """See Task."""
        return bool(self._outputs) or self._clock_is_news()

    def drain(self) -> Effects:
        """See Task."""
        self._take_in()
        outputs, self._outputs = self._outputs, []
        if self._fired_ms > self._told_ms and (outputs or self._clock_is_news()):
            clock = self._encode(TaskClock(task=self._partition, clock_ms=self._fired_ms))
            topic = self._config.signals_topic
            outputs += [Output(topic, None, clock, number) for number in range(self._config.partitions)]
            self._told_ms = self._fired_ms
        rows = self._rows.take_changed()
        self._config.metrics.state(
            self._partition, rows=len(self._rows), size=self._rows.size_estimate, waiting=self._rows.waiting()
        )
        return Effects(outputs, rows)

    def close(self) -> None:
        """See Task."""
        self._config.metrics.closed(self._partition)

    def _clock_is_news(self) -> bool:
        return self._fired_ms >= self._told_ms + self._config.clock_interval_ms

    def _take_in(self) -> None:
        """Touch each row once for what has arrived, and say what became of it."""
        if not self._arrived:
            return
        began, out = monotonic(), Detected()
        arrived, self._arrived = self._arrived, defaultdict(list)
        rows, rules = self._rows, self._config.rules
        clock_ms = self._watermark.clock_ms
        too_old_ms = self._fired_ms - rules.forget_ms
        for visitor_id, events in arrived.items():
            visitor = rows.load(visitor_id) or Visitor(visitor_id=visitor_id)
            sooner = fold.arrive(visitor, events, out, too_old_ms=too_old_ms)
            if clock_ms is not None:
                fold.advance(visitor, clock_ms, rules, out)
            rows.save(visitor_id, visitor, sooner=sooner)
        self._collect(out)
        self._account(out)
        self._config.metrics.batch(self._spent_s + monotonic() - began)
        self._spent_s = 0.0

    def _account(self, out: Detected) -> None:
        topic_of, metrics = self._config.topic_of, self._config.metrics
        late, repeated = Counter(map(topic_of, out.late)), Counter(map(topic_of, out.repeated))
        for topic, count in self._counts.items():
            applied = count - late[topic] - repeated[topic]
            metrics.processed(topic, applied=applied, late=late[topic], repeated=repeated[topic], dead=0)
        self._counts.clear()

    def _collect(self, out: Detected) -> None:
        signals, decisions, encode = self._config.signals_topic, self._config.decisions_topic, self._encode
        outputs = self._outputs
        outputs += [Output(signals, signal.person_id.encode(), encode(signal)) for signal in out.signals]
        outputs += [Output(decisions, item.visitor_id.encode(), encode(item)) for item in out.decisions]
        if self._now_ms is not None:
            for signal in out.signals:
                if type(signal) is VisitEnded:
                    self._config.metrics.fired((self._now_ms - signal.at_ms) / 1_000)
