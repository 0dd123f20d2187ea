"""YAML with the line of every key and value, for messages that say where to look.

Owns: reading a YAML text into plain values and the line of each; duplicate keys. Must not: know what a file is about.

Scalars are read by YAML 1.2's core rules, not PyYAML's 1.1 ones: ``21:00`` stays a text instead of becoming 1260,
and ``off``, ``no`` and ``2026-11-20`` stay what they look like.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

Path = tuple[str | int, ...]
"""Keys and indexes from the root to a value."""

_MAX_DEPTH = 20
_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: Mapping[str, bool | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong at a line (from 1)."""

    line: int
    text: str


@dataclass(slots=True)
class Positioned:
    """A document: its value, the line of every value in it, and what is wrong with it as YAML."""

    value: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line(self, path: Path) -> int:
        """Line of the value at ``path``, else of its nearest parent that is there."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def parse(text: str) -> Positioned:
    """Read one YAML document; what is wrong with it is in ``problems``, never raised."""
    document = Positioned()
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        document.problems.append(Problem(line, f"this is no YAML: {error.problem or error.context}; mend the syntax"))
        return document
    except yaml.YAMLError as error:
        document.problems.append(Problem(1, f"this is no YAML: {' '.join(str(error).split())}; save the file as UTF-8"))
        return document
    if root is not None:
        document.value = _value(root, (), document)
    return document


def _value(node: Node, path: Path, document: Positioned) -> Any:
    """The plain value of ``node``, noting its line and those of all below it."""
    document.lines.setdefault(path, node.start_mark.line + 1)
    if len(path) > _MAX_DEPTH:
        document.problems.append(Problem(node.start_mark.line + 1, "this is nested too deeply; an alias in itself?"))
        return None
    if isinstance(node, MappingNode):
        return _mapping(node, path, document)
    if isinstance(node, SequenceNode):
        return [_value(item, (*path, index), document) for index, item in enumerate(node.value)]
    return _scalar(node)


def _mapping(node: MappingNode, path: Path, document: Positioned) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, ScalarNode):
            document.problems.append(Problem(line, "a key must be a plain word"))
            continue
        key = str(key_node.value)
        if key in values:
            first = document.lines[(*path, key)]
            document.problems.append(Problem(line, f"'{key}' is there twice, first in line {first}; remove one"))
            continue
        document.lines[(*path, key)] = line
        values[key] = _value(value_node, (*path, key), document)
    return values


def _scalar(node: Node) -> Any:
    text = str(node.value)
    if getattr(node, "style", None) is not None:  # quoted or a block: a text whatever it looks like
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
