"""TRACK's tasks tell like one finished history, however records come, days are told and workers crash."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from random import Random
from typing import Any
from uuid import UUID
from zlib import crc32

import msgspec
import pytest
from confluent_kafka import Message

from lane_histories import FIXTURE
from parcels import random_history
from postcart.adapters.business_days import business_days
from postcart.codecs.dead_letters import DeadLetter
from postcart.codecs.olist import read_olist
from postcart.codecs.olist_events import olist_events
from postcart.codecs.records import RecordDecoder
from postcart.codecs.shop_events import ShopEventDecoder
from postcart.content.carrier_files import load_vocabularies
from postcart.domain.track.estimate_days import DayTold
from postcart.domain.track.history import follow
from postcart.domain.track.outcome import Context
from postcart.domain.track.parcel import ParcelEvent, Scan, scan_of
from postcart.domain.track.rules import Polling, Rules
from postcart.events.event import time_ms
from postcart.events.milestones import MilestoneRecord, ParcelDecision, Registered
from postcart.events.polls import PollRequest
from postcart.events.shipments import ParcelStatus, ShipmentEvents
from postcart.events.signals import TaskClock
from postcart.events.times import DAY_MS, MINUTE_MS
from postcart.processors.engine.task import Output
from postcart.processors.stage_metrics import NoStageMetrics
from postcart.processors.track import TrackConfig, TrackTask
from tasks_in_memory import FAR_FUTURE_MS, Worker

TASKS = 3
DISORDER_MS = 5 * MINUTE_MS
SHIPMENTS, LANES, MILESTONES, DECISIONS, DEAD = "shipments", "lanes", "milestones", "decisions", "dead"
POLLS = "polls"
RULES = Rules()
VOCABULARIES = load_vocabularies()
TENANT = UUID("0f8fad5b-d9cb-469f-a165-70867728950e")
_encode = msgspec.json.Encoder().encode


def history(seed: int) -> list[ShipmentEvents]:
    """The parcels of the made-up shop, some without a promise, and numbers to which everything happens."""
    random = Random(seed)
    orders = random.sample(read_olist(FIXTURE / "orders.csv", FIXTURE / "order_items.csv"), 220)
    events: list[ShipmentEvents] = []
    for event in olist_events(orders, tenant=TENANT, identity_key=b"for tests"):
        if isinstance(event, ShipmentEvents):
            if event.id[0] in "0123" and hasattr(event, "promised_at"):
                event = msgspec.structs.replace(event, promised_at=None)  # noqa: PLW2901 -- as it is on the topic
            events.append(event)
    first_ms = min(map(time_ms, events))
    for number in range(12):
        own = random_history(seed * 100 + number)
        shift_ms = first_ms - min(map(moment, own)) + random.randrange(90) * DAY_MS
        events += [as_shipped(event, f"N{number}X{seed}", shift_ms) for event in own]
    return sorted(events, key=time_ms)


def moment(event: ParcelEvent) -> int:
    """Its time."""
    return event.time if isinstance(event, Scan) else time_ms(event)


def as_shipped(event: ParcelEvent, number: str, shift_ms: int) -> ShipmentEvents:
    """A test's event as one of the topic, later and under another number."""
    common: dict[str, Any] = {"tracking_number": number, "time": moment(event) + shift_ms, "id": f"{number}.{event.id}"}
    if isinstance(event, Scan):
        return ParcelStatus(**common, carrier="dhl", code=event.status, detail=event.reason, vocabulary="postcart")
    for name in ("promised_at", "ready_at", "estimated_at", "until"):
        if getattr(event, name, None) is not None:
            common[name] = getattr(event, name) + shift_ms
    return msgspec.structs.replace(event, **common)


def expected(events: Iterable[ShipmentEvents]) -> Counter[bytes]:
    """What a finished history comes to."""
    parcels: dict[str, list[ParcelEvent]] = {}
    for event in events:
        meant: ParcelEvent | None = None if isinstance(event, ParcelStatus) else event
        if isinstance(event, ParcelStatus):
            meaning = VOCABULARIES.meaning(event)
            meant = scan_of(event, *meaning) if meaning else None
        if meant is not None:
            parcels.setdefault(event.parcel_key, []).append(meant)
    return Counter(_encode(record) for record in follow(parcels, RULES, business_days).news)


class Pipeline:
    """All tasks of the stage. ``replay``: the clock says what has arrived; else it is wall time."""

    def __init__(self, random: Random, *, replay: bool, rules: Rules = RULES) -> None:
        config = TrackConfig(
            context=Context(rules=rules, business_days=business_days),
            vocabularies=VOCABULARIES,
            shipments=SHIPMENTS,
            shipment_decoder=ShopEventDecoder("shop.shipments", stage="track"),
            lanes=LANES,
            lane_decoder=RecordDecoder(DayTold, stage="track"),
            milestones_topic=MILESTONES,
            decisions_topic=DECISIONS,
            polls_topic=POLLS,
            dead_topic=DEAD,
            tasks=TASKS,
            milestone_partitions=1,
            clock_interval_ms=1,
            disorder_ms=DISORDER_MS,
            exact_idle=replay,
            metrics=NoStageMetrics(),
        )
        self.random = random
        self.replay = replay
        self.told: Counter[bytes] = Counter()
        self.decided: Counter[bytes] = Counter()
        self.dead: list[DeadLetter] = []
        self.polls: list[PollRequest] = []
        self.order: dict[str, list[ParcelDecision]] = {}
        self.registered: Counter[str] = Counter()
        self.clocks: dict[int, int] = {}
        self.workers = [Worker(lambda n=n: TrackTask(config, n), (SHIPMENTS, LANES), n) for n in range(TASKS)]  # type: ignore[misc]

    def run(self, arrivals: Sequence[tuple[int, ShipmentEvents]]) -> None:
        """Arrivals by their time, then all the time that follows."""
        clock_ms, rest = 0, list(arrivals)
        while rest:
            count = self.random.randint(1, 90)
            for _, event in rest[:count]:
                self.append(SHIPMENTS, event.parcel_key.encode(), _encode(event))
            clock_ms = rest[min(count, len(rest)) - 1][0]
            del rest[:count]
            if self.replay and rest:
                clock_ms = min(moment for moment, _ in rest) - DISORDER_MS - 1
            self.work(clock_ms)
        for _ in range(120):
            clock_ms += self.random.choice((MINUTE_MS, DAY_MS, 9 * DAY_MS))
            self.work(clock_ms)
        self.settle(clock_ms + 500 * DAY_MS)

    def append(self, topic: str, key: bytes | None, value: bytes, partition: int | None = None) -> None:
        """Write a record to its partition."""
        number = crc32(key or b"") % TASKS if partition is None else partition
        log = self.workers[number].inputs[topic]
        record: dict[str, Any] = {"topic": topic, "partition": number, "offset": len(log), "key": key, "value": value}
        log.append(Message(**record, timestamp=(1, FAR_FUTURE_MS)))

    def work(self, clock_ms: int) -> None:
        """Every worker does some of what it could do, in some order."""
        for worker in self.random.sample(self.workers, TASKS):
            for topic in worker.unread():
                if self.random.random() < 0.7:
                    worker.read(topic, self.random.choice((1, 5, 100)))
            worker.advance(clock_ms)
            happened = self.random.random()
            if happened < 0.5:
                self.deliver(worker.commit())
            elif happened < 0.53:
                worker.crash()

    def settle(self, clock_ms: int) -> None:
        """Go on until nobody has anything left to read or to write."""
        busy = True
        while busy:
            busy = False
            for worker in self.workers:
                for topic in worker.unread():
                    worker.read(topic, len(worker.inputs[topic]))
                worker.advance(clock_ms)
                outputs = worker.commit()
                busy = busy or bool(outputs)
                self.deliver(outputs)

    def deliver(self, outputs: Sequence[Output]) -> None:
        """Committed records reach their readers."""
        for output in outputs:
            value = output.value or b""
            if output.topic == LANES:
                self.append(LANES, output.key, value, output.partition)
            elif output.topic == MILESTONES:
                record = msgspec.json.decode(value, type=MilestoneRecord | TaskClock)
                if isinstance(record, TaskClock):
                    assert record.clock_ms >= self.clocks.get(record.task, -1)
                    self.clocks[record.task] = record.clock_ms
                    continue
                assert output.key == record.person_id.encode()
                if isinstance(record, Registered):
                    self.registered[record.parcel_id] += 1
                    continue
                assert self.registered[record.parcel_id], "who reads of a parcel has read that there is one"
                self.told[value] += 1
                self.order.setdefault(record.parcel_id, []).append(record)
            elif output.topic == DECISIONS:
                self.decided[value] += 1
            elif output.topic == POLLS:
                request = msgspec.json.decode(value, type=PollRequest)
                assert output.key == request.parcel_key.encode()
                self.polls.append(request)
            elif output.topic == DEAD:
                self.dead.append(msgspec.json.decode(value, type=DeadLetter))


def arrivals(events: Sequence[ShipmentEvents], random: Random) -> list[tuple[int, ShipmentEvents]]:
    """Each event three times, each up to five minutes late."""
    late = [(time_ms(event) + random.randrange(DISORDER_MS), event) for event in events for _ in range(3)]
    return sorted(late, key=lambda arrival: arrival[0])


@pytest.mark.parametrize("replay", [True, False])
def test_tasks_tell_like_a_finished_history(replay: bool) -> None:  # noqa: FBT001 -- pytest's parameter
    """Three tasks that learn from each other, restarts from the changelog, records shuffled, three times each."""
    events = history(1)
    wanted = expected(events)
    assert any(b'"learned"' in line for line in wanted)
    pipeline = Pipeline(Random(2), replay=replay)
    pipeline.run(arrivals(events, Random(3)))
    assert pipeline.told == wanted
    assert pipeline.decided == wanted
    assert pipeline.dead == []
    assert not any(len(worker.task._rows) for worker in pipeline.workers)  # type: ignore[attr-defined]
    assert not pipeline.polls


def test_asking_carriers_changes_nothing_that_is_told() -> None:
    """However the clock leaps and whatever crashes; each parcel is asked about in rounds, none left out or twice."""
    events = history(4)
    pipeline = Pipeline(Random(5), replay=False, rules=Rules(polling=Polling(carriers=frozenset(), every=True)))
    pipeline.run(arrivals(events, Random(6)))
    assert pipeline.told == expected(events)
    rounds: dict[str, list[PollRequest]] = {}
    for request in pipeline.polls:
        rounds.setdefault(request.parcel_id, []).append(request)
    assert len(rounds) > 150
    for requests in rounds.values():
        assert [request.round for request in requests] == list(range(len(requests)))
        gaps = [later.at_ms - earlier.at_ms for earlier, later in pairwise(requests)]
        assert all(gap >= 27 * MINUTE_MS for gap in gaps)


def test_an_unknown_word_is_a_dead_letter() -> None:
    """With its name; what else is said of the parcel goes on."""
    events = history(1)[:40]
    odd = ParcelStatus(
        id="odd", time=events[-1].time, carrier="dhl", tracking_number="N1", code="teleported", detail="twice"
    )
    pipeline = Pipeline(Random(1), replay=True)
    pipeline.run([(time_ms(event), event) for event in [*events, odd]])
    assert pipeline.told == expected(events)
    (letter,) = pipeline.dead
    assert (letter.reason, letter.stage) == ("status_unknown", "track")
    assert "carriers/dhl.yaml" in letter.detail
    assert "'teleported' ('twice')" in letter.detail


@pytest.mark.slow
def test_a_task_that_is_behind_holds_nobody_up_for_a_week() -> None:
    """Others fold on, up to the seventh day after what it told last; then they wait for it."""
    events = history(1)
    pipeline = Pipeline(Random(1), replay=True)
    start_ms = time_ms(events[0])
    for worker in pipeline.workers:
        worker.advance(start_ms - 1)
        pipeline.deliver(worker.commit())
    for event in events:
        pipeline.append(SHIPMENTS, event.parcel_key.encode(), _encode(event))
    for _ in range(30):
        for worker in pipeline.workers[1:]:
            for topic in worker.unread():
                worker.read(topic, 10_000)
            worker.advance(start_ms + 60 * DAY_MS)
            pipeline.deliver(worker.commit())
    reached = {worker.task._fired_ms for worker in pipeline.workers[1:]}  # type: ignore[attr-defined]
    first_day = start_ms // DAY_MS
    assert reached == {(first_day + 7) * DAY_MS - 1}
