"""Avro values by functions that are written once per schema, as ``dataclasses`` writes its methods.

Owns: the binary encoding of Avro 1.12, for schemas without logical types. Must not: resolve against a reader's schema,
or know what a value means.

Much of what DETECT does with an Avro record is reading it, so there is no loop over fields and no call for a text or a
number that is short. fastavro stays the reference: ``compiled`` gives the same values for the same bytes, tests hold
that, and what it does not know (a logical type of somebody else's schema) is left to fastavro.
"""

import io
import struct
from collections.abc import Callable, Mapping
from typing import Any, Final

import fastavro

Reader = Callable[[bytes, int], tuple[Any, int]]
"""Reads a value that begins there; returns it and where the next begins: of damaged bytes maybe behind their end."""

_LONGEST: Final = 10  # bytes of a 64-bit number
_SIX: Final = 6
_SHIFT_OF_SIXTH: Final = 35
_ONE_BYTE: Final = 0x7F
_MOST_BRANCHES: Final = 63  # of a union, so that a branch is one byte


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
    source = _Source()
    try:
        name = source.function(parsed)
    except Unsupported:
        return None
    exec("\n".join(source.lines), source.space)  # noqa: S102 -- of the schema only names are in it, quoted
    reader: Reader = source.space[name]
    return reader


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


_six_bytes: Final = struct.Struct("<HI").unpack_from
_ends: Final[dict[int, int]] = {}
"""What the last four bytes of a number of six stand for. Milliseconds of our time are such numbers, and have the same
four for eight seconds, so few are looked up again and again."""
_MOST_ENDS: Final = 10_000
_GO_ON: Final = 0x8080  # the mark of two bytes that others follow


def read_long(data: bytes, at: int) -> tuple[int, int]:
    """A variable-length zig-zag number (int and long)."""
    if len(data) - at >= _SIX:
        first, last = _six_bytes(data, at)
        if first & _GO_ON == _GO_ON:
            end = _ends.get(last)
            if end is not None:
                found = end | first & 0x7F | first >> 1 & 0x3F80
                return (found >> 1) ^ -(found & 1), at + _SIX
    return _any_long(data, at)


def _any_long(data: bytes, at: int) -> tuple[int, int]:
    found = shift = 0
    for byte in data[at : at + _LONGEST]:
        if byte <= _ONE_BYTE:
            found |= byte << shift
            if shift == _SHIFT_OF_SIXTH and len(_ends) < _MOST_ENDS:
                _ends[int.from_bytes(data[at + 2 : at + _SIX], "little")] = found & ~0x3FFF
            return (found >> 1) ^ -(found & 1), at + 1 + shift // 7
        found |= (byte & _ONE_BYTE) << shift
        shift += 7
    raise Damaged("a number has no end, or is longer than 64 bits")


def _span(data: bytes, at: int) -> tuple[int, int]:
    size, at = read_long(data, at)
    if size < 0:
        raise Damaged("a negative length")
    return at, at + size


def _block(data: bytes, at: int) -> tuple[int, int]:
    count, at = read_long(data, at)
    if count < 0:
        _, at = read_long(data, at)
    if abs(count) > len(data):
        raise Damaged("more items than bytes")
    return abs(count), at


_HELPERS: Final[Mapping[str, Any]] = {
    "Damaged": Damaged,
    "read_long": read_long,
    "span": _span,
    "block": _block,
    "float_of": struct.Struct("<f").unpack_from,
    "double_of": struct.Struct("<d").unpack_from,
}

# How each primitive is read into VALUE: ``at`` is where it begins, then where the next does. A first byte with a bit of
# 0x81 is that of a text of more than 63 bytes, or of a negative length.
_NUMBER: Final = """\
byte = data[at]
if byte <= 0x7F:
    VALUE = (byte >> 1) ^ -(byte & 1)
    at += 1
elif data[at + 1] <= 0x7F:
    byte = byte & 0x7F | data[at + 1] << 7
    VALUE = (byte >> 1) ^ -(byte & 1)
    at += 2
else:
    VALUE, at = read_long(data, at)"""
_PRIMITIVES: Final[Mapping[str, str]] = {
    "null": "VALUE = None",
    "boolean": "VALUE = data[at] != 0\nat += 1",
    "int": _NUMBER,
    "long": _NUMBER,
    "float": "VALUE = float_of(data, at)[0]\nat += 4",
    "double": "VALUE = double_of(data, at)[0]\nat += 8",
    "bytes": "at, end = span(data, at)\nVALUE = data[at:end]\nat = end",
    "string": """\
end = data[at]
if end & 0x81:
    at, end = span(data, at)
else:
    at += 1
    end = at + (end >> 1)
VALUE = data[at:end].decode()
at = end""",
}
_OPTIONAL: Final = """\
branch = data[at]
at += 1
if not branch:
    VALUE = None
elif branch != 2:
    raise Damaged("no such branch of a union")
else:
OTHER"""
_UNION: Final = """\
branch = data[at]
if branch & 1 or branch >= COUNT:
    raise Damaged("no such branch of a union")
name, read = CHOICES[branch >> 1]
VALUE, at = read(data, at + 1)
if name:
    VALUE = name, VALUE"""
_ENUM: Final = """\
place, at = read_long(data, at)
if not 0 <= place < len(SYMBOLS):
    raise Damaged("no such symbol of an enum")
VALUE = SYMBOLS[place]"""
_BLOCKS: Final = """\
items = EMPTY
while True:
    count, at = block(data, at)
    if not count:
        return items, at
    for _ in range(count):
ITEM"""


class _Source:
    """The functions of one schema: one for each record, array, map, and branch of a union."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.space: dict[str, Any] = dict(_HELPERS)
        self._named: dict[str, str] = {}
        """Statements by which what a schema has named is read."""

    def function(self, schema: Any) -> str:
        """Write one that reads such a value; its name."""
        name = self._new("read")
        if isinstance(schema, dict) and schema["type"] == "record":
            self._named[schema["name"]] = f"VALUE, at = {name}(data, at)"  # first: fields may be of the same record
            fields = [(field["name"], f"v{place}", field["type"]) for place, field in enumerate(schema["fields"])]
            body = [self.statements(kind, local) for _, local, kind in fields]
            result = ", ".join(f"{field!r}: {local}" for field, local, _ in fields)
            body.append(f"return {{{result}}}, at")
        elif isinstance(schema, dict) and schema["type"] in {"array", "map"}:
            body = [self._blocks(schema)]
        else:
            body = [self.statements(schema, "value"), "return value, at"]
        self.lines += [f"def {name}(data, at):", *(_indented(part) for part in body)]
        return name

    def statements(self, schema: Any, local: str) -> str:
        """What reads such a value into a local name."""
        return self._template(schema, local).replace("VALUE", local)

    def _template(self, schema: Any, local: str) -> str:
        if isinstance(schema, list):
            return self._union(schema, local)
        if isinstance(schema, str):
            known = _PRIMITIVES.get(schema) or self._named.get(schema)
            if known is None:
                raise Unsupported(schema)
            return known
        kind = schema["type"]
        if "logicalType" in schema:
            raise Unsupported(schema["logicalType"])
        if kind == "fixed":
            found = f"VALUE = data[at : at + {schema['size']:d}]\nat += {schema['size']:d}"
        elif kind == "enum":
            found = _ENUM.replace("SYMBOLS", self._new("symbols", tuple(schema["symbols"])))
        elif kind in {"record", "array", "map"}:
            return f"VALUE, at = {self.function(schema)}(data, at)"
        else:
            return self._template(kind, local)
        self._named[schema["name"]] = found
        return found

    def _union(self, branches: list[Any], local: str) -> str:
        if len(branches) == len(("null", "other")) and branches[0] == "null":
            return _OPTIONAL.replace("OTHER", _indented(self.statements(branches[1], local)))
        if any(isinstance(branch, str) and branch not in _PRIMITIVES for branch in branches):
            raise Unsupported("a union that refers to a name")
        if len(branches) > _MOST_BRANCHES:
            raise Unsupported("a union of more than 63 branches")
        names = [
            branch["name"] if isinstance(branch, dict) and branch["type"] == "record" else None for branch in branches
        ]
        tell = sum(name is not None for name in names) > 1
        readers = [self.function(branch) for branch in branches]
        choices = self._new("choices")
        pairs = ", ".join(
            f"({(name if tell else None)!r}, {reader})" for name, reader in zip(names, readers, strict=True)
        )
        self.lines.append(f"{choices} = ({pairs},)")
        return _UNION.replace("CHOICES", choices).replace("COUNT", str(2 * len(branches)))

    def _blocks(self, schema: Any) -> str:
        if schema["type"] == "array":
            empty, item = "[]", self.statements(schema["items"], "item") + "\nitems.append(item)"
        else:
            key = self.statements("string", "key")
            empty, item = "{}", f"{key}\n{self.statements(schema['values'], 'item')}\nitems[key] = item"
        return _BLOCKS.replace("EMPTY", empty).replace("ITEM", _indented(item, 2))

    def _new(self, kind: str, value: Any = None) -> str:
        """A name of its own in the source."""
        name = f"{kind}_{len(self.space)}"
        self.space[name] = value
        return name


def _indented(text: str, times: int = 1) -> str:
    return "\n".join("    " * times + line for line in text.split("\n"))
