"""From what a poll returned to one batch per partition.

Owns: the bookkeeping of positions. Must not: call the consumer.
"""

from typing import cast

from confluent_kafka import KafkaError, Message

from postcart.adapters.rdkafka.batch import RecordBatch
from postcart.adapters.rdkafka.listener import TopicPartition

_END = KafkaError._PARTITION_EOF  # noqa: SLF001 -- the client publishes its own codes with an underscore


def group(
    messages: list[Message], positions: dict[TopicPartition, int]
) -> tuple[list[RecordBatch], list[tuple[KafkaError, Message]]]:
    """Split a poll's messages by partition; order within a partition is kept.

    Args:
        messages: What the consumer returned: records, ends of partitions, errors.
        positions: Next position per partition, moved on here. Partitions that are absent have not been started;
            their messages are dropped.

    Returns:
        Batches (empty ones where only the position moved: markers, compacted records), and the true errors.
    """
    records: dict[TopicPartition, list[Message]] = {}
    ends: dict[TopicPartition, int] = {}
    errors: list[tuple[KafkaError, Message]] = []
    for message in messages:
        error = message.error()
        tp = cast("TopicPartition", (message.topic(), message.partition()))
        if error is None:
            try:
                records[tp].append(message)
            except KeyError:
                records[tp] = [message]
        elif error.code() == _END:
            ends[tp] = cast("int", message.offset())
        else:
            errors.append((error, message))
    batches = []
    for tp in records.keys() | ends.keys():
        start = positions.get(tp)
        if start is None:
            continue
        found = records.get(tp, [])
        after = cast("int", found[-1].offset()) + 1 if found else start
        after = max(after, ends.get(tp, after))
        if after > start:
            positions[tp] = after
            batches.append(RecordBatch(tp[0], tp[1], start, found, after))
    return batches, errors
