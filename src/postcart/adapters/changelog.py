"""Reads one partition of a changelog from its beginning to a given end, raw.

Owns: a consumer of its own, outside of any group. Must not: decode rows, or know what they are for.
"""

import time
from collections.abc import Iterator
from typing import Any, cast

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from postcart.adapters.rdkafka.leaders import learn_leaders
from postcart.errors import StateError

_CHUNK = 5000
_WAIT_S = 0.1
_END = KafkaError._PARTITION_EOF  # noqa: SLF001 -- the client publishes its own codes with an underscore
_STILL_S = 120.0  # a reader that gets nothing for that long although more is there is broken

Rows = list[tuple[bytes, bytes | None]]


class ChangelogReader:
    """Reads partitions one after the other. All methods block and belong on one thread at a time.

    Args:
        topic: A compacted topic.
        config: Of librdkafka, for a consumer that is assigned by hand: ``read_committed``, partition ends told.
    """

    def __init__(self, topic: str, config: dict[str, Any]) -> None:
        self._topic = topic
        self._consumer = Consumer(config)
        learn_leaders(self._consumer, topic)

    def close(self) -> None:
        """Let go of the consumer."""
        self._consumer.close()

    def read(self, partition: int, *, end: int) -> Iterator[tuple[Rows, int]]:
        """Chunks of some thousand rows in order, each with the position after it, until the position reaches ``end``.

        Positions count, not records: markers and compaction leave gaps. A transaction that a dead writer left open
        is waited for, until the broker aborts it. A chunk may be empty.

        Args:
            partition: Number of the changelog's partition.
            end: High watermark, taken after the group's offsets were known to be stable.

        Raises:
            StateError: The partition could not be read to its end.
        """
        consumer, topic = self._consumer, self._topic
        consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING)])
        position, moved_at = 0, time.monotonic()
        while position < end:
            before = position
            rows, told = self._next(f"{topic}[{partition}] can't be read at {position}")
            position = max(position, told)
            if position != before:
                moved_at = time.monotonic()
            elif time.monotonic() - moved_at > _STILL_S:
                raise StateError(f"{topic}[{partition}] stands still at {position}, before its end {end}")
            yield rows, position
        consumer.unassign()

    def _next(self, trouble: str) -> tuple[Rows, int]:
        """A chunk, and the position that it tells, 0 if none."""
        # Consuming with a timeout would wait for a whole chunk, also where the partition ends before.
        first = self._consumer.poll(_WAIT_S)
        messages = [] if first is None else [first, *self._consumer.consume(_CHUNK - 1, 0)]
        if any(map(Message.error, messages)):
            position = _end_told(messages, trouble)
            messages = [message for message in messages if message.error() is None]
        else:
            position = 0
        if messages:
            position = max(position, offset_of(messages[-1]) + 1)
        # Every row passes here: no call of ours for each. A compacted topic takes no record without a key.
        rows = zip(map(Message.key, messages), map(Message.value, messages), strict=True)
        return cast("Rows", list(rows)), position

    def reset(self) -> None:
        """Let go of a partition that was not read to its end."""
        try:
            self._consumer.unassign()
        except KafkaException as error:
            raise StateError(str(error)) from error


def _end_told(messages: list[Message], trouble: str) -> int:
    """The partition's end if one of the messages tells it, else 0. Raises StateError for what does not pass."""
    end = 0
    for message in messages:
        error = message.error()
        if error is None:
            continue
        if error.code() == _END:
            end = offset_of(message)
        elif not error.retriable() and error.code() not in _PASSING:
            raise StateError(f"{trouble}: {error.str()}")
    return end


def offset_of(message: Message) -> int:
    """Offset of a record or of a partition's end, which always have one; the client's types allow for others."""
    return cast("int", message.offset())


_PASSING = frozenset({KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT})  # noqa: SLF001
