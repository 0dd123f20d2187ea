"""Dead letters: records that could not be used, kept with the reason, the position and the original bytes.

Owns: the form of a dead letter, its id, and the records that say what became of it. Must not: decide what is dead, or
reach for Kafka.

They travel on the topic ``dead``: key = the original key, value = JSON of ``DeadLetter`` (bytes in base64). What does
not fit (an oversized record must not become an oversized dead letter) is kept as a reference to where it stands, with
its first 64 KiB; ``truncated`` says so.
"""

from typing import Any, Final, Literal, cast

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


class LetterHead(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag_field="type", tag="dead"):
    """All of a dead letter but the original bytes: reading a million of them decodes no base64.

    Attributes:
        id: uuid5 over stage and position: the same record read again by the same stage has the same id.
        stage: Who could not use it.
        reason: From the closed set of ``UnreadableRecord``, or ``render``; ``detail`` is for people.
        timestamp_ms: The record's, as Kafka tells it; None if it has none.
        size: Bytes of the original value.
        truncated: The letter holds only the first 64 KiB of it.
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
    size: int = 0
    truncated: bool = False


class DeadLetter(LetterHead, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag_field="type", tag="dead"):
    """A record that could not be used; ``value`` is the original's, or its first 64 KiB if ``truncated``."""

    value: bytes | None = None


class Redriven(
    msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag_field="type", tag="redriven"
):
    """Says, on the topic ``dead`` and under the letter's id as key, that it was written to its topic once more.

    It is on the letter's own partition, behind it, so retention never takes it away before the letter.

    Attributes:
        by: Who asked for it.
        run: The ``RedriveRun`` that it belongs to.
        revision: Of the job that was written; 0 for records that are no jobs.
    """

    id: str
    at_ms: int
    by: str | None = None
    run: str | None = None
    revision: int = 0


class Edited(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag_field="type", tag="edited"):
    """As ``Redriven``, of a letter whose record was changed before it was written. Holds no contents.

    Attributes:
        fields: Paths of the fields that changed; ``key`` is among them if the record has another key now.
        old_sha256: Of the original value, hexadecimal; ``new_sha256`` of what was written.
    """

    id: str
    at_ms: int
    by: str
    revision: int
    fields: tuple[str, ...]
    old_sha256: str
    new_sha256: str


class Unmasked(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag_field="type", tag="unmasked"):
    """Somebody has looked at a letter's contact data."""

    id: str
    at_ms: int
    by: str


class RedriveRun(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag_field="type", tag="run"):
    """A redrive of many, written in its first transaction (``began``) and at its end; one that was killed has no end.

    Attributes:
        only: The filters, as typed.
        matching: Letters that were meant when it began.
        written: Letters written; ``refused`` those that were not, by why.
    """

    id: str
    at_ms: int
    by: str
    state: Literal["began", "finished", "stopped"]
    only: dict[str, Any] = {}
    matching: int = 0
    written: int = 0
    refused: dict[str, int] = {}


Mark = Redriven | Edited
"""Says that a letter is settled."""
DeadRecord = DeadLetter | Redriven | Edited | Unmasked | RedriveRun
"""Everything on the topic ``dead``."""
HeadRecord = LetterHead | Redriven | Edited | Unmasked | RedriveRun
_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[DeadRecord] = msgspec.json.Decoder(DeadRecord)
_head_decoder: msgspec.json.Decoder[HeadRecord] = msgspec.json.Decoder(HeadRecord)


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
    key = record.key if isinstance(record, LetterHead) else record.id.encode()
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


def decode_head(value: bytes) -> HeadRecord:
    """As ``decode``, without the original bytes.

    Raises:
        UnreadableRecord: It is none.
    """
    try:
        return _head_decoder.decode(value)
    except UNREADABLE as error:
        raise unreadable(error) from error
