"""Reading topics as they grow, and what a group has not read yet: the judge's own view of Kafka.

Owns: consumers outside of any group. Must not: use the product's clients.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition

from postcart.adapters.rdkafka.leaders import watermarks_of

REQUEST_S = 20.0


class Seen(NamedTuple):
    """A committed record."""

    partition: int
    at_ms: int
    """When the broker appended it."""
    key: bytes | None
    value: bytes | None


class Tail:
    """All committed records of a topic so far; ``poll`` adds what has come.

    Args:
        bootstrap: Where Kafka is.
        topic: Its name.
        partitions: How many it has.
        decode: Makes of each value what ``found`` holds; None leaves a value out.
    """

    def __init__(
        self, bootstrap: str, topic: str, partitions: int, decode: Callable[[bytes], Any] = lambda _: None
    ) -> None:
        self._decode = decode
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": f"{topic}.judge",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 200,  # new records come at once all the same
                "log_level": 0,
                "reconnect.backoff.max.ms": 500,
            }
        )
        self._partitions = partitions
        self._consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in range(partitions)])
        self._behind = set(range(partitions))
        self.records: list[Seen] = []
        self.found: list[Any] = []

    def poll(self, seconds: float = 0.3) -> bool:
        """Take what there is, for a while at most; whether every partition was read to its end."""
        until = time.monotonic() + seconds
        while True:
            messages = self._consumer.consume(5_000, 0.05)
            for message in messages:
                if message.error() is None:
                    self._behind.add(message.partition())
                    self._take(Seen(message.partition(), message.timestamp()[1], message.key(), message.value()))
                elif message.partition() is not None and message.partition() >= 0:
                    self._behind.discard(message.partition())
            if (not messages and not self._behind) or time.monotonic() > until:
                return not self._behind

    def _take(self, seen: Seen) -> None:
        self.records.append(seen)
        if seen.value is not None and (found := self._decode(seen.value)) is not None:
            self.found.append(found)

    def close(self) -> None:
        """Let go of the connection."""
        self._consumer.close()


class Group:
    """How far a group's committed offsets are behind what there is.

    A living system always has records on their way: what counts is whether everything that was there is committed.
    Asked by a consumer that never joins: an admin client's question to a coordinator that comes too late aborts the
    process (librdkafka 2.16).
    """

    def __init__(self, bootstrap: str, group: str, topics: Iterable[str], partitions: int) -> None:
        self._consumer = Consumer(
            {"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False, "log_level": 0}
        )
        self._names = [TopicPartition(topic, number) for topic in topics for number in range(partitions)]

    def drained(self, *, seconds: float) -> int | None:
        """What remains, after a while at most, of the records that were there at the call; None: nobody could tell."""
        until = time.monotonic() + seconds
        ends: dict[tuple[str, int], int] = {}
        left = None
        while left != 0 and time.monotonic() < until:
            try:
                ends = ends or self._ends()
                left = self._left(ends)
            except KafkaException:
                left = None
            if left != 0:
                time.sleep(0.2)
        return left

    def close(self) -> None:
        """Let go of the connection."""
        self._consumer.close()

    def _ends(self) -> dict[tuple[str, int], int]:
        places = [(name.topic, name.partition) for name in self._names]
        return {place: watermarks_of(self._consumer, *place, within_s=REQUEST_S)[1] for place in places}

    def _left(self, ends: dict[tuple[str, int], int]) -> int:
        committed = self._consumer.committed(self._names, timeout=REQUEST_S)
        return sum(max(0, ends[tp.topic, tp.partition] - max(0, tp.offset)) for tp in committed)
