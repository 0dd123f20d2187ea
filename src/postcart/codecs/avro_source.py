"""Writes the functions that read values of an Avro schema, as ``dataclasses`` writes its methods.

Owns: what such functions look like. Must not: run them.

There is no loop over fields and no call for a text or a number that is short. A build that compiles the hot modules
writes those of the released schemas into a module of their own (``ahead``); everywhere else they are run as they are.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

_MOST_BRANCHES: Final = 63  # of a union, so that a branch is one byte

IMPORTS: Final = """\
from typing import Any, Final

from postcart.codecs.avro_values import Damaged, block, double_of, float_of, read_long, span
"""
"""What the functions need."""


class Unsupported(Exception):  # noqa: N818 -- no error: the schema is left to fastavro
    """This schema has parts that are left to fastavro."""


class Source(NamedTuple):
    """The functions of a schema.

    Attributes:
        text: Of all of them.
        name: Of that which reads a value of the schema: ``(data, at)`` to the value and where the next begins.
    """

    text: str
    name: str

    @property
    def digest(self) -> str:
        """Tells this text from all others."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def source_of(parsed: Any, *, prefix: str = "") -> Source:
    """What reads values of a schema as ``fastavro.parse_schema`` returns it.

    Args:
        parsed: The schema.
        prefix: Of all names.

    Raises:
        Unsupported: It is left to fastavro.
    """
    writing = _Writing(prefix)
    name = writing.function(parsed)
    return Source("\n".join(writing.lines) + "\n", name)


def ahead(schemas: Iterable[Any]) -> str:
    """The text of the module ``avro_ahead``: the functions of these schemas, by their digests."""
    sources, places = [], []
    for number, parsed in enumerate(schemas):
        source = source_of(parsed, prefix=f"s{number}_")
        sources.append(source.text)
        places.append(f"    {source_of(parsed).digest!r}: {source.name},\n")
    return '"""Written by setup.py."""\n' + "\n".join([IMPORTS, *sources, "READERS = {\n" + "".join(places) + "}\n"])


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
at += 1
CHOICES
else:
    raise Damaged("no such branch of a union")"""
_ENUM: Final = """\
place, at = read_long(data, at)
if not 0 <= place < len(SYMBOLS):
    raise Damaged("no such symbol of an enum")
VALUE = SYMBOLS[place]"""
_BLOCKS: Final = """\
items: Any = EMPTY
while True:
    count, at = block(data, at)
    if not count:
        return items, at
    for _ in range(count):
ITEM"""


class _Writing:
    """The functions of one schema: one for each record, array, map, and record in a union."""

    def __init__(self, prefix: str) -> None:
        self.lines: list[str] = []
        self._prefix = prefix
        self._names = 0
        self._named: dict[str, str] = {}
        """Statements by which what a schema has named is read."""

    def function(self, schema: Any) -> str:
        """Write one that reads such a value; its name."""
        name = self._new("read")
        if isinstance(schema, dict) and schema["type"] == "record":
            self._named[schema["name"]] = f"VALUE, at = {name}(data, at)"  # first: fields may be of the same record
            fields = [(field["name"], f"v{place}", field["type"]) for place, field in enumerate(schema["fields"])]
            body = [f"{local}: Any" for _, local, _ in fields]
            body += [self._statements(kind, local) for _, local, kind in fields]
            result = ", ".join(f"{field!r}: {local}" for field, local, _ in fields)
            body.append(f"return {{{result}}}, at")
        elif isinstance(schema, dict) and schema["type"] in {"array", "map"}:
            body = [self._blocks(schema)]
        else:
            body = ["value: Any", self._statements(schema, "value"), "return value, at"]
        self.lines += [f"def {name}(data: bytes, at: int) -> tuple[Any, int]:", *(_indented(part) for part in body)]
        return name

    def _statements(self, schema: Any, local: str) -> str:
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
            found = _ENUM.replace("SYMBOLS", self._constant("symbols", tuple(schema["symbols"])))
        elif kind in {"record", "array", "map"}:
            return f"VALUE, at = {self.function(schema)}(data, at)"
        else:
            return self._template(kind, local)
        self._named[schema["name"]] = found
        return found

    def _union(self, branches: list[Any], local: str) -> str:
        if len(branches) == len(("null", "other")) and branches[0] == "null":
            return _OPTIONAL.replace("OTHER", _indented(self._statements(branches[1], local)))
        if any(isinstance(branch, str) and branch not in _PRIMITIVES for branch in branches):
            raise Unsupported("a union that refers to a name")
        if len(branches) > _MOST_BRANCHES:
            raise Unsupported("a union of more than 63 branches")
        names = [
            branch["name"] if isinstance(branch, dict) and branch["type"] == "record" else None for branch in branches
        ]
        tell = sum(name is not None for name in names) > 1
        choices = []
        for place, (branch, name) in enumerate(zip(branches, names, strict=True)):
            read = self._statements(branch, local)
            if name is not None and tell:
                read += f"\n{local} = {self._constant('name', name)}, {local}"
            choices.append(f"{'el' if place else ''}if branch == {2 * place}:\n{_indented(read)}")
        return _UNION.replace("CHOICES", "\n".join(choices))

    def _blocks(self, schema: Any) -> str:
        if schema["type"] == "array":
            empty, item = "[]", self._statements(schema["items"], "item") + "\nitems.append(item)"
        else:
            key = self._statements("string", "key")
            empty, item = "{}", f"{key}\n{self._statements(schema['values'], 'item')}\nitems[key] = item"
        return "item: Any\n" + _BLOCKS.replace("EMPTY", empty).replace("ITEM", _indented(item, 2))

    def _constant(self, kind: str, value: object) -> str:
        """A name for what comes from the schema: in the statements themselves it could be taken for a place."""
        name = self._new(kind)
        self.lines.append(f"{name}: Final = {value!r}")
        return name

    def _new(self, kind: str) -> str:
        """A name of its own in the source."""
        self._names += 1
        return f"{self._prefix}{kind}_{self._names}"


def _indented(text: str, times: int = 1) -> str:
    return "\n".join("    " * times + line for line in text.split("\n"))
