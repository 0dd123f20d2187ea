"""Avro values by functions that are put together once per schema: faster than fastavro's reader of single values.

Owns: the binary encoding of Avro 1.12, for schemas without logical types. Must not: resolve against a reader's schema,
or know what a value means.

fastavro stays the reference: ``compiled`` gives the same values for the same bytes, tests hold that, and what it does
not know (a logical type of somebody else's schema) is left to fastavro.
"""

import io
import struct
from collections.abc import Callable, Mapping
from typing import Any, Final

import fastavro

Reader = Callable[[bytes, int], tuple[Any, int]]
"""Reads a value that begins there; returns it and where the next begins: of damaged bytes maybe behind their end."""

_LONGEST: Final = 10  # bytes of a 64-bit number
_ONE_BYTE: Final = 0x7F
_NOT_SHORT: Final = 0x81  # of a length's first byte: more of them follow, or it is negative
_SECOND_BRANCH: Final = 2  # zig-zag


class Damaged(ValueError):  # noqa: N818 -- says what the bytes are
    """The bytes are not of this schema."""


class Unsupported(Exception):  # noqa: N818 -- no error: the schema is left to fastavro
    """This schema has parts that are left to fastavro."""


def compiled(parsed: Any) -> Reader | None:
    """The reader of a schema as ``fastavro.parse_schema`` returns it; None if it is left to fastavro.

    What the reader returns is what ``fastavro.schemaless_reader`` returns with ``return_record_name`` and
    ``return_record_name_override``: of a union of several records a tuple of name and value. It raises ``Damaged``,
    ``IndexError``, ``struct.error`` or ``UnicodeDecodeError``; the caller checks that the end is that of the payload.
    """
    try:
        return _reader(parsed, {})
    except Unsupported:
        return None


def reference(parsed: Any) -> Reader:
    """Fastavro's reader in the same shape."""

    def read(data: bytes, at: int) -> tuple[Any, int]:
        stream = io.BytesIO(data)
        stream.seek(at)
        value = fastavro.schemaless_reader(
            stream, parsed, None, return_record_name=True, return_record_name_override=True
        )
        return value, stream.tell()

    return read


def read_long(data: bytes, at: int) -> tuple[int, int]:
    """A variable-length zig-zag number (int and long)."""
    byte = data[at]
    if byte <= _ONE_BYTE:
        return (byte >> 1) ^ -(byte & 1), at + 1
    found, shift, first = byte & _ONE_BYTE, 7, at
    while True:
        at += 1
        byte = data[at]
        found |= (byte & _ONE_BYTE) << shift
        if byte <= _ONE_BYTE:
            return (found >> 1) ^ -(found & 1), at + 1
        shift += 7
        if at - first >= _LONGEST:
            raise Damaged("a number is longer than 64 bits")


def _read_string(data: bytes, at: int) -> tuple[str, int]:
    size = data[at]
    if not size & _NOT_SHORT:
        at += 1
        end = at + (size >> 1)
    else:
        at, end = _span(data, at)
    return data[at:end].decode(), end


def _span(data: bytes, at: int) -> tuple[int, int]:
    size, at = read_long(data, at)
    if size < 0:
        raise Damaged("a negative length")
    return at, at + size


def _read_bytes(data: bytes, at: int) -> tuple[bytes, int]:
    at, end = _span(data, at)
    return data[at:end], end


def _read_null(_data: bytes, at: int) -> tuple[None, int]:
    return None, at


def _read_boolean(data: bytes, at: int) -> tuple[bool, int]:
    return data[at] != 0, at + 1


def _read_float(data: bytes, at: int) -> tuple[float, int]:
    return struct.unpack_from("<f", data, at)[0], at + 4


def _read_double(data: bytes, at: int) -> tuple[float, int]:
    return struct.unpack_from("<d", data, at)[0], at + 8


_PRIMITIVES: Final[Mapping[str, Reader]] = {
    "null": _read_null,
    "boolean": _read_boolean,
    "int": read_long,
    "long": read_long,
    "float": _read_float,
    "double": _read_double,
    "bytes": _read_bytes,
    "string": _read_string,
}


def _reader(schema: Any, named: dict[str, Reader]) -> Reader:
    if isinstance(schema, list):
        return _union(schema, named)
    if isinstance(schema, str):
        primitive = _PRIMITIVES.get(schema) or named.get(schema)
        if primitive is not None:
            return primitive
        raise Unsupported(schema)
    if "logicalType" in schema:
        raise Unsupported(schema["logicalType"])
    kind = schema["type"]
    build = _BUILDERS.get(kind) if isinstance(kind, str) else None
    return _reader(kind, named) if build is None else build(schema, named)


def _record(schema: Any, named: dict[str, Reader]) -> Reader:
    fields: list[tuple[str, bool, bool, Reader]] = []

    def read(data: bytes, at: int) -> tuple[dict[str, Any], int]:
        value: dict[str, Any] = {}
        for name, text, optional, field in fields:
            if optional:
                branch = data[at]
                at += 1
                if not branch:
                    value[name] = None
                    continue
                if branch != _SECOND_BRANCH:
                    raise Damaged("no such branch of a union")
            if text:  # most fields are short texts: without a call for each this is a third faster
                size = data[at]
                if not size & _NOT_SHORT:
                    at += 1
                    end = at + (size >> 1)
                    value[name] = data[at:end].decode()
                    at = end
                    continue
            value[name], at = field(data, at)
        return value, at

    named[schema["name"]] = read  # before its fields: they may be of the same record
    for field in schema["fields"]:
        kind = field["type"]
        optional = isinstance(kind, list) and len(kind) == len(("null", "other")) and kind[0] == "null"
        reader = _reader(kind[1] if optional else kind, named)
        fields.append((field["name"], reader is _read_string, optional, reader))
    return read


def _union(branches: list[Any], named: dict[str, Reader]) -> Reader:
    readers = [_reader(branch, named) for branch in branches]
    names = [
        branch["name"] if isinstance(branch, dict) and branch.get("type") == "record" else None for branch in branches
    ]
    if any(isinstance(branch, str) and branch not in _PRIMITIVES for branch in branches):
        raise Unsupported("a union that refers to a name")
    tell = sum(name is not None for name in names) > 1
    choices = [(name if tell else None, reader) for name, reader in zip(names, readers, strict=True)]

    def read(data: bytes, at: int) -> tuple[Any, int]:
        branch = data[at] >> 1
        if data[at] & 1 or branch >= len(choices):
            raise Damaged("no such branch of a union")
        name, reader = choices[branch]
        value, at = reader(data, at + 1)
        return (value if name is None else (name, value)), at

    if len(choices) > _ONE_BYTE >> 1:
        raise Unsupported("a union of more than 63 branches")
    return read


def _enum(schema: Any, named: dict[str, Reader]) -> Reader:
    symbols: list[str] = schema["symbols"]

    def read(data: bytes, at: int) -> tuple[str, int]:
        place, at = read_long(data, at)
        if not 0 <= place < len(symbols):
            raise Damaged("no such symbol of an enum")
        return symbols[place], at

    named[schema["name"]] = read
    return read


def _fixed(schema: Any, named: dict[str, Reader]) -> Reader:
    size: int = schema["size"]

    def read(data: bytes, at: int) -> tuple[bytes, int]:
        return data[at : at + size], at + size

    named[schema["name"]] = read
    return read


def _array(schema: Any, named: dict[str, Reader]) -> Reader:
    item = _reader(schema["items"], named)

    def read(data: bytes, at: int) -> tuple[list[Any], int]:
        items: list[Any] = []
        while True:
            count, at = _block(data, at)
            if not count:
                return items, at
            for _ in range(count):
                value, at = item(data, at)
                items.append(value)

    return read


def _map(schema: Any, named: dict[str, Reader]) -> Reader:
    item = _reader(schema["values"], named)

    def read(data: bytes, at: int) -> tuple[dict[str, Any], int]:
        items: dict[str, Any] = {}
        while True:
            count, at = _block(data, at)
            if not count:
                return items, at
            for _ in range(count):
                key, at = _read_string(data, at)
                items[key], at = item(data, at)

    return read


def _block(data: bytes, at: int) -> tuple[int, int]:
    count, at = read_long(data, at)
    if count < 0:
        _, at = read_long(data, at)
    if abs(count) > len(data):
        raise Damaged("more items than bytes")
    return abs(count), at


_BUILDERS: Final[Mapping[str, Callable[[Any, dict[str, Reader]], Reader]]] = {
    "record": _record,
    "enum": _enum,
    "fixed": _fixed,
    "array": _array,
    "map": _map,
}
