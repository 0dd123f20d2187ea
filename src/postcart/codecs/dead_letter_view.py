"""Dead letters for people: what can be said about the bytes.

Owns: that description. Must not: decide whether a record is usable.
"""

import io
import json
from typing import Any, Final

import fastavro
import msgspec

from postcart.codecs.avro_schemas import AvroSchema, released_schemas
from postcart.codecs.dead_letters import DeadLetter
from postcart.codecs.framing import SINGLE_OBJECT_MAGIC, WIRE_MAGIC
from postcart.codecs.refusal import UNREADABLE
from postcart.codecs.shop_subjects import SUBJECTS
from postcart.events.times import iso

_SHOWN_BYTES: Final = 2_000


def described(letter: DeadLetter) -> dict[str, Any]:
    """The letter as JSON types: position, reason, key and headers as text, the value decoded as far as possible.

    ``value_as`` says how the value was read: ``json``, ``avro SUBJECT vN``, ``text``, ``hex`` (at most 2,000 bytes of
    these two), or ``empty``.
    """
    value_as, value = _value(letter)
    return {
        "id": letter.id,
        "reason": letter.reason,
        "detail": letter.detail,
        "stage": letter.stage,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "timestamp": None if letter.timestamp_ms is None else iso(letter.timestamp_ms),
        "headers": [[name, _text(content)] for name, content in letter.headers],
        "key": _text(letter.key),
        "size": letter.size,
        "truncated": letter.truncated,
        "value_as": value_as,
        "value": value,
    }


def _value(letter: DeadLetter) -> tuple[str, Any]:
    value = letter.value
    if not value:
        return "empty", None
    try:
        return "json", msgspec.json.decode(value)
    except UNREADABLE:
        pass
    if value[0] == WIRE_MAGIC or value[:2] == SINGLE_OBJECT_MAGIC:
        read = _avro(value)
        if read is not None:
            return read
    text = _text(value[:_SHOWN_BYTES])
    return ("hex", value[:_SHOWN_BYTES].hex()) if text is None or text.startswith("0x") else ("text", text)


def _avro(value: bytes) -> tuple[str, Any] | None:
    """By the fingerprint, or by whichever released schema uses up all bytes."""
    for subject in SUBJECTS:
        for schema in released_schemas(subject):
            if value[:2] == SINGLE_OBJECT_MAGIC and value[2:10] != schema.rabin:
                continue
            found = _read(value, 10 if value[:2] == SINGLE_OBJECT_MAGIC else 5, schema)
            if found is not None:
                return f"avro {subject} v{schema.version}", found
    return None


def _read(value: bytes, header: int, schema: AvroSchema) -> Any:
    stream = io.BytesIO(value)
    stream.seek(header)
    try:
        found = fastavro.schemaless_reader(stream, schema.parsed, None)
    except Exception:  # noqa: BLE001 -- damaged bytes lead fastavro anywhere; here it is only one attempt of several
        return None
    return json.loads(json.dumps(found, default=str)) if stream.tell() == len(value) else None


def _text(content: bytes | None) -> str | None:
    """As text where it is printable UTF-8, else as hexadecimal digits behind 0x."""
    if content is None:
        return None
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return f"0x{content.hex()}"
    return text if text.isprintable() else f"0x{content.hex()}"
