"""Whether data written with one Avro schema can be read with another.

Owns: the rules of "Schema Resolution" in the Avro 1.12 specification, as far as they can be judged without data. Must
not: read files, or know our subjects. Stricter than the specification in two points: a logical type may not change, and
bytes may not become string (not all bytes are text).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_PROMOTIONS: Final[Mapping[str, frozenset[str]]] = {
    "int": frozenset({"long", "float", "double"}),
    "long": frozenset({"float", "double"}),
    "float": frozenset({"double"}),
    "string": frozenset({"bytes"}),
}
_NAMED: Final = frozenset({"record", "enum", "fixed", "error"})


def incompatibilities(reader: Any, writer: Any) -> list[str]:
    """What keeps a reader with schema ``reader`` from reading what was written with ``writer``; empty if nothing.

    Args:
        reader: A definition as ``json.loads`` returns it.
        writer: The same.
    """
    return _Comparison(_names(reader), _names(writer)).compare(reader, writer, "")


def _names(definition: Any) -> dict[str, Any]:
    """Every named type in it, by its name without namespace: how readers and writers are matched."""
    found: dict[str, Any] = {}

    def visit(part: Any) -> None:
        if isinstance(part, list):
            for one in part:
                visit(one)
        elif isinstance(part, dict):
            if part.get("type") in _NAMED:
                found[_short(part["name"])] = part
            for key in ("type", "items", "values"):
                visit(part.get(key))
            for one in part.get("fields", ()):
                visit(one["type"])

    visit(definition)
    return found


def _short(name: str) -> str:
    return name.rsplit(".", 1)[-1]


@dataclass(slots=True)
class _Comparison:
    reader_names: dict[str, Any]
    writer_names: dict[str, Any]
    under_way: set[tuple[str, str]] = field(default_factory=set)
    """Pairs of named types that are being compared: schemas may be recursive."""

    def compare(self, reader: Any, writer: Any, place: str) -> list[str]:
        reader, writer = _resolved(reader, self.reader_names), _resolved(writer, self.writer_names)
        if isinstance(writer, list):
            return [problem for branch in writer for problem in self.compare(reader, branch, place)]
        if isinstance(reader, list):
            return self._unions(reader, writer, place)
        kind, written = _kind(reader), _kind(writer)
        if kind != written:
            if kind in _PROMOTIONS.get(written, frozenset()):
                return []
            return [f"{place}: {written} can't be read as {kind}"]
        if _logical(reader) != _logical(writer):
            return [f"{place}: logical type {_logical(writer)} became {_logical(reader)}"]
        rules: dict[str, Callable[[Any, Any, str], list[str]]] = {
            "record": self._records,
            "enum": self._enums,
            "fixed": self._fixed,
            "array": lambda r, w, p: self.compare(r["items"], w["items"], f"{p}[]"),
            "map": lambda r, w, p: self.compare(r["values"], w["values"], f"{p}{{}}"),
        }
        return rules[kind](reader, writer, place) if kind in rules else []

    def _unions(self, reader: list[Any], writer: Any, place: str) -> list[str]:
        if any(not self.compare(branch, writer, place) for branch in reader):
            return []
        # The branch of the same name says what is wrong; without one that is what is wrong.
        resolved = [_resolved(branch, self.reader_names) for branch in reader]
        same = [branch for branch in resolved if _label(branch) == _label(writer)]
        return self.compare(same[0], writer, place) if same else [f"{place}: nothing reads {_label(writer)}"]

    def _records(self, reader: Any, writer: Any, place: str) -> list[str]:
        pair = (_short(reader["name"]), _short(writer["name"]))
        if not _same_name(reader, writer):
            return [f"{place}: record {pair[1]} became {pair[0]}"]
        if pair in self.under_way:
            return []
        self.under_way.add(pair)
        written = {one["name"]: one for one in writer["fields"]}
        problems: list[str] = []
        for one in reader["fields"]:
            here = f"{place}.{one['name']}" if place else one["name"]
            match = next((written[name] for name in (one["name"], *one.get("aliases", ())) if name in written), None)
            if match is not None:
                problems += self.compare(one["type"], match["type"], here)
            elif "default" not in one:
                problems.append(f"{here}: is new and has no default")
        self.under_way.discard(pair)
        return problems

    @staticmethod
    def _enums(reader: Any, writer: Any, place: str) -> list[str]:
        if not _same_name(reader, writer):
            return [f"{place}: enum {writer['name']} became {reader['name']}"]
        lost = [symbol for symbol in writer["symbols"] if symbol not in reader["symbols"]]
        return [f"{place}: symbols {', '.join(lost)} are gone"] if lost and "default" not in reader else []

    @staticmethod
    def _fixed(reader: Any, writer: Any, place: str) -> list[str]:
        same = _same_name(reader, writer) and reader["size"] == writer["size"]
        return [] if same else [f"{place}: fixed {writer['name']} of {writer['size']} bytes is another now"]


def _resolved(definition: Any, names: Mapping[str, Any]) -> Any:
    """The definition behind a name, and behind ``{"type": …}`` around one."""
    if isinstance(definition, str):
        return names.get(_short(definition), definition)
    if isinstance(definition, dict) and isinstance(definition["type"], dict | list):
        return _resolved(definition["type"], names)
    return definition


def _kind(definition: Any) -> str:
    return str(definition["type"]) if isinstance(definition, dict) else str(definition)


def _logical(definition: Any) -> str | None:
    return definition.get("logicalType") if isinstance(definition, dict) else None


def _label(definition: Any) -> str:
    kind = _kind(definition)
    return f"{kind} {_short(definition['name'])}" if kind in _NAMED else kind


def _same_name(reader: Any, writer: Any) -> bool:
    return _short(writer["name"]) in {_short(name) for name in (reader["name"], *reader.get("aliases", ()))}
