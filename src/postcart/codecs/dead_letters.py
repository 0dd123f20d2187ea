"""Dead letters: records that could not be used, kept with the reason, the position and the original bytes.

Owns: the form of a dead letter and its id. Must not: decide what is dead, or reach for Kafka.

They travel on the topic ``dead``: key = the original key, value = JSON of ``DeadLetter`` (bytes in base64). What does
not fit (an oversized record must not become an oversized dead letter) is kept as a reference to where it stands, with
its first 64 KiB; ``truncated`` says so.
"""

from typing import Final, cast

import msgspec
from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Message

from postcart.codecs.refusal import UNREADABLE, unreadable
from postcart.errors import UnreadableRecord
from postcart.events import ids

HEAD_BYTES: Final = 64 * 1024
"""So much is kept of a value that does not fit."""
MOST_BYTES: Final = 700_000
"""The largest value kept whole: in base64 it stays below Kafka's default ``max.message.bytes`` of 1,048,588."""
MOST_DETAIL: Final = 500


class DeadLetter(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag_field="type", tag="dead"):
    """A record that could not be used.

    Attributes:
        id: uuid5 over stage and position: the same record read again by the same stage has the same id.
        stage: Who could not use it.
        reason: From the closed set of ``UnreadableRecord``; ``detail`` is for people.
        timestamp_ms: The record's, as Kafka tells it; None if it has none.
        value: The original bytes, or the first 64 KiB if ``truncated``.
        size: Bytes of the original value.
    """

    id: str
    stage: str
    reason: str
    detail: str
    topic: str
    partition: int
    offset: int
    timestamp_ms: int | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    key: bytes | None = None
    value: bytes | None = None
    size: int = 0
    truncated: bool = False


class Redriven(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag_field="type", tag="redriven"):
    """Says, on the topic ``dead`` and under the letter's id as key, that it was written to its topic once more."""

    id: str
    at_ms: int


DeadRecord = DeadLetter | Redriven
_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[DeadRecord] = msgspec.json.Decoder(DeadRecord)


def dead_letter(message: Message, error: UnreadableRecord, *, stage: str, most_bytes: int = MOST_BYTES) -> DeadLetter:
    """The letter for a message that ``error`` tells of; values above ``most_bytes`` are truncated."""
    value = message.value()
    size = 0 if value is None else len(value)
    topic, partition, offset = message.topic() or "", message.partition(), message.offset()
    kind, timestamp = message.timestamp()
    return DeadLetter(
        id=ids.uuid5(ids.POSTCART, f"dead/{stage}/{topic}/{partition}/{offset}"),
        stage=stage,
        reason=error.reason,
        detail=error.detail[:MOST_DETAIL],
        topic=topic,
        partition=partition if partition is not None else -1,
        offset=offset if offset is not None else -1,
        timestamp_ms=None if kind == TIMESTAMP_NOT_AVAILABLE else timestamp,
        headers=tuple(cast("list[tuple[str, bytes | None]]", message.headers() or ())),
        key=message.key(),
        value=value if value is None or size <= most_bytes else value[:HEAD_BYTES],
        size=size,
        truncated=size > most_bytes,
    )


def encode(record: DeadRecord) -> tuple[bytes | None, bytes]:
    """Key and value of the record on the topic ``dead``."""
    key = record.key if isinstance(record, DeadLetter) else record.id.encode()
    return key, _encoder.encode(record)


def decode(value: bytes) -> DeadRecord:
    """The record of a value of the topic ``dead``.

    Raises:
        UnreadableRecord: It is none.
    """
    try:
        return _decoder.decode(value)
    except UNREADABLE as error:
        raise unreadable(error) from error
