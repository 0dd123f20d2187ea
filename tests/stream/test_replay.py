"""A replay on a real broker: its clock never says more than what can be read, for input in any allowed order."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from postcart.adapters.clock import ClockWriter, ReplayClock, last_told
from postcart.adapters.mock_broker import MockBroker
from postcart.adapters.rdkafka.leaders import watermarks_of
from postcart.adapters.replay import ReplayOptions, ReplayProgress, replay
from postcart.codecs.rees46 import read_rees46
from postcart.codecs.shop_events import ShopEventDecoder
from postcart.codecs.shop_subjects import SUBJECT_OF, SUBJECTS
from postcart.errors import BrokerUnavailable, ConfigurationError, StateError, TopologyError
from postcart.events.shop import ShopEvent, time_ms
from postcart.events.times import HOUR_MS, MINUTE_MS

REAL = Path(__file__).parents[1] / "fixtures" / "rees46"
PARTITIONS = 3
NOTHING = "127.0.0.1:9"


class Place:
    """Topics of one test."""

    def __init__(self, kafka: Any) -> None:
        self.prefix = kafka.prefix("replay")
        self.client = {"bootstrap.servers": kafka.bootstrap, "log_level": 0}
        self.topics = {subject: self.prefix + subject for subject in SUBJECTS}
        self.clock = f"{self.prefix}clock"
        kafka.create(dict.fromkeys(self.topics.values(), PARTITIONS))
        kafka.create({self.clock: 1}, {"cleanup.policy": "compact"})

    def options(self, **changes: Any) -> ReplayOptions:
        """Options for this place."""
        return ReplayOptions(**{"client": self.client, "topics": self.topics, "run_on_ms": MINUTE_MS} | changes)

    def run(self, events: list[ShopEvent], **changes: Any) -> ReplayProgress:
        """Replay here."""
        return replay(events, options=self.options(**changes), clock=ClockWriter(self.client, self.clock))

    @contextmanager
    def reader(self) -> Iterator["Reader"]:
        """Provide an independent reader of everything."""
        consumer = Consumer(
            {**self.client, "group.id": f"{self.prefix}reader", "isolation.level": "read_committed"}
            | {"enable.auto.commit": False, "auto.offset.reset": "earliest"}
            # A broker answers a connection in turn: a fetch that waits would hold up the watermarks behind it.
            | {"fetch.wait.max.ms": 10}
        )
        try:
            yield Reader(consumer, self.topics)
        finally:
            consumer.close()


class Reader:
    """Reads all topics, up to where they reached at a certain moment."""

    def __init__(self, consumer: Consumer, topics: dict[Any, str]) -> None:
        self.consumer = consumer
        self.decoders = {topic: ShopEventDecoder(subject, stage="test") for subject, topic in topics.items()}
        self.next = {(topic, number): 0 for topic in topics.values() for number in range(PARTITIONS)}
        consumer.assign([TopicPartition(*place, 0) for place in self.next])
        self.events: dict[str, ShopEvent] = {}
        self.places: dict[str, tuple[bytes | None, int]] = {}
        self.order: list[str] = []

    def read_up_to_now(self) -> None:
        """Take everything that was there when this was called."""
        ends = {place: watermarks_of(self.consumer, *place, within_s=30)[1] for place in self.next}
        while any(self.next[place] < end for place, end in ends.items()):
            for message in self.consumer.consume(500, timeout=0.1):
                assert message.error() is None
                (event,), letters = self.decoders[message.topic()].decode_batch([message])
                assert not letters
                assert event.id not in self.events
                self.events[event.id] = event
                self.order.append(event.id)
                self.places[event.id] = (message.key(), message.partition())
                self.next[message.topic(), message.partition()] = message.offset() + 1


@pytest.fixture
def place(each_broker: Any) -> Place:
    """Topics of this test's own, on the demo's broker and on a real one."""
    return Place(each_broker)


def history(count: int, seed: int) -> list[ShopEvent]:
    """Real rows, repeated over an hour as other users, arriving up to five minutes too late."""
    chance = random.Random(seed)
    rows = list(read_rees46([REAL / "data_2022_oct.csv"], tenant=UUID(int=1), identity_key=b"k"))
    first, last = time_ms(rows[0]), time_ms(rows[-1])
    assert last - first < 2 * HOUR_MS
    events: list[ShopEvent] = []
    for n in range(count):
        row = rows[n % len(rows)]
        key = SUBJECTS[SUBJECT_OF[type(row)]].key_field
        changes = {"id": f"{n}", key: f"{getattr(row, key)}-{n // len(rows)}", "time": time_ms(row)}
        events.append(type(row)(**{field: getattr(row, field) for field in row.__struct_fields__} | changes))
    return sorted(events, key=lambda event: time_ms(event) + chance.uniform(0, 5 * MINUTE_MS))


def murmur2(data: bytes) -> int:
    """Java's Utils.murmur2, to check partitions independently of librdkafka."""
    mask, m = 0xFFFFFFFF, 0x5BD1E995
    h = (0x9747B28C ^ len(data)) & mask
    whole = len(data) // 4 * 4
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little") * m & mask
        h = (h * m & mask) ^ ((k ^ k >> 24) * m & mask)
    tail = data[whole:]
    if tail:
        h = (h ^ int.from_bytes(tail, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


@pytest.mark.parametrize(("speed", "framing"), [(None, "json"), (1_000.0, "json"), (None, "avro")])
def test_whenever_the_clock_says_t_all_events_up_to_t_can_be_read(
    kafka: Any, speed: float | None, framing: str
) -> None:
    """The invariant, watched by an independent reader while the replay runs; in the end everything is there."""
    place = Place(kafka)
    events = history(4_000, seed=7)
    done: list[ReplayProgress] = []
    failed: list[BaseException] = []
    seconds: list[float] = []

    def run() -> None:
        try:
            began = time.monotonic()
            done.append(place.run(events, speed=speed, framing=framing))
            seconds.append(time.monotonic() - began)
        except BaseException as error:  # noqa: BLE001 -- told to the test
            failed.append(error)

    runner = threading.Thread(target=run)
    times = {event.id: time_ms(event) for event in events}
    values: list[int] = []
    with ReplayClock(place.client, place.clock) as clock, place.reader() as reader:
        assert clock.now_ms() is None
        runner.start()
        over = False
        while not over:
            over = not runner.is_alive()
            now = clock.now_ms()
            if now is None:
                clock.wait_for(1, timeout_s=0.05)
                continue
            values.append(now)
            reader.read_up_to_now()
            late = {event_id for event_id, at_ms in times.items() if at_ms <= now} - reader.events.keys()
            assert not late
        runner.join()
        assert not failed
        (progress,) = done
        assert clock.wait_for(progress.end_ms or 0, timeout_s=30)
        reader.read_up_to_now()
    assert values == sorted(values)
    youngest = max(times.values())
    assert progress == ReplayProgress(
        sent=len(events),
        acknowledged=len(events),
        clock_ms=youngest + MINUTE_MS,
        last_event_ms=youngest,
        end_ms=youngest + MINUTE_MS,
    )
    assert last_told(place.client, place.clock) == progress.end_ms
    assert {event_id: time_ms(event) for event_id, event in reader.events.items()} == times
    for key, partition in reader.places.values():
        assert partition == (murmur2(key or b"") & 0x7FFFFFFF) % PARTITIONS
    if speed:
        assert seconds[0] >= (youngest - min(times.values()) + MINUTE_MS) / 1000 / speed


def test_order_within_a_partition_is_the_order_given(place: Place) -> None:
    """Idempotent production keeps it, so a history's disorder arrives as it was written."""
    events = history(5_000, seed=8)
    place.run(events)
    arrival: dict[tuple[str, int], list[str]] = {}
    with place.reader() as reader:
        reader.read_up_to_now()
    for event_id in reader.order:
        event = reader.events[event_id]
        arrival.setdefault((SUBJECT_OF[type(event)], reader.places[event_id][1]), []).append(event_id)
    rank = {event.id: n for n, event in enumerate(events)}
    for ids in arrival.values():
        assert [rank[event_id] for event_id in ids] == sorted(rank[event_id] for event_id in ids)


def test_a_late_reader_begins_at_the_last_value(place: Place) -> None:
    """A worker that restarts after the replay knows the time at once."""
    progress = place.run(history(10, seed=9))
    with ReplayClock(place.client, place.clock) as clock:
        assert clock.wait_for(progress.end_ms or 0, timeout_s=30)
        assert clock.now_ms() == progress.end_ms
        assert clock.is_replay


class Told(list[int]):
    """A clock that keeps what it was told."""

    begin = tell = list.append

    def flush(self) -> None:
        """All is kept."""


def test_records_refused_for_unknown_reasons_are_sent_again() -> None:
    """As while a broker's disk is full; the clock waits for them."""
    events, told = history(200, seed=11), Told()
    with MockBroker(dict.fromkeys(SUBJECTS, PARTITIONS)) as broker:
        client = {"bootstrap.servers": broker.bootstrap, "log_level": 0}
        broker.refuse(3)
        progress = replay(events, options=ReplayOptions(client=client, topics={s: s for s in SUBJECTS}), clock=told)
        reader = Consumer({**client, "group.id": "reader", "enable.auto.commit": False})
        ends = [watermarks_of(reader, name, n, within_s=30)[1] for name in SUBJECTS for n in range(PARTITIONS)]
        assert sum(ends) == len(events)
        reader.close()
    assert progress.sent == progress.acknowledged == len(events)
    assert told[-1] == progress.end_ms


def test_stopping_early(place: Place) -> None:
    """What was sent is acknowledged, and the clock has not passed what wasn't."""
    events = history(2_000, seed=10)
    seen: list[ReplayProgress] = []
    progress = replay(
        events,
        options=place.options(speed=60.0),
        clock=ClockWriter(place.client, place.clock),
        on_progress=seen.append,
        stopped=lambda: len(seen) >= 3,
    )
    assert progress.sent < len(events)
    assert progress.clock_ms is not None
    unsent = [time_ms(event) for event in events[progress.sent :]]
    assert progress.clock_ms < min(unsent)
    assert last_told(place.client, place.clock) == progress.clock_ms


def test_a_second_replay_of_the_past_is_refused(place: Place) -> None:
    """The clock never falls, so events before it would all be late: one clear message, nothing is sent."""
    events = history(100, seed=11)
    place.run(events)
    with pytest.raises(ConfigurationError, match="an earlier replay has come to 2022-10-01T"):
        place.run(events)
    with place.reader() as reader:
        reader.read_up_to_now()
    assert len(reader.events) == 100


def test_nothing_to_replay(place: Place) -> None:
    """No events, no word of the clock."""
    assert place.run([]).sent == 0
    assert last_told(place.client, place.clock) is None


def test_a_clock_topic_that_holds_something_else(place: Place) -> None:
    """No time is guessed: the worker that reads it ends, and no replay begins."""
    producer = Producer(place.client)
    producer.produce(place.clock, b"noon", b"clock")
    assert producer.flush(60) == 0
    with ReplayClock(place.client, place.clock) as clock, pytest.raises(StateError, match="no clock record"):
        clock.wait_for(1, timeout_s=60)
    with pytest.raises(StateError, match="no clock record"):
        place.run(history(1, seed=1))


def test_missing_topics_are_named(kafka: Any) -> None:
    """All of them, and what to do; for the clock's too."""
    place = Place(kafka)
    place.topics = {subject: f"{name}-absent" for subject, name in place.topics.items()}
    with pytest.raises(TopologyError, match=r"shop\.carts-absent, .*shop\.shipments-absent; .* postcart topics create"):
        place.run(history(1, seed=1))
    with pytest.raises(TopologyError, match="absent: there is no such topic"):
        last_told(place.client, f"{place.prefix}absent")
    with ReplayClock(place.client, f"{place.prefix}absent") as clock, pytest.raises(TopologyError):
        clock.wait_for(1, timeout_s=60)


@pytest.mark.slow
def test_an_unreachable_broker_is_named() -> None:
    """The address, within seconds."""
    options = ReplayOptions(
        client={"bootstrap.servers": NOTHING, "log_level": 0}, topics={subject: subject for subject in SUBJECTS}
    )
    clock = ClockWriter(options.client, "clock")
    with pytest.raises(BrokerUnavailable, match=NOTHING):
        replay(history(1, seed=1), options=options, clock=clock)
