"""Dead letters of a sender: jobs that can't be read, and jobs whose template failed.

Owns: making their records. Must not: produce them.
"""

from confluent_kafka import Message

from postcart.adapters.rdkafka.transaction import Record
from postcart.codecs.dead_letters import MOST_DETAIL, DeadLetter, dead_letter, encode
from postcart.errors import UnreadableRecord
from postcart.events import ids
from postcart.senders.item import Item
from postcart.senders.records import encode_job


def unreadable_job(record: Message, error: UnreadableRecord, *, stage: str, topic: str) -> Record:
    """The dead letter of a record that is no job for this sender."""
    key, value = encode(dead_letter(record, error, stage=stage))
    return topic, value, key, -1, None


def unrenderable_job(item: Item, detail: str, *, stage: str, topic: str) -> Record:
    """The dead letter of a job whose template failed. Its receipt says ``rejected``; a redrive needs a revision."""
    value = encode_job(item.job)
    key = item.job.person_id.encode()
    letter = DeadLetter(
        id=ids.uuid5(ids.POSTCART, f"dead/{stage}/{item.topic}/{item.partition}/{item.offset}"),
        stage=stage,
        reason="render",
        detail=detail[:MOST_DETAIL],
        topic=item.topic,
        partition=item.partition,
        offset=item.offset,
        key=key,
        value=value,
        size=len(value),
    )
    return topic, encode(letter)[1], key, -1, None
