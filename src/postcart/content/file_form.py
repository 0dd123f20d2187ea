"""What is wrong with a file that people write, in their words: ``file:line: what is wrong; what to do``.

Owns: reading and validating a YAML file with all problems reported at once, and the wording. Must not: know what a file
is about: its form comes as a pydantic model.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from postcart.content import positioned_yaml
from postcart.content.positioned_yaml import Positioned, Problem
from postcart.errors import ConfigurationError

M = TypeVar("M", bound=BaseModel)

_MARKERS = frozenset({"[key]"})
_FORMS = {
    "dict_type": "it must hold keys of its own",
    "tuple_type": "it must be a list, each entry begun with '-'",
    "too_short": "add at least one entry",
    "string_pattern_mismatch": "use lower-case letters, digits and '-' only",
    "string_type": "it must be a text: put it in quotes",
    "decimal_parsing": "it must be a number",
    "decimal_type": "it must be a number",
    "int_parsing": "it must be a whole number",
    "int_type": "it must be a whole number",
    "int_from_float": "it must be a whole number",
}


@dataclass(frozen=True)
class FileForm(Generic[M]):
    """What a kind of file must look like.

    Attributes:
        model: Its whole.
        known_keys: The keys that may stand at a path, for suggestions.
        closed_sets: By key the words that may stand there.
        cross_checks: What no single field can tell; asked also where other things are wrong.
    """

    model: type[M]
    known_keys: Callable[[tuple[Any, ...]], tuple[str, ...]]
    closed_sets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    cross_checks: Callable[[Positioned], Iterable[Problem]] = lambda _document: ()

    def read(self, path: Path) -> tuple[M, bytes]:
        """The file at ``path``, and its bytes.

        Raises:
            ConfigurationError: All that is wrong with it, by line.
        """
        try:
            content = path.read_bytes()
            text = content.decode()
        except OSError as error:
            raise ConfigurationError(
                f"{path}: it can't be read ({error.strerror}); check path and permissions"
            ) from None
        except UnicodeDecodeError:
            raise ConfigurationError(f"{path}: it is not UTF-8; save it as UTF-8") from None
        document = positioned_yaml.parse(text)
        problems = list(document.problems)
        model: M | None = None
        if document.value is not None or not problems:
            problems += self.cross_checks(document)
            try:
                model = self.model.model_validate(document.value)
            except ValidationError as error:
                found = error.errors(include_url=False)
                problems += [self._explain(one, document) for one in found if not _follows_from_others(one)]
        if problems or model is None:
            raise ConfigurationError(*_printed(path, problems))
        return model, content

    def _words(self, path: tuple[str | int, ...]) -> tuple[str, ...]:
        """What may stand there; an entry of a list is what its list is called."""
        return self.closed_sets[next(str(part) for part in reversed(path) if isinstance(part, str))]

    def _explain(self, details: ErrorDetails, document: Positioned) -> Problem:
        """One finding of pydantic in the words of someone who writes such files."""
        path = tuple(part for part in details["loc"] if part not in _MARKERS)
        kind, value, key = details["type"], details["input"], shown(path)
        if kind == "missing":
            path, missing = path[:-1], path[-1]
            text = f"'{missing}' is missing{f' in {shown(path)}' if path else ''}; add it"
        elif kind == "extra_forbidden":
            text = f"unknown key '{path[-1]}'; {nearest(str(path[-1]), self.known_keys(path[:-1]))}"
        elif kind == "literal_error":
            text = f"{key} is {value!r}; {nearest(str(value), self._words(path))}"
        elif kind == "value_error":
            text = f"{key}: {details['ctx']['error']}"
        elif kind == "model_type":
            text = f"{key} is {_kind(value)}; it must hold keys of its own: {', '.join(self.known_keys(path))}"
        elif kind in _FORMS:
            text = f"{key} is {_kind(value)}; {_FORMS[kind]}"
        else:
            text = f"{key} is {_kind(value)}; {details['msg'][0].lower()}{details['msg'][1:]}"
        return Problem(document.line(path), text)


def _printed(path: Path, problems: list[Problem]) -> list[str]:
    ordered = sorted(set(problems), key=lambda problem: (problem.line, problem.text))
    return [f"{path}:{problem.line}: {problem.text}" for problem in ordered]


def _follows_from_others(details: ErrorDetails) -> bool:
    """Pydantic also calls a list too short when none of its entries is right."""
    return details["type"] == "too_short" and bool(details["input"])


def nearest(word: str, known: Sequence[str]) -> str:
    """Advice for a word that is not among ``known``."""
    matches = get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    listed = f"known are {', '.join(known)}"
    return f"did you mean '{matches[0]}'? ({listed})" if matches else listed


def shown(path: tuple[str | int, ...]) -> str:
    """``steps[2].after``, with entries counted from 1, as people do."""
    text = ""
    for part in path:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "the file"


def _kind(value: object) -> str:
    match value:
        case None:
            return "empty"
        case bool():
            return f"{value}".lower()
        case dict():
            return "a group of keys" if value else "empty"
        case list() | tuple():
            return "a list" if value else "empty"
        case _:
            return repr(value)
