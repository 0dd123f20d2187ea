"""Things that happen in real time, at a rate, and when what comes of each can be seen.

Owns: producing them and watching for their outcomes, on two threads. Must not: know what happens, or what comes of it.
"""

import gc
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from confluent_kafka import Consumer, Producer, TopicPartition

from postcart.settings import Settings

_TICK_S = 0.01
QUIET_RATE = 20.0
"""Records a second at which outcomes are waited for: where nothing happens, no clock moves."""
_SETTLE_S = 3.0
_LOOK_S = 0.2
_RECENT = 10_000
_PATIENCE_S = 120
"""Only ends a run that would hang."""


class Seen(NamedTuple):
    """An outcome: of which happening, when it was seen (s), how long after its beginning (ms), where."""

    number: int
    at_s: float
    delay_ms: int
    partition: int


class Span(NamedTuple):
    """What came of a stretch of happenings, and how many of them came too late for an outcome."""

    found: list[Seen]
    late: int


class Traffic(ABC):
    """Produces happenings, each of some records, and watches committed outcomes.

    Args:
        settings: Where to.
        watched: Topics with one outcome for each happening.
        partitions: Of these.
    """

    records_each = 2
    """Records of one happening."""

    def __init__(self, settings: Settings, *, watched: Sequence[str], partitions: int) -> None:
        self._settings = settings
        self._producer = Producer(
            {"bootstrap.servers": settings.bootstrap, "partitioner": "murmur2_random", "linger.ms": 5}
        )
        self.happened = 0
        self.seen: dict[str, list[Seen]] = {topic: [] for topic in watched}
        self._partitions = partitions
        self._stop = threading.Event()
        self._failure: Exception | None = None
        self._watching = threading.Thread(target=self._watch)

    @abstractmethod
    def records(self, number: int, now_ms: int) -> Iterable[tuple[str, str, str | bytes]]:
        """Topic, key and value of what happens for the ``number``-th time, now."""

    @abstractmethod
    def outcome_of(self, topic: str, value: bytes) -> tuple[int, float] | None:
        """The number of the happening of which this is the outcome, and when it happened (s); None: it is none."""

    def shop(self, name: str) -> str:
        """The full name of a topic of the shop."""
        return self._settings.shop_topic(name)

    def start(self) -> None:
        """Watch from now on. What is seen is kept, millions of it: going through that would stop both threads."""
        gc.disable()
        self._watching.start()

    def send(self, rate: float, seconds: float) -> None:
        """So many records a second, evenly."""
        began, sent = time.monotonic(), 0
        while (now := time.monotonic()) < began + seconds:
            due = int((now - began) * rate)
            while sent < due:
                self.happen()
                sent += self.records_each
            self._producer.poll(0)
            self._check()
            time.sleep(_TICK_S)
        self._producer.flush()

    def happen(self) -> None:
        """Once."""
        self.happened += 1
        for record in self.records(self.happened, time.time_ns() // 1_000_000):
            self.produce(*record)

    def produce(self, topic: str, key: str, value: str | bytes) -> None:
        """One record; waits while the queue is full."""
        while True:
            try:
                self._producer.produce(topic, value, key)
            except BufferError:
                self._producer.poll(0.05)
            else:
                return

    def settled(self, topic: str) -> None:
        """Wait until every happening so far has had its outcome there, or can't have one any more.

        Meanwhile there are a few more. Once those of the time after a while have outcomes in every partition, what is
        still missing came too late: it waited here longer than the allowed disorder.
        """
        last, until = self.happened, time.monotonic() + _PATIENCE_S
        self.send(QUIET_RATE, _SETTLE_S)
        later = self.happened
        while not self._is_over(topic, last, later):
            if time.monotonic() > until:
                raise SystemExit(f"outcomes of all partitions did not come within {_PATIENCE_S} s")
            self.send(QUIET_RATE, _LOOK_S)

    def _is_over(self, topic: str, last: int, later: int) -> bool:
        seen = self.seen[topic]
        after = {one.partition for one in seen[-_RECENT:] if one.number > later}
        return len(after) == self._partitions or sum(one.number <= last for one in seen) == last

    def warmed_up(self) -> None:
        """Wait until outcomes come from all partitions, and come at once."""
        until = time.monotonic() + _PATIENCE_S
        while time.monotonic() < until:
            since = {topic: len(found) for topic, found in self.seen.items()}
            self.send(QUIET_RATE, 2)
            latest = [found[since[topic] :] for topic, found in self.seen.items()]
            if (
                all(one and one[-1].delay_ms < 1_000 for one in latest)
                and len({seen.partition for seen in latest[0]}) == self._partitions
            ):
                return
        told = {topic: [(seen.delay_ms, seen.partition) for seen in found[-4:]] for topic, found in self.seen.items()}
        raise SystemExit(f"outcomes of all partitions did not come at once within {_PATIENCE_S} s; the last: {told}")

    def during(self, rate: float, seconds: float, topic: str) -> Span:
        """The outcomes there of what happens at that rate for so long."""
        return self._span(topic, lambda: self.send(rate, seconds))

    def _span(self, topic: str, act: Callable[[], None]) -> Span:
        first, since = self.happened + 1, len(self.seen[topic])
        act()
        last = self.happened
        self.settled(topic)
        found = [one for one in self.seen[topic][since:] if first <= one.number <= last]
        return Span(found, last - first + 1 - len(found))

    def sustained(self, rate: float, seconds: float, topic: str) -> float:
        """The most records a second of which outcomes come: tried from ``rate`` on, until less comes out than in.

        Counted over the second half of the time: what is on its way at its end was so at its beginning.
        """
        most = 0.0
        while True:
            self.send(rate, seconds / 2)
            began, since = time.time(), len(self.seen[topic])
            self.send(rate, seconds / 2)
            ended, through = time.time(), len(self.seen[topic]) - since
            found = self.records_each * through / (ended - began)
            self.settled(topic)
            print(f"  {rate:,.0f} records/s in, {found:,.0f} through", flush=True)
            most = max(most, found)
            if found < 0.9 * rate:
                return most
            rate *= 1.5

    def _watch(self) -> None:
        consumer = Consumer(
            {
                "bootstrap.servers": self._settings.bootstrap,
                "group.id": "bench",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 10,
            }
        )
        topics = {self._settings.topic(name): name for name in self.seen}
        consumer.assign([TopicPartition(topic, number, 0) for topic in topics for number in range(self._partitions)])
        try:
            while not self._stop.is_set():
                for message in consumer.consume(5_000, 0.02):
                    if message.error() is None:
                        now, name = time.time(), topics[message.topic() or ""]
                        if (outcome := self.outcome_of(name, message.value() or b"")) is not None:
                            number, began = outcome
                            delay_ms = round((now - began) * 1000)
                            self.seen[name].append(Seen(number, now, delay_ms, message.partition() or 0))
        except Exception as error:  # noqa: BLE001 -- whatever it is, the bench ends by it
            self._failure = error
        finally:
            consumer.close()

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Stop watching."""
        self._stop.set()
        self._watching.join()


def spread(found: Sequence[Seen]) -> dict[str, int]:
    """Half of the delays, 99 of 100 and all are at most so many ms."""
    delays = sorted(seen.delay_ms for seen in found)
    return {"p50": delays[len(delays) // 2], "p99": delays[len(delays) * 99 // 100], "max": delays[-1]}
