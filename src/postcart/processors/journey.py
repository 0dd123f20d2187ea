"""JOURNEY's task: one partition of persons.

Owns: the way from signals, orders, profiles, milestones and receipts to the rules of domain.journey, and from their
outcome to decisions, jobs, alerts and the gate. Must not: hold a rule, or know how records are fetched and committed.

Two clocks: carts are decided once DETECT has told all that could concern them; orders and parcels as soon as it is
known that nothing else was appended about them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

from postcart.domain.journey import fold, orders, parcels, suppressions
from postcart.domain.journey.errands import Courier
from postcart.domain.journey.outcome import Context, Decided
from postcart.domain.journey.person import Happening, Person
from postcart.domain.journey.receipts import settle
from postcart.events.consents import ConsentRecorded
from postcart.events.jobs import DeliveryReport, Receipt
from postcart.events.milestones import Cleared, Delay, EstimateChanged, Milestone, Registered
from postcart.events.shop import Event, OrderEvents, ProfileUpdated
from postcart.events.signals import Emptied, Returning, TaskClock
from postcart.processors.engine.task import Effects, Idle, Output, RecordBatch, Row
from postcart.processors.gate import ContactSealer, GateWriter, as_told
from postcart.processors.intake import BatchDecoder, append_bound_ms, dead_outputs, latest_ms
from postcart.processors.journey_outputs import JourneyOutputs, JourneyTopics
from postcart.processors.outlines import waiting_persons
from postcart.processors.rows import RowStore
from postcart.processors.shipping_deadlines import ShippingDeadlines
from postcart.processors.stage_metrics import StageMetrics
from postcart.processors.task_clocks import TRACK_KEY, TaskClocks
from postcart.processors.watermark import Watermark

ROW_VERSION = 2
_FIRE_LIMIT = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class JourneyConfig:
    """What all JOURNEY tasks of a worker share.

    Attributes:
        decoders: By input topic.
        contact_id: Opaque id of a channel's contact point.
        phone: The one form of a number, from how it was told and the country.
        partitions: Of DETECT: a task of it writes its clock to every signals partition.
        track_tasks: Of TRACK: likewise, to every milestones partition.
        progress_interval_ms: How often, in real time, the gate is told how far orders were read.
    """

    context: Context
    topics: JourneyTopics
    decoders: Mapping[str, BatchDecoder]
    sealer: ContactSealer
    contact_id: Callable[[str, str], str]
    partitions: int
    track_tasks: int
    disorder_ms: int
    exact_idle: bool
    progress_interval_ms: int
    metrics: StageMetrics
    phone: Callable[[str, str | None], str] = as_told


class JourneyTask:
    """State and logic of one partition number (see processors.engine.task.Task)."""

    def __init__(self, config: JourneyConfig, partition: int) -> None:
        self._config = config
        self._partition = partition
        self._rows = RowStore(
            Person,
            version=ROW_VERSION,
            deadline=Person.deadline_ms,
            stays_decoded=lambda person: bool(person.pending),
            waiting=waiting_persons(),
        )
        topics = config.topics
        self._watermark = Watermark(
            (topics.orders, topics.profiles), disorder_ms=config.disorder_ms, exact_idle=config.exact_idle
        )
        self._clocks = TaskClocks(config.partitions)
        self._parcel_clocks = TaskClocks(config.track_tasks, TRACK_KEY)
        self._gate = GateWriter(
            gate_topic=topics.gate,
            keys_topic=topics.keys,
            sealer=config.sealer,
            contact_id=config.contact_id,
            partition=partition,
            progress_interval_ms=config.progress_interval_ms,
            at_once=not config.exact_idle,
            phone=config.phone,
        )
        self._shipping_topics = {topics.orders, topics.profiles, topics.milestones, topics.receipts}
        self._shipping = ShippingDeadlines()
        self._shipping_ms = -1
        self._read_ms = dict.fromkeys((topics.orders, topics.profiles, topics.consents), 0)
        self._written = JourneyOutputs(topics, config.metrics)
        self._outputs: list[Output] = []
        self._fired_ms = -1
        self._newest_ms = 0
        self._now_ms: int | None = None

    def restore(self, rows: Sequence[Row]) -> None:
        """See Task."""
        for clocks in (self._clocks, self._parcel_clocks):
            rows = clocks.restore(rows)
        self._rows.restore(rows)

    def restored(self) -> None:
        """See Task."""
        self._rows.restored(self._shipping.at_rest)

    def process(self, batch: RecordBatch) -> None:
        """See Task."""
        config, began = self._config, monotonic()
        records, letters = config.decoders[batch.topic].decode_batch(batch.records)
        self._outputs += dead_outputs(config.topics.dead, letters, config.metrics)
        if batch.topic in {config.topics.orders, config.topics.profiles}:
            self._newest_ms = youngest = latest_ms(records)
            if youngest:
                self._watermark.saw(batch.topic, append_bound_ms(batch, youngest))
        out = Decided(shipping_ms=self._shipping_ms)
        clocks = self._parcel_clocks if batch.topic == config.topics.milestones else self._clocks
        self._take_in(records, clocks, out)
        self._collect(out)
        config.metrics.processed(
            batch.topic,
            applied=len(records) - out.repeated,
            late=0,
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
        self._tell_progress(idle)
        more = self._advance_shipping(idle)
        clock_ms = self._clock_ms()
        if clock_ms is None or clock_ms <= self._fired_ms:
            return more
        out, limit = Decided(shipping_ms=self._shipping_ms), _FIRE_LIMIT
        for key, person in self._rows.due(clock_ms, limit):
            limit -= 1
            self._advance(key, person, clock_ms, out)
        self._collect(out)
        if limit > 0:
            self._fired_ms = clock_ms
        self._config.metrics.clock(self._partition, clock_ms)
        return more or limit <= 0

    def _advance_shipping(self, idle: Mapping[str, Idle]) -> bool:
        """What falls due about orders and parcels, at the worker's time up to which everything about them is read.

        Returns whether more is due than was looked at.
        """
        if self._shipping_topics <= idle.keys():
            self._shipping_ms = max(self._shipping_ms, min(idle[topic].clock_ms for topic in self._shipping_topics))
        out = Decided(shipping_ms=self._shipping_ms)
        known_ms = self._parcel_clocks.clock_ms
        parcels_ms = -1 if known_ms is None else min(self._shipping_ms, known_ms)
        due = self._shipping.due(self._shipping_ms, parcels_ms, _FIRE_LIMIT)
        for key in due:
            person = self._rows.load(key)
            if person is None:
                continue
            courier = Courier(person, self._config.context, out)
            orders.fire(courier, self._shipping_ms, parcels_ms=parcels_ms)
            courier.fire(self._shipping_ms)
            self._save(key, person)
        self._collect(out)
        return len(due) == _FIRE_LIMIT

    def _tell_progress(self, idle: Mapping[str, Idle]) -> None:
        """How fresh the gate is, by when watermarks were asked for: not by now, as this process may have stood still.

        Freshness is a matter of real time, also in a replay; carts can't be told there, as DETECT tells event times.
        """
        for topic in self._read_ms.keys() & idle.keys():
            self._read_ms[topic] = max(self._read_ms[topic], idle[topic].asked_ms)
        orders_ms = min(self._read_ms.values())
        if self._config.exact_idle:
            self._gate.read_up_to(orders_ms, None)
            return
        carts_ms = self._clocks.clock_ms
        # A clock of T says that everything appended up to T and the allowed disorder has been read.
        known_ms = 0 if carts_ms is None else carts_ms + self._config.disorder_ms
        self._gate.read_up_to(orders_ms, known_ms)

    def pending(self) -> bool:
        """See Task."""
        return bool(self._outputs) or self._gate.pending

    def drain(self) -> Effects:
        """See Task."""
        outputs, self._outputs = self._outputs, []
        outputs += self._gate.drain()
        rows = self._rows.take_changed() + self._clocks.take_changed() + self._parcel_clocks.take_changed()
        self._config.metrics.state(
            self._partition, rows=len(self._rows), size=self._rows.size_estimate, waiting=self._rows.waiting()
        )
        return Effects(outputs, rows)

    def close(self) -> None:
        """See Task."""
        self._config.metrics.closed(self._partition)

    def _clock_ms(self) -> int | None:
        """The least of the cart clock (all DETECT tasks) and the clocks of orders and profiles."""
        cart, own = self._clocks.clock_ms, self._watermark.clock_ms
        return None if cart is None or own is None else min(cart, own)

    def _take_in(self, records: Sequence[Any], clocks: TaskClocks, out: Decided) -> None:
        """Group by person, touch each row once; receipts and hints count at once, happenings in their order."""
        groups: dict[str, list[Any]] = {}
        for record in records:
            if isinstance(record, TaskClock):
                clocks.saw(record)
            else:
                groups.setdefault(record.person_id, []).append(record)
        clock_ms = self._clock_ms()
        for person_id, group in groups.items():
            person = self._rows.load(person_id) or Person(person_id=person_id)
            courier = Courier(person, self._config.context, out)
            happenings: list[Happening] = []
            for record in group:
                if isinstance(record, Event):
                    happenings.append(self._shop_event(courier, record))
                elif not self._counts_at_once(courier, record) and record.person_id:
                    happenings.append(record)
            fold.arrive(person, happenings, out)
            courier.profile_came()
            self._advance(person_id, person, -1 if clock_ms is None else clock_ms, out)

    def _shop_event(self, courier: Courier, event: Any) -> Happening:
        """The event as carts take it in; about orders much is said at once."""
        if isinstance(event, ProfileUpdated):
            return self._gate.sealed(courier.person, event)
        if isinstance(event, OrderEvents):
            orders.arrive(courier, event)
        happening: Happening = event
        return happening

    def _counts_at_once(self, courier: Courier, record: Any) -> bool:
        """Take in what does not wait for its place among others; False: it does."""
        person, out = courier.person, courier.out
        match record:
            case Receipt():
                suppressions.receipt_came(person, record, out)
                if settle(person, record, out):
                    courier.receipt_came(record)
            case DeliveryReport():
                suppressions.report_came(person, record, out)
                courier.report_came(record)
                self._config.metrics.reported(record.channel, record.kind)
            case Registered() | Milestone() | EstimateChanged() | Delay() | Cleared():
                parcels.arrive(courier, record)
            case Returning() | Emptied():
                fold.hint(person, record, out)
            case ConsentRecorded():
                fold.consent(person, record, out)
            case _:
                return False
        return True

    def _advance(self, key: str, person: Person, clock_ms: int, out: Decided) -> None:
        if fold.advance(person, clock_ms, self._config.context, out):
            self._save(key, person)
        else:
            self._rows.drop(key)
            self._shipping.saw(key, None)

    def _save(self, key: str, person: Person) -> None:
        self._rows.save(key, person)
        self._shipping.saw(key, person)

    def _collect(self, out: Decided) -> None:
        self._outputs += self._written.outputs_of(out, now_ms=self._now_ms)
        for person in out.gate.values():
            self._gate.changed(person)
