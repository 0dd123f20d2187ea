"""Things that happen in real time, at a rate, and when what comes of each can be seen.

Owns: producing them and watching for their outcomes, on two threads. Must not: know what happens, or what comes of it.
"""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from confluent_kafka import Consumer, Producer, TopicPartition

from postcart.settings import Settings

_TICK_S = 0.01
_PATIENCE_S = 120
"""Only ends a run that would hang."""


class Seen(NamedTuple):
    """An outcome: when it was seen (s), how long after its beginning (ms), where."""

    at_s: float
    delay_ms: int
    partition: int


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
    def began_s(self, topic: str, value: bytes) -> float | None:
        """When that of which this is the outcome happened; None: it is none."""

    def shop(self, name: str) -> str:
        """The full name of a topic of the shop."""
        return self._settings.shop_topic(name)

    def start(self) -> None:
        """Watch from now on."""
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
        """Wait until every happening has had its outcome there."""
        until = time.monotonic() + _PATIENCE_S
        while (count := len(self.seen[topic])) < self.happened:
            if time.monotonic() > until:
                raise SystemExit(f"{self.happened - count} of {self.happened} had no outcome after {_PATIENCE_S} s")
            self._check()
            time.sleep(_TICK_S)

    def warmed_up(self, rate: float) -> None:
        """Wait until outcomes come from all partitions, and come at once."""
        until = time.monotonic() + _PATIENCE_S
        while time.monotonic() < until:
            since = {topic: len(found) for topic, found in self.seen.items()}
            self.send(rate, 2)
            latest = [found[since[topic] :] for topic, found in self.seen.items()]
            if all(one and one[-1].delay_ms < 1_000 for one in latest) and len(
                {seen.partition for seen in latest[0]}
            ) == min(self._partitions, int(rate)):
                return
        told = {topic: [(seen.delay_ms, seen.partition) for seen in found[-4:]] for topic, found in self.seen.items()}
        raise SystemExit(f"outcomes of all partitions did not come at once within {_PATIENCE_S} s; the last: {told}")

    def during(self, rate: float, seconds: float, topic: str) -> list[Seen]:
        """The outcomes there of what happens at that rate for so long."""
        since = len(self.seen[topic])
        self.send(rate, seconds)
        self.settled(topic)
        return self.seen[topic][since:]

    def sustained(self, rate: float, seconds: float, topic: str) -> float:
        """Records a second of which outcomes come, once that is clearly less than what goes in; begins at ``rate``.

        Counted over the second half of the time: what is on its way at its end was so at its beginning.
        """
        outcomes = self.seen[topic]
        while True:
            self.send(rate, seconds / 2)
            since, began = len(outcomes), time.monotonic()
            self.send(rate, seconds / 2)
            found = self.records_each * (len(outcomes) - since) / (time.monotonic() - began)
            self.settled(topic)
            print(f"  {rate:,.0f} records/s in, {found:,.0f} through", flush=True)
            if found < 0.9 * rate:
                return found
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
                        if (began := self.began_s(name, message.value() or b"")) is not None:
                            self.seen[name].append(Seen(now, round((now - began) * 1000), message.partition() or 0))
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
