"""Records of the shop's topics as typed events: three framings, read without configuration.

Owns: the decoder of the hot path, and which keys are refused. Must not: know Kafka beyond a message's bytes, or what
an event means.

``{`` opens JSON, 0x00 Confluent's wire format, 0xC3 0x01 Avro single-object encoding. The key must be the event's
visitor or person: partitions are chosen by it, so a wrong key would split one visitor over two workers.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from confluent_kafka import Message

from postcart.codecs.avro_schemas import AvroSchema, SchemaSource, released_schemas
from postcart.codecs.dead_letters import MOST_BYTES, DeadLetter, dead_letter
from postcart.codecs.framing import SINGLE_OBJECT_MAGIC, WIRE_MAGIC, AvroFraming, single_object, wire_format
from postcart.codecs.refusal import UNREADABLE, unreadable
from postcart.codecs.sanity import LONGEST_SENTINEL, is_sentinel, problem_of
from postcart.codecs.shop_subjects import SUBJECT_OF, SUBJECTS, Subject, avro_events, key_of, to_avro
from postcart.errors import UnreadableRecord
from postcart.events.shop import ShopEvent

MOST_VALUE_BYTES: Final = 1_000_000
"""Above this a record is ``oversized``, whatever it says."""

_BRACE: Final = ord("{")
_OPENS: Final = frozenset({_BRACE, WIRE_MAGIC, SINGLE_OBJECT_MAGIC[0]})
_BLANKS: Final = b" \t\r\n"


class ShopEventDecoder:
    """Decodes the records of one topic.

    Args:
        subject: The topic's name without the installation's own prefix.
        stage: Who reads; written into dead letters.
        schemas: The subject's released schemas, newest first; those of this package if None.
        registry: Resolves the ids of the wire format; without one see ``postcart.codecs.framing``.
        most_bytes: Largest value, in bytes; above it a record is ``oversized``.
        most_dead_bytes: Largest value that a dead letter keeps whole.
    """

    def __init__(
        self,
        subject: Subject,
        *,
        stage: str,
        schemas: Sequence[AvroSchema] | None = None,
        registry: SchemaSource | None = None,
        most_bytes: int = MOST_VALUE_BYTES,
        most_dead_bytes: int = MOST_BYTES,
    ) -> None:
        spec = SUBJECTS[subject]
        self._stage = stage
        self._most_bytes = most_bytes
        self._most_dead_bytes = most_dead_bytes
        self._key_field = spec.key_field
        self._compacted = spec.compacted
        self._decode_json = msgspec.json.Decoder(spec.events).decode
        self._avro = AvroFraming(
            released_schemas(subject) if schemas is None else schemas,
            registry=registry,
            accept=avro_events(subject),
        )

    def decode_batch(self, messages: Sequence[Message]) -> tuple[list[Any], list[DeadLetter]]:
        """The events of these messages, in their order, and a dead letter for each that is none.

        Tombstones of a compacted topic are passed over: ``len(messages)`` is then more than both lists together.

        Raises:
            RegistryUnavailable: The registry can't be asked now; nothing is lost if the batch is read again.
        """
        events, letters = self.decode_aligned(messages)
        if letters or self._compacted:
            events = [event for event in events if event is not None]
        return events, letters

    def decode_aligned(self, messages: Sequence[Message]) -> tuple[list[Any], list[DeadLetter]]:
        """As ``decode_batch``, but with one place per message: None where it is dead or a tombstone."""
        events: list[Any] = []
        letters: list[DeadLetter] = []
        append, decode_json, key_field, most = events.append, self._decode_json, self._key_field, self._most_bytes
        brace, opens, read_avro, problem_in, longest = _BRACE, _OPENS, self._avro.read, problem_of, LONGEST_SENTINEL
        for message in messages:
            # The loop is the hottest code of the product: what is rare is behind a call or an exception.
            value, key = message.value(), message.key()
            try:
                if value and len(value) <= most and value[0] in opens:
                    event = decode_json(value) if value[0] == brace else read_avro(value)
                    name = getattr(event, key_field)
                    if (
                        key == name.encode()
                        and (len(name) > longest or not is_sentinel(name))
                        and problem_in(event) is None
                    ):
                        append(event)
                        continue
                append(self._decode(key, value))
            except UNREADABLE as error:
                append(None)
                letters.append(
                    dead_letter(message, unreadable(error), stage=self._stage, most_bytes=self._most_dead_bytes)
                )
        return events, letters

    def decode(self, key: bytes | None, value: bytes | None) -> ShopEvent | None:
        """One record's event; None for the tombstone of a compacted topic.

        Raises:
            UnreadableRecord: With a reason of its closed set.
            RegistryUnavailable: The registry can't be asked now.
        """
        try:
            return self._decode(key, value)
        except UNREADABLE as error:
            raise unreadable(error) from error

    def _decode(self, key: bytes | None, value: bytes | None) -> ShopEvent | None:
        if value is None and self._compacted:
            return None
        if not value:
            raise UnreadableRecord("framing", "the value is empty")
        if len(value) > self._most_bytes:
            raise UnreadableRecord("oversized", f"{len(value)} bytes, {self._most_bytes} are allowed")
        json = value[0] == _BRACE or (value[0] in _BLANKS and value.lstrip(_BLANKS)[:1] == b"{")
        event: ShopEvent = self._decode_json(value) if json else self._avro.read(value)
        problem = problem_of(event)
        if problem is not None:
            raise UnreadableRecord("invalid", problem)
        self._check_key(key, event)
        return event

    def _check_key(self, key: bytes | None, event: ShopEvent) -> None:
        if not key:
            raise UnreadableRecord("key_missing", f"the key must be the {self._key_field}")
        if is_sentinel(key.decode("utf-8", "replace")):
            raise UnreadableRecord("key_sentinel", f"the key {key!r} means nobody")
        if key != getattr(event, self._key_field).encode():
            raise UnreadableRecord("key_mismatch", f"the key is not the event's {self._key_field}")


class ShopEventEncoder:
    """Writes events as records of their topics: keys and values for producers and tests.

    Args:
        framing: ``json``, ``single_object`` or ``wire`` (with ``schema_id``, which a registry gave).
    """

    def __init__(self, framing: str = "json", *, schema_id: int = 0) -> None:
        if framing not in {"json", "single_object", "wire"}:
            raise ValueError(f"no framing is called {framing}")
        self._framing = framing
        self._schema_id = schema_id
        self._json = msgspec.json.Encoder()
        self._schemas = {} if framing == "json" else {subject: released_schemas(subject)[0] for subject in SUBJECTS}

    def encode(self, event: ShopEvent) -> tuple[Subject, bytes, bytes]:
        """Subject, key and value of the event's record."""
        subject = SUBJECT_OF[type(event)]
        key = key_of(event).encode()
        if self._framing == "json":
            return subject, key, self._json.encode(event)
        schema = self._schemas[subject]
        if self._framing == "wire":
            return subject, key, wire_format(schema, self._schema_id, to_avro(event))
        return subject, key, single_object(schema, to_avro(event))
