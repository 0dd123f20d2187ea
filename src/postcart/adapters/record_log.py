"""Appends single records to topics and says when the broker has them.

Owns: the idempotent producer of those who answer to somebody outside. Must not: be used by stages, whose records are
part of a transaction.
"""

import threading
from collections.abc import Sequence
from functools import partial
from time import monotonic
from typing import Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from postcart.adapters.rdkafka.settings import ClientSettings
from postcart.adapters.topics.sampling import murmur2
from postcart.errors import BrokerUnavailable

ANSWER_S: Final = 20.0
"""How long a record may take. Whoever waits outside is told to come again before its own patience ends."""
_SPARE_S: Final = 5.0
_POLL_S: Final = 0.05


class LogRecord:
    """A record to append; it lies on the partition of ``partition_key``, whatever its own key is.

    A ``value`` of None is a tombstone.
    """

    __slots__ = ("key", "partition_key", "topic", "value")

    def __init__(self, topic: str, *, key: bytes, value: bytes | None, partition_key: bytes) -> None:
        self.topic, self.key, self.value, self.partition_key = topic, key, value, partition_key


class Written(NamedTuple):
    """Where a record lies."""

    partition: int
    position: int


class RecordLog:
    """Thread-safe: any number of threads may append at a time.

    Args:
        settings: How to reach Kafka.
        client_id: For the broker's logs.
        partitions: Count of each topic that is written to.
        answer_s: How long a record may take.
    """

    def __init__(
        self, settings: ClientSettings, client_id: str, partitions: dict[str, int], *, answer_s: float = ANSWER_S
    ) -> None:
        self._partitions = partitions
        self._answer_s = answer_s
        self._producer = Producer(
            settings.client(client_id)
            | {
                "enable.idempotence": True,  # and with it acks=all
                "delivery.timeout.ms": int(answer_s * 1_000),
                "linger.ms": 5,
                "compression.type": settings.compression,
                "reconnect.backoff.max.ms": 1_000,
            }
        )
        self.failed: KafkaError | None = None
        """Set once the producer can't go on: the process must end and start again."""

    def append(self, records: Sequence[LogRecord]) -> list[Written]:
        """Write the records and wait for the broker. Blocks, up to 5 s longer than a record may take.

        Returns:
            Where each lies, in their order.

        Raises:
            BrokerUnavailable: It is not known that all are there. Some may be: append them again.
        """
        waiting = _Waiting(len(records))
        try:
            for index, record in enumerate(records):
                partition = self.partition_of(record.topic, record.partition_key)
                told = partial(waiting.told, index)
                self._producer.produce(record.topic, record.value, record.key, partition, on_delivery=told)
        except (BufferError, KafkaException) as error:
            raise BrokerUnavailable(f"a record is not taken: {error}") from error
        deadline = monotonic() + self._answer_s + _SPARE_S
        while not waiting.done.is_set() and monotonic() < deadline:
            self._producer.poll(_POLL_S)
        failed = waiting.error
        if failed is not None and failed.fatal():
            self.failed = failed
        if failed is not None or not waiting.done.is_set():
            raise BrokerUnavailable(f"a record is not there: {failed.str() if failed else 'no answer'}")
        return waiting.written

    def partition_of(self, topic: str, partition_key: bytes) -> int:
        """Where records of that key lie in a topic."""
        return murmur2(partition_key) % self._partitions[topic]


class _Waiting:
    """Counts deliveries; told by whichever thread polls."""

    def __init__(self, count: int) -> None:
        self.done = threading.Event()
        self.error: KafkaError | None = None
        self.written = [Written(-1, -1)] * count
        self._left = count
        self._lock = threading.Lock()
        if not count:
            self.done.set()

    def told(self, index: int, error: KafkaError | None, message: Message) -> None:
        with self._lock:
            self._left -= 1
            if error is None:
                self.written[index] = Written(int(message.partition() or 0), int(message.offset() or 0))
            self.error = self.error or error
            if not self._left:
                self.done.set()
