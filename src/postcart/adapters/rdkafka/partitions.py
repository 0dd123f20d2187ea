"""Partitions by name and as librdkafka's objects.

Owns: converting between the two, holding back and seeking. Must not: keep state.
"""

import time
from collections.abc import Iterable

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from postcart.adapters.rdkafka.listener import TopicPartition as Name

_SEEK_TRIES = 500
_AGAIN_S = 0.01
_STATE = KafkaError._STATE  # noqa: SLF001 -- the client publishes its own codes with an underscore


def seek(consumer: Consumer, tp: Name, position: int) -> None:
    """Seek, on the consumer's thread. For some milliseconds after an assignment librdkafka may not be ready to."""
    for attempt in range(_SEEK_TRIES):
        try:
            consumer.seek(TopicPartition(*tp, position))
        except KafkaException as error:
            if error.args[0].code() != _STATE or attempt == _SEEK_TRIES - 1:
                raise
            time.sleep(_AGAIN_S)
        else:
            return


def hold_back(consumer: Consumer, partitions: list[TopicPartition]) -> None:
    """Pause partitions that are about to be assigned, so that nothing is fetched before a seek says where to begin.

    They can be assigned at any offset then. At the committed ones, the client's own choice, it would first ask for them
    until none of all the partitions has an open transaction, and refuse to seek meanwhile; at the end, it would go on
    asking where that is, and forget the seek (librdkafka 2.16).
    """
    for tp in partitions:  # asks nobody: what the client does not know yet can't be paused
        consumer.get_watermark_offsets(tp, cached=True)
    consumer.pause(partitions)


def partitions_of(names: Iterable[Name]) -> list[TopicPartition]:
    """For the consumer."""
    return [TopicPartition(topic, partition) for topic, partition in names]


def names_of(partitions: Iterable[TopicPartition]) -> frozenset[Name]:
    """From the consumer."""
    return frozenset((tp.topic, tp.partition) for tp in partitions)


def spoken(partitions: Iterable[Name]) -> list[str]:
    """For the log."""
    return [f"{topic}[{partition}]" for topic, partition in sorted(partitions)]
