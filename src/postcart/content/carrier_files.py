"""Files that say what carriers' words mean (carriers/*.yaml).

Owns: their form, and messages that say where to look and what to write. Must not: know which words there are.
"""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, get_args

from postcart.content import positioned_yaml
from postcart.content.positioned_yaml import Positioned, Problem
from postcart.domain.track.status import Meaning
from postcart.domain.track.vocabulary import Vocabularies, Vocabulary, Word
from postcart.errors import ConfigurationError
from postcart.events.milestones import Reason, Status

SHIPPED: Final = Path(__file__).parent / "carriers"
"""The files that come with Postcart."""

_STATUSES: Final[tuple[str, ...]] = get_args(Status)
_REASONS: Final[tuple[str, ...]] = get_args(Reason)
_KEYS: Final = ("name", "sources", "words", "details_suffice")
_WORD_KEYS: Final = ("code", "detail", "means", "reason", "source")


def load_vocabularies(folder: Path = SHIPPED) -> Vocabularies:
    """All files of the folder.

    Raises:
        ConfigurationError: All that is wrong with all of them, by file and line; also if there is none.
    """
    paths = sorted(folder.glob("*.yaml"))
    if not paths:
        raise ConfigurationError(f"{folder}: no carrier (*.yaml) is there; add one or set POSTCART_CARRIERS_DIR")
    problems: list[str] = []
    vocabularies = []
    for path in paths:
        try:
            vocabularies.append(load_vocabulary(path))
        except ConfigurationError as error:
            problems += error.problems
    if problems:
        raise ConfigurationError(*problems)
    return Vocabularies(vocabularies)


def load_vocabulary(path: Path) -> Vocabulary:
    """One file.

    Raises:
        ConfigurationError: All that is wrong with it, by line.
    """
    try:
        text = path.read_bytes().decode()
    except OSError as error:
        raise ConfigurationError(f"{path}: it can't be read ({error.strerror}); check path and permissions") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path}: it is not UTF-8; save it as UTF-8") from None
    document = positioned_yaml.parse(text)
    reading = _Reading(document, path.stem)
    problems = document.problems or list(reading.problems())
    if problems:
        ordered = sorted(set(problems), key=lambda problem: (problem.line, problem.text))
        raise ConfigurationError(*(f"{path}:{problem.line}: {problem.text}" for problem in ordered))
    return Vocabulary(path.stem, reading.meanings, details_suffice=document.value.get("details_suffice", False))


class _Reading:
    """One document on its way to meanings."""

    def __init__(self, document: Positioned, stem: str) -> None:
        self._document = document
        self._stem = stem
        self.meanings: dict[Word, Meaning] = {}
        self._lines: dict[Word, int] = {}

    def problems(self) -> Iterator[Problem]:
        value, line = self._document.value, self._document.line
        if not isinstance(value, dict):
            yield Problem(1, f"the file must hold {', '.join(_KEYS[:3])}")
            return
        yield from self._unknown_keys((), value, _KEYS)
        if value.get("name") != self._stem:
            yield Problem(line(("name",)), f"the name must be that of the file: {self._stem}")
        if not isinstance(value.get("details_suffice", False), bool):
            yield Problem(line(("details_suffice",)), "details_suffice is true or false")
        sources = value.get("sources")
        if not isinstance(sources, dict) or not sources or not all(isinstance(one, str) for one in sources.values()):
            yield Problem(line(("sources",)), "sources must say where the words are written down: name: text")
            sources = {}
        words = value.get("words")
        if not isinstance(words, list) or not words:
            yield Problem(line(("words",)), "words must be a list, each entry begun with '-'")
            return
        for index, word in enumerate(words):
            yield from self._word(index, word, tuple(sources))

    def _word(self, index: int, word: Any, sources: Sequence[str]) -> Iterator[Problem]:
        path = ("words", index)
        line = self._document.line
        if not isinstance(word, dict):
            yield Problem(line(path), "a word must hold keys of its own: code, detail, means, source")
            return
        yield from self._unknown_keys(path, word, _WORD_KEYS)
        code, detail = (word.get(key) for key in ("code", "detail"))
        if not any((code, detail)) or not all(one is None or isinstance(one, str) for one in (code, detail)):
            yield Problem(line(path), "a word needs a code, a detail or both, as texts")
            return
        for key, known, needed in (("means", _STATUSES, True), ("reason", _REASONS, False), ("source", sources, True)):
            said = word.get(key)
            if said is None and needed:
                yield Problem(line(path), f"'{key}' is missing; add it")
            elif said is not None and said not in known:
                yield Problem(line((*path, key)), f"{key} is {said!r}; {_nearest(str(said), known)}")
        folded = Word(_folded(code), _folded(detail))
        if folded in self._lines:
            yield Problem(line(path), f"this word is there twice, first in line {self._lines[folded]}; remove one")
        self._lines.setdefault(folded, line(path))
        self.meanings[folded] = Meaning(word.get("means") or "pending", word.get("reason"))

    def _unknown_keys(
        self, path: positioned_yaml.Path, value: dict[str, Any], known: Sequence[str]
    ) -> Iterator[Problem]:
        for key in value:
            if key not in known:
                yield Problem(self._document.line((*path, key)), f"unknown key '{key}'; {_nearest(key, known)}")


def _folded(text: str | None) -> str | None:
    return text.strip().casefold() if text else None


def _nearest(word: str, known: Sequence[str]) -> str:
    matches = get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    listed = f"known are {', '.join(known)}"
    return f"did you mean '{matches[0]}'? ({listed})" if matches else listed
