"""Reads a topic from somewhere to where it ends now, and stops.

Owns: that reading, and what the client's errors mean. Must not: write, commit, or know what the records are.
"""

import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from postcart.adapters.rdkafka.leaders import watermarks_of
from postcart.errors import BrokerUnavailable, PostcartError, TopologyError

REQUEST_S: Final = 10.0
_CREATED_WITHIN_S: Final = 3.0
"""A topic just created is not known everywhere at once: trouble must last to count."""
_SILENCE_S: Final = 30.0
"""So long without any progress, and reading gives up: open transactions end within their time-out of 10 s."""
_CHUNK: Final = 500
_QUEUED_KB: Final = 16_384
"""What is fetched ahead: with letters of megabytes this is the memory that reading takes."""

Starts = dict[int, int]
"""Partition number → the offset to begin at."""


class Scan:
    """One reading of a topic up to its end of now.

    The ends are those of ``read_uncommitted``: what an open transaction hides is waited for, so that a marker which a
    predecessor wrote behind it is not missed.

    Attributes:
        ends: Where each partition ended when this began: the next scan may begin there.
    """

    def __init__(
        self,
        client: Mapping[str, Any],
        topic: str,
        *,
        partitions: frozenset[int] | None = None,
        starts: Starts | None = None,
        since_ms: int | None = None,
    ) -> None:
        """Find out where to begin and to end.

        Args:
            client: librdkafka's properties of a client.
            topic: To be read.
            partitions: Only these; None: all.
            starts: Where to begin, where that is not the beginning.
            since_ms: Begin with the first record of this append time.

        Raises:
            BrokerUnavailable: Kafka can't be read.
            TopologyError: There is no such topic.
        """
        self._client, self._topic = client, topic
        marks = watermarks(client, topic)
        marks = {number: at for number, at in marks.items() if partitions is None or number in partitions}
        self.ends: Starts = {number: high for number, (_, high) in marks.items()}
        self._starts = {number: max(low, (starts or {}).get(number, low)) for number, (low, _) in marks.items()}
        if since_ms is not None:
            self._starts |= _offsets_at(client, topic, since_ms, self._starts)

    def __iter__(self) -> Iterator[Message]:
        """Every committed record, in the order of each partition; one at a time in memory."""
        left = {number for number, end in self.ends.items() if self._starts[number] < end}
        if not left:
            return
        consumer = Consumer(reader(self._client, self._topic))
        try:
            consumer.assign([TopicPartition(self._topic, number, self._starts[number]) for number in left])
            yield from self._read(consumer, left)
        except KafkaException as error:
            raise mapped(error.args[0], self._topic) from error
        finally:
            consumer.close()

    def _read(self, consumer: Consumer, left: set[int]) -> Iterator[Message]:
        moved_at = time.monotonic()
        while left:
            for message in consumer.consume(num_messages=_CHUNK, timeout=0.2):
                error, number = message.error(), message.partition()
                if error is None:
                    if number in left:  # a partition that has passed its end is read on until all have
                        yield message
                    moved_at = time.monotonic()  # behind the yield: a slow taker is no silence of the broker
                elif error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 -- librdkafka's public name for it
                    raise mapped(error, self._topic)
                if number is not None and (message.offset() or 0) + (error is None) >= self.ends[number]:
                    moved_at = time.monotonic()
                    left.discard(number)
            if time.monotonic() - moved_at > _SILENCE_S:
                raise BrokerUnavailable(
                    f"{self._topic}: nothing could be read for {_SILENCE_S:.0f} s; is a transaction open?"
                )


def watermarks(client: Mapping[str, Any], topic: str) -> dict[int, tuple[int, int]]:
    """First and next offset of each partition. A topic just created may be unknown, or without a leader, at first.

    Raises:
        BrokerUnavailable: Kafka can't be asked.
        TopologyError: There is no such topic.
    """
    consumer = Consumer(reader(client, topic) | {"isolation.level": "read_uncommitted"})
    deadline = time.monotonic() + _CREATED_WITHIN_S
    try:
        while True:
            try:
                known = consumer.list_topics(topic, timeout=REQUEST_S).topics[topic]
                if known.error is not None:
                    raise KafkaException(known.error)  # noqa: TRY301 -- the same trouble, told in another way
                return {
                    number: watermarks_of(consumer, topic, number, within_s=REQUEST_S) for number in known.partitions
                }
            except KafkaException as error:
                if time.monotonic() > deadline:
                    raise mapped(error.args[0], topic) from error
                consumer.poll(0.1)
    finally:
        consumer.close()


def reader(client: Mapping[str, Any], topic: str) -> dict[str, Any]:
    """Properties of a consumer that reads committed records and leaves no trace."""
    return {
        **client,
        "group.id": f"{topic}.reader",  # required by the client, never joined
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed",
        "enable.partition.eof": True,
        "allow.auto.create.topics": False,
        "queued.max.messages.kbytes": _QUEUED_KB,
    }


def mapped(error: KafkaError, topic: str) -> PostcartError:
    """What an error of the client is in our terms."""
    missing = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION}  # noqa: SLF001 -- librdkafka's names for its own codes
    if error.code() in missing:
        return TopologyError(f"{topic}: there is no such topic; create it with: postcart topics create")
    return BrokerUnavailable(f"{topic}: {error.str()}")


def _offsets_at(client: Mapping[str, Any], topic: str, at_ms: int, starts: Starts) -> Starts:
    """Where the first record of that time is; nothing for partitions that have none so young."""
    consumer = Consumer(reader(client, topic))
    try:
        asked = [TopicPartition(topic, number, at_ms) for number in starts]
        found = consumer.offsets_for_times(asked, timeout=REQUEST_S)
    except KafkaException as error:
        raise mapped(error.args[0], topic) from error
    finally:
        consumer.close()
    return {one.partition: max(one.offset, starts[one.partition]) for one in found if one.offset >= 0}
