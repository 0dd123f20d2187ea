"""A record's bytes as a JSON document that can be read and edited, and back into the framing that they came in.

Owns: taking payloads apart without judging them, and framing documents again. Must not: decide whether a record is
usable (decoders do), or reach for a registry itself.

Avro is shown as the event's JSON would be: ``type`` names the kind, its fields stand beside the common ones.
"""

import io
import json
from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal, NamedTuple

import fastavro
import msgspec

from postcart.codecs.avro_schemas import AvroSchema, SchemaSource, released_schemas
from postcart.codecs.framing import SINGLE_OBJECT_MAGIC, WIRE_MAGIC
from postcart.codecs.refusal import UNREADABLE
from postcart.codecs.shop_subjects import SUBJECT_OF, SUBJECTS, Subject, to_avro

_WIRE_HEADER: Final = 5
_SINGLE_HEADER: Final = 10


def _tag(struct: Any) -> str:
    return str(struct.__struct_config__.tag)


_TAGS: Final = {_tag(struct).replace("_", ""): _tag(struct) for struct in SUBJECT_OF}
_ONLY: Final = {
    subject: _tag(structs[0])
    for subject in SUBJECTS
    if len(structs := [struct for struct, its in SUBJECT_OF.items() if its == subject]) == 1
}
"""Of subjects with one kind of event a record's name need not say it."""


class Framing(NamedTuple):
    """What stands in front of a payload, and the schema that it was written by; JSON has neither."""

    name: Literal["json", "wire", "single_object"]
    header: bytes = b""
    schema: AvroSchema | None = None


JSON: Final = Framing("json")


class Form(NamedTuple):
    """A payload as far as it can be taken apart.

    Attributes:
        read_as: ``json``, ``avro SUBJECT vN`` (v0: by a registry's schema), ``text``, ``bytes`` or ``empty``.
        document: JSON types; None where it is no document.
        framing: What the next version of the record is to be framed in.
    """

    read_as: str
    document: Any
    framing: Framing


def taken_apart(value: bytes | None, subject: Subject | None, registry: SchemaSource | None = None) -> Form:
    """The form of a payload. ``subject`` None: of any subject.

    Raises:
        RegistryUnavailable: The registry can't be asked now.
    """
    if not value:
        return Form("empty", None, JSON)
    try:
        return Form("json", msgspec.json.decode(value), JSON)
    except UNREADABLE:
        pass
    if value[0] == WIRE_MAGIC or value[:2] == SINGLE_OBJECT_MAGIC:
        return _avro(value, (subject,) if subject else tuple(SUBJECTS), registry)
    try:
        printable = value.decode().replace("\n", " ").replace("\t", " ").replace("\r", " ").isprintable()
    except UnicodeDecodeError:
        printable = False
    return Form("text" if printable else "bytes", None, JSON)


def put_together(event: Any, document: Any, framing: Framing) -> bytes:
    """The record's value: the document itself in JSON, else the event by the schema of the framing.

    Raises:
        ValueError: That schema can't hold the event.
    """
    if framing.name == "json":
        return msgspec.json.encode(document)
    if framing.schema is None:
        raise ValueError("the schema that it came with is not known")
    problem: Exception | None = None
    for value in (to_avro(event), msgspec.to_builtins(event)):  # kinds as a union beside the common fields, or flat
        stream = io.BytesIO()
        stream.write(framing.header)
        try:
            fastavro.schemaless_writer(stream, framing.schema.parsed, value)
        except Exception as error:  # noqa: BLE001 -- fastavro raises whatever a value leads it into
            problem = problem or error
            continue
        return stream.getvalue()
    raise ValueError(f"the schema that it came with can't hold it: {problem!r}"[:300])


def _avro(value: bytes, subjects: Sequence[Subject], registry: SchemaSource | None) -> Form:
    single = value[:2] == SINGLE_OBJECT_MAGIC
    header = value[: _SINGLE_HEADER if single else _WIRE_HEADER]
    framing = Framing("single_object" if single else "wire", header)
    for subject, schema in _candidates(header, subjects, registry):
        if framing.schema is None:
            framing = framing._replace(schema=schema)
        found = _read(value, len(header), schema)
        if found is not None:
            document = _flattened(found, schema.record, subject)
            return Form(f"avro {subject} v{schema.version}", document, framing._replace(schema=schema))
    return Form("bytes", None, framing)


def _candidates(
    header: bytes, subjects: Sequence[Subject], registry: SchemaSource | None
) -> Iterator[tuple[Subject, AvroSchema]]:
    """The schema that the header names; without a registry an id names none, so all released ones come in question."""
    if header[0] == WIRE_MAGIC and registry is not None and len(header) == _WIRE_HEADER:
        schema = registry.schema(int.from_bytes(header[1:]))
        if schema is not None:
            yield subjects[0], schema
        return
    for subject in subjects:
        for schema in released_schemas(subject):
            if header[0] == WIRE_MAGIC or header[2:] == schema.rabin:
                yield subject, schema


def _read(value: bytes, header: int, schema: AvroSchema) -> Any:
    stream = io.BytesIO(value)
    stream.seek(header)
    try:
        found = fastavro.schemaless_reader(
            stream, schema.parsed, None, return_record_name=True, return_record_name_override=True
        )
    except Exception:  # noqa: BLE001 -- damaged bytes lead fastavro anywhere; here it is only one attempt of several
        return None
    return found if stream.tell() == len(value) else None


def _flattened(value: Any, record: str | None, subject: Subject) -> Any:
    name = record
    if isinstance(value, tuple):
        name, value = value
    if not isinstance(value, dict):
        return json.loads(json.dumps(value, default=str))
    fields = dict(value)
    kind = fields.pop("kind", None)
    if isinstance(kind, tuple):
        name, detail = kind
        fields.update(detail)
    elif kind is not None:
        fields["kind"] = kind
    named = (name or "").rsplit(".", 1)[-1].replace("_", "").lower()
    tag = fields.pop("type", None) or _TAGS.get(named) or _ONLY.get(subject)
    plain: Any = json.loads(json.dumps({"type": tag, **fields}, default=str))
    return plain
