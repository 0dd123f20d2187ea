"""The released Avro schemas, and those that a registry tells: parsed once, found by fingerprint, version or id.

Owns: the folder schemas/SUBJECT/vN.avsc, and what fastavro makes of a schema. Must not: read payloads, or reach for
a registry itself.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from fastavro.schema import SchemaParseException, UnknownType, fingerprint, parse_schema, to_parsing_canonical_form

from postcart.codecs.avro_reader import Reader, reader_of, reference
from postcart.errors import ConfigurationError

RELEASED: Final = Path(__file__).parent / "schemas"
"""The schemas as released with this package; a link into the repository's schemas/."""

_VERSION = re.compile(r"v([1-9]\d*)\.avsc")


@dataclass(frozen=True, slots=True)
class AvroSchema:
    """A schema ready to be read with.

    Attributes:
        parsed: fastavro's form, with timestamp-millis left as the number that it is: no datetime is made per record.
        rabin: Its CRC-64-AVRO, 8 bytes as they stand in a single-object header.
        version: The number in the file's name; 0 for one that a registry told.
        record: Name of the record that it describes, if it is one.
        read: Reads a value that begins at a place in some bytes; see ``avro_reader``.
    """

    parsed: Any
    rabin: bytes
    version: int = 0
    record: str | None = None
    read: Reader = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Put the reader together."""
        object.__setattr__(self, "read", reader_of(self.parsed) or reference(self.parsed))


class SchemaSource(Protocol):
    """A schema registry, as far as reading needs one."""

    def schema(self, schema_id: int) -> AvroSchema | None:
        """The schema of this id; None if the registry doesn't know it or it isn't Avro.

        Raises:
            RegistryUnavailable: It can't be known now.
        """
        ...


def avro_schema(definition: Any, *, version: int = 0, references: Sequence[Any] = ()) -> AvroSchema:
    """The schema of a definition as ``json.loads`` returns it.

    Args:
        definition: The schema.
        version: Its number among the released ones.
        references: Definitions of the names that it doesn't define itself; later ones may use earlier ones.

    Raises:
        ValueError: It is no Avro schema.
    """
    try:
        named: dict[str, Any] = {}
        for reference in references:
            parse_schema(_without_millis(reference), named)
        parsed = parse_schema(_without_millis(definition), named)
        canonical = to_parsing_canonical_form(parsed)
    except (SchemaParseException, UnknownType, KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"no Avro schema: {error}") from error
    # fastavro's text is already in the header's byte order, lowest first.
    rabin = bytes.fromhex(fingerprint(canonical, "CRC-64-AVRO"))
    record = parsed.get("name") if isinstance(parsed, dict) and parsed.get("type") == "record" else None
    return AvroSchema(parsed, rabin, version, record)


def released_schemas(subject: str, *, folder: Path = RELEASED) -> Sequence[AvroSchema]:
    """All versions of a subject, newest first.

    Raises:
        ConfigurationError: There is none, or one of the files is no Avro schema.
    """
    problems: list[str] = []
    schemas: dict[int, AvroSchema] = {}
    for version, path in released_files(folder / subject).items():
        try:
            schemas[version] = avro_schema(json.loads(path.read_bytes()), version=version)
        except ValueError as error:
            problems.append(f"{path}: {error}")
    if not schemas and not problems:
        problems.append(f"{folder / subject}: no file v1.avsc; set the folder of the schemas to that of this release")
    if problems:
        raise ConfigurationError(*problems)
    return [schemas[version] for version in sorted(schemas, reverse=True)]


def released_files(folder: Path) -> Mapping[int, Path]:
    """Version → file of one subject."""
    found = ((_VERSION.fullmatch(path.name), path) for path in folder.glob("v*.avsc"))
    return {int(match[1]): path for match, path in sorted(found, key=lambda pair: pair[1]) if match}


def _without_millis(definition: Any) -> Any:
    """The definition with plain longs where it says timestamp-millis."""
    if isinstance(definition, list):
        return [_without_millis(part) for part in definition]
    if isinstance(definition, dict):
        plain = definition.get("logicalType") == "timestamp-millis"
        return {
            key: value if key == "default" else _without_millis(value)
            for key, value in definition.items()
            if not (plain and key == "logicalType")
        }
    return definition
