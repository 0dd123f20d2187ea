"""What travels from the polling thread to the stage: the records of one poll of one partition.

Owns: that shape. Must not: decode records.
"""

from dataclasses import dataclass

from confluent_kafka import Message


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """Consecutive records of one topic-partition, as one poll returned them.

    ``start`` and ``next`` are positions, not offsets of records: transaction markers and compaction leave gaps, so
    ``next`` of one batch equals ``start`` of the following one although no record need have these offsets.
    """

    topic: str
    partition: int
    start: int
    """Position of the consumer before this poll."""
    records: list[Message]
    """In offset order; ``value()``, ``key()`` and ``headers()`` are bytes, not decoded.

    Empty where only the position moved, past markers or compacted records; tasks never see such a batch.
    """
    next: int
    """Position after the last record: where to go on once all of these are folded."""
    more: bool = False
    """Whether another batch of this partition number follows at once: what both touch may be touched once."""
