"""The three framings of a payload: JSON, Confluent's wire format, Avro single-object encoding.

Owns: the bytes in front of a payload and what they mean. Must not: know any event, key or topic.

Without a registry the id of the wire format means nothing here: ids belong to one registry. Then the subject's released
schemas are tried, newest first, and one is taken if it uses up the payload to the last byte and ``accept`` takes what
came out. The writer's schema alone decides how bytes are read; fields are then taken by name, as with JSON.
"""

import io
import struct
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import fastavro

from postcart.codecs.avro_schemas import AvroSchema, SchemaSource
from postcart.errors import UnreadableRecord

WIRE_MAGIC: Final = 0x00
SINGLE_OBJECT_MAGIC: Final = b"\xc3\x01"
_WIRE_HEADER: Final = 5
_SINGLE_HEADER: Final = 10

T = TypeVar("T")


class AvroFraming:
    """Reads Avro payloads of one subject.

    Args:
        released: The subject's schemas, newest first.
        registry: Resolves the ids of the wire format, if there is one.
        accept: Makes an event of the value read and the name of its record; raises ``ValueError`` if it is none.
    """

    def __init__(
        self,
        released: Sequence[AvroSchema],
        *,
        registry: SchemaSource | None,
        accept: Callable[[Any, str | None], T],
    ) -> None:
        self._released = released
        self._by_rabin = {schema.rabin: schema for schema in released}
        self._registry = registry
        self._accept = accept
        self._newest = released[0] if released and registry is None else None
        """What a payload in the wire format is likely to be of."""

    def read(self, payload: bytes) -> Any:
        """What ``accept`` makes of a framed payload.

        Raises:
            UnreadableRecord: ``framing``, ``schema_unknown``, ``decode`` or ``invalid``.
            RegistryUnavailable: The registry can't be asked now.
        """
        newest = self._newest
        if newest is not None and payload[0] == WIRE_MAGIC:
            try:  # the hot path; whatever is wrong is found again, and told, by _fitting
                value, end = newest.read(payload, _WIRE_HEADER)
                if end == len(payload):
                    return self._accept(value, newest.record)
            except Exception:  # noqa: BLE001, S110 -- as in _take
                pass
        if payload[0] == WIRE_MAGIC and len(payload) >= _WIRE_HEADER:
            return self._fitting(payload) if self._registry is None else self._registered(payload, self._registry)
        if payload[:2] == SINGLE_OBJECT_MAGIC and len(payload) >= _SINGLE_HEADER:
            schema = self._by_rabin.get(payload[2:_SINGLE_HEADER])
            if schema is None:
                raise UnreadableRecord("schema_unknown", f"no released schema has fingerprint {payload[2:10].hex()}")
            return self._take(payload, _SINGLE_HEADER, schema)
        raise UnreadableRecord("framing", f"starts with {payload[:2].hex()}: neither JSON nor a framing of Avro")

    def _registered(self, payload: bytes, registry: SchemaSource) -> Any:
        schema_id = _id_of(payload)
        schema = registry.schema(schema_id)
        if schema is None:
            raise UnreadableRecord("schema_unknown", f"the registry knows no Avro schema of id {schema_id}")
        return self._take(payload, _WIRE_HEADER, schema)

    def _fitting(self, payload: bytes) -> Any:
        for schema in self._released:
            try:
                return self._take(payload, _WIRE_HEADER, schema)
            except UnreadableRecord:
                continue
        raise UnreadableRecord(
            "schema_unknown",
            f"no registry is configured for schema id {_id_of(payload)}, and no released schema fits",
        )

    def _take(self, payload: bytes, header: int, schema: AvroSchema) -> Any:
        try:
            value, end = schema.read(payload, header)
        except Exception as error:  # readers raise whatever the damaged bytes lead them into
            raise UnreadableRecord("decode", f"not the bytes of the schema: {error!r}"[:300]) from error
        left = len(payload) - end
        if left:
            problem = f"{left} bytes are left over" if left > 0 else f"not the bytes of the schema: {-left} are missing"
            raise UnreadableRecord("decode", problem)
        try:
            return self._accept(value, schema.record)
        except ValueError as error:  # msgspec's validation errors are ValueErrors
            raise UnreadableRecord("invalid", str(error)) from error


def _id_of(payload: bytes) -> int:
    return int.from_bytes(payload[1:_WIRE_HEADER])


def wire_format(schema: AvroSchema, schema_id: int, value: Any) -> bytes:
    """The value in Confluent's wire format."""
    return _framed(struct.pack(">bI", WIRE_MAGIC, schema_id), schema, value)


def single_object(schema: AvroSchema, value: Any) -> bytes:
    """The value in Avro single-object encoding."""
    return _framed(SINGLE_OBJECT_MAGIC + schema.rabin, schema, value)


def _framed(header: bytes, schema: AvroSchema, value: Any) -> bytes:
    stream = io.BytesIO()
    stream.write(header)
    fastavro.schemaless_writer(stream, schema.parsed, value)
    return stream.getvalue()
