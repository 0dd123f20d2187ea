"""TRACK's task: one partition of parcels.

Owns: the way from record batches to the rules of domain.track and from their outcome to records. Must not: hold a
rule, or know how records are fetched and committed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import monotonic

import msgspec
from confluent_kafka import Message

from postcart.codecs.dead_letters import DeadLetter, dead_letter
from postcart.codecs.records import RecordDecoder
from postcart.codecs.shop_events import ShopEventDecoder
from postcart.domain.track import fold
from postcart.domain.track.outcome import Context, Tracked
from postcart.domain.track.parcel import Parcel, ParcelEvent, scan_of
from postcart.domain.track.vocabulary import Vocabularies
from postcart.errors import UnreadableRecord
from postcart.events.milestones import Cleared, Delay, EstimateChanged, Milestone, ParcelDecision
from postcart.events.shipments import ParcelStatus, ShipmentEvents
from postcart.events.signals import TaskClock
from postcart.events.times import DAY_MS, to_ms
from postcart.processors.engine.task import Effects, Idle, Output, RecordBatch, Row
from postcart.processors.intake import append_bound_ms, dead_outputs, latest_ms
from postcart.processors.lane_book import LaneBook
from postcart.processors.outlines import waiting_parcels
from postcart.processors.rows import RowStore
from postcart.processors.stage_metrics import StageMetrics
from postcart.processors.watermark import Watermark

ROW_VERSION = 1
STAGE = "track"
_FIRE_LIMIT = 20_000
"""Overdue rows looked at in one go: a restart after a long stop must not hold the loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackConfig:
    """What all TRACK tasks of a worker share.

    Attributes:
        context: The rules and the calendar; what is learned comes with each day.
        shipments, lanes: Input topics, with their decoders.
        tasks: Partitions of the lanes topic: each task is told what was delivered.
        milestone_partitions: Each is told the clock, when it has moved by ``clock_interval_ms`` and with outputs.
    """

    context: Context
    vocabularies: Vocabularies
    shipments: str
    shipment_decoder: ShopEventDecoder
    lanes: str
    lane_decoder: RecordDecoder
    milestones_topic: str
    decisions_topic: str
    polls_topic: str
    dead_topic: str
    tasks: int
    milestone_partitions: int
    clock_interval_ms: int
    disorder_ms: int
    exact_idle: bool
    metrics: StageMetrics


class TrackTask:
    """State and logic of one partition number (see processors.engine.task.Task)."""

    def __init__(self, config: TrackConfig, partition: int) -> None:
        rules = config.context.rules
        self._config = config
        self._partition = partition
        self._rows = RowStore(
            Parcel,
            version=ROW_VERSION,
            deadline=lambda parcel: parcel.deadline_ms(rules),
            stays_decoded=lambda parcel: bool(parcel.pending),
            waiting=waiting_parcels(),
        )
        self._book = LaneBook(config.lanes, partition, config.tasks)
        # Lanes are not waited for by time but by the days that tasks have told.
        self._watermark = Watermark((config.shipments,), disorder_ms=config.disorder_ms, exact_idle=config.exact_idle)
        self._outputs: list[Output] = []
        self._fired_ms = -1
        self._told_ms = -1
        self._newest_ms = 0
        self._now_ms: int | None = None
        self._encode = msgspec.json.Encoder().encode

    def restore(self, rows: Sequence[Row]) -> None:
        """See Task."""
        self._rows.restore(self._book.restore(rows))

    def restored(self) -> None:
        """See Task."""
        self._rows.restored()
        self._book.restored()

    def process(self, batch: RecordBatch) -> None:
        """See Task."""
        config, began = self._config, monotonic()
        out = Tracked()
        if batch.topic == config.lanes:
            told, letters = config.lane_decoder.decode_batch(batch.records)
            for record in told:
                self._book.saw(record)
            applied = len(told)
        else:
            letters = self._take_in(batch, out)
            applied = 0  # counted once it is known what becomes of them
        self._outputs += dead_outputs(config.dead_topic, letters, config.metrics)
        config.metrics.processed(
            batch.topic,
            applied=applied,
            late=out.late,
            repeated=out.repeated,
            dead=len(letters),
        )
        config.metrics.batch(monotonic() - began)

    def advance(self, idle: Mapping[str, Idle], now_ms: int | None) -> bool:
        """See Task. The clock decides, not now, by which only delays are measured."""
        self._now_ms = now_ms
        if self._newest_ms and now_ms is not None:
            self._config.metrics.delayed((now_ms - self._newest_ms) / 1_000)
            self._newest_ms = 0
        self._watermark.idle(idle)
        clock_ms = self._watermark.clock_ms
        if clock_ms is None:
            return False
        last_day = self._book.last_day
        more = last_day is not None and self._fold_until(min(clock_ms, (last_day + 1) * DAY_MS - 1))
        next_ms = self._rows.next_deadline_ms()
        unfolded_ms = clock_ms + 1 if next_ms is None else min(clock_ms + 1, next_ms)
        self._outputs += self._book.tell(unfolded_ms // DAY_MS - 1)
        return more

    def pending(self) -> bool:
        """See Task."""
        return bool(self._outputs) or self._clock_is_news()

    def drain(self) -> Effects:
        """See Task."""
        outputs, self._outputs = self._outputs, []
        if self._fired_ms > self._told_ms and (outputs or self._clock_is_news()):
            clock = self._encode(TaskClock(task=self._partition, clock_ms=self._fired_ms))
            topic, partitions = self._config.milestones_topic, range(self._config.milestone_partitions)
            outputs += [Output(topic, None, clock, number) for number in partitions]
            self._told_ms = self._fired_ms
        rows = self._rows.take_changed() + self._book.take_changed()
        self._config.metrics.state(
            self._partition, rows=len(self._rows), size=self._rows.size_estimate, waiting=self._rows.waiting()
        )
        return Effects(outputs, rows)

    def _clock_is_news(self) -> bool:
        return self._fired_ms >= self._told_ms + self._config.clock_interval_ms

    def close(self) -> None:
        """See Task."""
        self._config.metrics.closed(self._partition)

    def _fold_until(self, clock_ms: int) -> bool:
        """Day by day, as what is learned changes from day to day; whether more is due than was looked at."""
        rows, rules = self._rows, self._config.context.rules
        limit = _FIRE_LIMIT
        out = Tracked()
        now_ms = self._now_ms
        present_ms = clock_ms if now_ms is None else max(clock_ms, now_ms - self._config.disorder_ms)
        while limit > 0 and (due_ms := rows.next_deadline_ms()) is not None and due_ms <= clock_ms:
            day = due_ms // DAY_MS
            until_ms = min(clock_ms, (day + 1) * DAY_MS - 1)
            context = Context(
                rules=rules,
                business_days=self._config.context.business_days,
                fit=self._book.fit(day),
                present_ms=present_ms,
            )
            for key, parcel in rows.due(until_ms, limit):
                limit -= 1
                if fold.advance(parcel, until_ms, context, out):
                    rows.save(key, parcel)
                else:
                    rows.drop(key)
        # With rows left over, only what is before the next of them has been told.
        next_ms = rows.next_deadline_ms() if limit <= 0 else None
        self._fired_ms = max(self._fired_ms, clock_ms if next_ms is None else min(clock_ms, next_ms - 1))
        self._config.metrics.clock(self._partition, self._fired_ms)
        self._collect(out)
        return self._fired_ms < clock_ms

    def _take_in(self, batch: RecordBatch, out: Tracked) -> list[DeadLetter]:
        """Group by parcel, then touch each row once. Returns what was set aside."""
        events, letters = self._config.shipment_decoder.decode_aligned(batch.records)
        groups: dict[str, list[ParcelEvent]] = {}
        taken = []
        for message, event in zip(batch.records, events, strict=True):
            if event is None:
                continue
            meant = self._meant(message, event, letters)
            if meant is not None:
                taken.append(event)
                groups.setdefault(event.parcel_key, []).append(meant)
        if taken:
            self._newest_ms = latest_ms(taken)
            self._watermark.saw(batch.topic, append_bound_ms(batch, self._newest_ms))
        rows = self._rows
        too_old_ms = self._fired_ms - self._config.context.rules.forget_ms
        for key, arrivals in groups.items():
            parcel = rows.load(key) or Parcel(key=key)
            fold.arrive(parcel, arrivals, out, too_old_ms=too_old_ms)
            if parcel.pending or key in rows:
                rows.save(key, parcel)
        return letters

    def _meant(self, message: Message, event: ShipmentEvents, letters: list[DeadLetter]) -> ParcelEvent | None:
        """The event in the words of the model; None, and a dead letter, if nobody says what its status means."""
        if not isinstance(event, ParcelStatus):
            return event
        meaning = self._config.vocabularies.meaning(event)
        if meaning is None:
            refusal = UnreadableRecord("status_unknown", self._config.vocabularies.unknown(event))
            letters.append(dead_letter(message, refusal, stage=STAGE))
            return None
        return scan_of(event, meaning.status, meaning.reason)

    def _collect(self, out: Tracked) -> None:
        config, encode = self._config, self._encode
        for registered in out.registrations:
            self._outputs.append(Output(config.milestones_topic, registered.person_id.encode(), encode(registered)))
        for request in out.polls:
            self._outputs.append(Output(config.polls_topic, request.parcel_key.encode(), encode(request)))
        for record in out.news:
            key, value = record.person_id.encode(), encode(record)
            self._outputs.append(Output(config.milestones_topic, key, value))
            self._outputs.append(Output(config.decisions_topic, key, value))
            config.metrics.decided(purpose="transactional", outcome=_kind(record), reason=_reason(record))
            if self._now_ms is not None:
                config.metrics.fired((self._now_ms - to_ms(record.at)) / 1_000)
        for _ in range(out.unmatched):
            config.metrics.decided(purpose="transactional", outcome="unmatched", reason="")
        if out.applied or out.late or out.repeated or out.unmatched:
            late = out.late + out.unmatched
            config.metrics.processed(config.shipments, applied=out.applied, late=late, repeated=out.repeated, dead=0)
        for day, sums in out.deliveries.items():
            self._book.delivered(day, sums)


def _kind(record: ParcelDecision) -> str:
    return str(record.__struct_config__.tag)


def _reason(record: ParcelDecision) -> str:
    """Of a closed set."""
    match record:
        case Milestone():
            return record.status
        case Delay() | Cleared():
            return record.rule
        case EstimateChanged():
            return "late" if record.late else ""
