"""Languages: which catalogue and which formats a recipient gets.

Owns: the gettext catalogues under ``locales/`` (read and compiled in memory), the fallback chain, and the direction
of writing. Must not: know a template or a recipient.

The chain of a recipient's tag ``de-AT`` is ``de-AT``, ``de``, the shop's default, English. English is the language of
the message ids, so it needs no catalogue. Formats follow the recipient's own tag as long as its language is the one
that is spoken; else they follow the language that is.
"""

import gettext
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from io import BytesIO, StringIO
from pathlib import Path
from typing import Literal

from babel import Locale, UnknownLocaleError
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po

from postcart.errors import ConfigurationError

DOMAIN = "postcart"
SOURCE_LANGUAGE = "en"
"""The language of the message ids."""

_PO_LINE = re.compile(r'\s*(#.*|((msgctxt|msgid|msgid_plural|msgstr(\[\d+\])?)\s+)?"([^"\\]|\\.)*")?\s*')


@dataclass(frozen=True)
class Language:
    """What a message is written in.

    Attributes:
        tag: BCP 47, for the ``lang`` attribute and Content-Language: the catalogue's, for example ``de``.
        formats: Babel's locale for money, dates and numbers, for example that of ``de_AT``.
        translations: The catalogue; empty for English.
    """

    tag: str
    formats: Locale
    translations: gettext.NullTranslations

    @cached_property
    def key(self) -> str:
        """Tells it from all others."""
        return f"{self.tag} {self.formats}"

    @cached_property
    def direction(self) -> Literal["ltr", "rtl"]:
        """The direction of writing of the catalogue's language."""
        return "rtl" if self.formats.text_direction == "rtl" else "ltr"


class Languages:
    """All languages that messages can be written in.

    Args:
        folder: Holds ``TAG/LC_MESSAGES/postcart.po``.
        default: The shop's own language, taken where a recipient's is not to be had.

    Raises:
        ConfigurationError: The folder is missing, a catalogue can't be read, or the default has none.
    """

    def __init__(self, folder: Path, default: str = SOURCE_LANGUAGE) -> None:
        self._catalogues: dict[str, gettext.NullTranslations] = {SOURCE_LANGUAGE: gettext.NullTranslations()}
        for file in catalogue_files(folder):
            self._catalogues[_key(file.parent.parent.name)] = _compile(read_catalogue(file))
        for key in self._catalogues:
            # Babel opens files when they are first needed: now there are descriptors for it.
            _ = Locale.parse(key).text_direction
        found = self._language_of(default)
        if found is None:
            raise ConfigurationError(
                f"shop locale {default!r}: no catalogue under {folder}; there are {', '.join(self.tags)}"
            )
        self._default = found
        self._cached = lru_cache(maxsize=1024)(self._resolve)

    @property
    def tags(self) -> list[str]:
        """The languages that there are, as BCP 47 tags, sorted."""
        return sorted(key.replace("_", "-") for key in self._catalogues)

    def resolve(self, tag: str | None) -> Language:
        """The language for a recipient's ``tag`` (BCP 47 or POSIX; None, unknown and malformed give the default)."""
        return self._cached(tag or "")

    def _resolve(self, tag: str) -> Language:
        return self._language_of(tag) or self._default

    def _language_of(self, tag: str) -> Language | None:
        wanted = parse_tag(tag)
        if wanted is None:
            return None
        for key in dict.fromkeys((str(wanted), f"{wanted.language}_{wanted.script}", wanted.language)):
            if key in self._catalogues:
                return Language(key.replace("_", "-"), wanted, self._catalogues[key])
        return None


def parse_tag(tag: str) -> Locale | None:
    """Babel's locale of a tag; of an unknown territory that of the language; None where not even that is known."""
    plain = tag.replace("-", "_").split(".")[0].split("@")[0]
    for candidate in dict.fromkeys((plain, plain.split("_")[0])):
        try:
            return Locale.parse(candidate)
        except (ValueError, UnknownLocaleError):
            continue
    return None


def catalogue_files(folder: Path) -> list[Path]:
    """The catalogues' sources under ``folder``, sorted by language."""
    if not folder.is_dir():
        raise ConfigurationError(
            f"{folder}: there is no such folder of translations (TAG/LC_MESSAGES/{DOMAIN}.po); set POSTCART_LOCALES_DIR"
        )
    return sorted(folder.glob(f"*/LC_MESSAGES/{DOMAIN}.po"))


def read_catalogue(file: Path) -> Catalog:
    """A catalogue's source.

    Raises:
        ConfigurationError: The folder's name is no language, or the file is no catalogue (with its line).
    """
    tag = file.parent.parent.name
    locale = parse_tag(tag)
    if locale is None or str(locale) != _key(tag):
        raise ConfigurationError(f"{file}: {tag!r} is no language that is known; name the folder like 'de' or 'pt_BR'")
    try:
        text = file.read_text("utf-8")
        # Babel reads half-quoted lines as it can, and so loses messages.
        for number, line in enumerate(text.splitlines(), 1):
            if not _PO_LINE.fullmatch(line):
                raise ConfigurationError(f"{file}:{number}: no line of a catalogue: {line[:60]!r}")
        return read_po(StringIO(text), locale=locale, domain=DOMAIN, abort_invalid=True)
    except PoFileError as error:
        raise ConfigurationError(f"{file}:{error.lineno + 1}: {error}") from error
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{file}: {error}") from error


def _compile(catalogue: Catalog) -> gettext.NullTranslations:
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def _key(tag: str) -> str:
    return tag.replace("-", "_")
