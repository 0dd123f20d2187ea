"""Carriers' words and what they mean.

Owns: finding a meaning. Must not: guess one, or read files (content.carriers does).
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from postcart.domain.track.status import Meaning
from postcart.events.shipments import ParcelStatus


class Word(NamedTuple):
    """A code with a finer one, or one of them alone; in lower case."""

    code: str | None
    detail: str | None = None


class Vocabulary:
    """The words of one carrier or aggregator. ``details_suffice``: a detail alone is looked up before the code."""

    def __init__(self, name: str, meanings: Mapping[Word, Meaning], *, details_suffice: bool = False) -> None:
        self.name = name
        self.meanings = dict(meanings)
        self._details_suffice = details_suffice

    def meaning(self, code: str, detail: str | None) -> Meaning | None:
        """Of both together, else of the code; of the detail if there is no code or it suffices; None if unknown.

        Where a code means an exception without saying which, a detail that does is taken.
        """
        word = Word(code.strip().casefold(), detail.strip().casefold() if detail else None)
        known = self.meanings.get(word)
        if known is not None:
            return known
        whole, fine = self.meanings.get(Word(word.code)), self.meanings.get(Word(None, word.detail))
        if fine is not None and (self._details_suffice or not word.code):
            return fine
        if whole is not None and fine is not None and whole.status == fine.status == "exception":
            return fine if whole.reason in {None, "other"} else whole
        return whole


class Vocabularies:
    """All that there are."""

    def __init__(self, vocabularies: Iterable[Vocabulary]) -> None:
        self._by_name = {vocabulary.name: vocabulary for vocabulary in vocabularies}

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def meaning(self, event: ParcelStatus) -> Meaning | None:
        """What the carrier said; None if its vocabulary, or the word, is unknown."""
        vocabulary = self._by_name.get(event.vocabulary or event.carrier)
        return vocabulary.meaning(event.code, event.detail) if vocabulary else None

    def unknown(self, event: ParcelStatus) -> str:
        """Names what is unknown, for a dead letter."""
        name = event.vocabulary or event.carrier
        if name not in self._by_name:
            return f"there is no carriers/{name}.yaml that says what {_shown(event)} means"
        return f"carriers/{name}.yaml does not say what {_shown(event)} means"


def _shown(event: ParcelStatus) -> str:
    return f"{event.code!r} ({event.detail!r})" if event.detail else repr(event.code)
