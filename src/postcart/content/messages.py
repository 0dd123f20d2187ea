"""The messages of the templates: extracted into ``locales/postcart.pot``, merged into each language's catalogue.

Owns: the files under ``locales/`` as translators get them. Must not: translate.

After a change of a template: ``python -m postcart.content.messages templates locales``.
"""

import re
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.pofile import write_po
from jinja2.ext import babel_extract

from postcart.content.languages import DOMAIN, catalogue_files, read_catalogue
from postcart.events.times import EPOCH

_COMMAND = "python -m postcart.content.messages templates locales"
_PLACEHOLDER = re.compile(r"%\((\w+)\)s")
_STRAY = re.compile(r"%(?!%)(?<!%%)")
_MARKUP = re.compile(r"[<>]|&\w+;")
_METHOD: Any = babel_extract  # its annotations are narrower than what Babel hands it
_KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2)}
_OPTIONS = {"trimmed": "false", "trim_blocks": "true", "lstrip_blocks": "true", "newstyle_gettext": "true"}


def extract_messages(templates: Path) -> Catalog:
    """All translatable messages under ``templates``, with their files; without lines, which change with every edit."""
    catalogue = _empty()
    for file in sorted(templates.rglob("*.j2")):
        with file.open("rb") as source:
            found = extract(_METHOD, source, keywords=_KEYWORDS, options=_OPTIONS)
            for _, message, comments, context in found:
                place = (file.relative_to(templates.parent).as_posix(), 0)
                catalogue.add(message, locations=[place], auto_comments=comments, context=context)
    return catalogue


def template_text(catalogue: Catalog) -> str:
    """The catalogue's text, in the order of the messages; the same messages give the same text."""
    text = BytesIO()
    write_po(
        text, catalogue, width=100, sort_output=True, ignore_obsolete=True, include_lineno=False, omit_header=False
    )
    return text.getvalue().decode()


def update(templates: Path, locales: Path) -> None:
    """Write ``postcart.pot`` and bring every catalogue up to date: new messages empty, those not used any more gone."""
    source = extract_messages(templates)
    (locales / f"{DOMAIN}.pot").write_text(template_text(source), "utf-8")
    for file in catalogue_files(locales):
        catalogue = read_catalogue(file)
        catalogue.update(source, no_fuzzy_matching=True, update_creation_date=False)
        catalogue.obsolete.clear()
        catalogue.header_comment = source.header_comment
        file.write_text(template_text(catalogue), "utf-8")


def problems(templates: Path, locales: Path) -> Iterator[str]:
    """What is wrong with the catalogues: missing, fuzzy or superfluous messages, placeholders that disagree."""
    source = extract_messages(templates)
    wanted = {message.id for message in source if message.id}
    for file in catalogue_files(locales):
        catalogue = read_catalogue(file)
        where = f"{file.parent.parent.name}/{file.name}"
        there = {message.id for message in catalogue if message.id}
        for missing in sorted(map(str, wanted - there)):
            yield f"{where}: {missing!r} is missing; run {_COMMAND}"
        for message in catalogue:
            if message.id and message.id not in wanted:
                yield f"{where}:{message.lineno}: {message.id!r} is in no template any more"
            elif message.id:
                yield from (f"{where}:{message.lineno}: {problem}" for problem in _message_problems(message, catalogue))


def _message_problems(message: Message, catalogue: Catalog) -> Iterator[str]:
    ids, texts = _texts(message.id), _texts(message.string)
    if message.fuzzy:
        yield f"{message.id!r} is marked fuzzy: check it and take the mark away"
    if not all(texts) or (message.pluralizable and len(texts) != catalogue.num_plurals):
        yield f"{message.id!r} is not translated, or not in all {catalogue.num_plurals} plural forms"
        return
    allowed = set().union(*(_names(one) for one in ids))
    needed = set.intersection(*(_names(one) for one in ids))
    for text in texts:
        if not needed <= _names(text) <= allowed:
            yield f"{text!r} has other placeholders than {message.id!r}"
        if _STRAY.search(_PLACEHOLDER.sub("", text)):
            yield f"{text!r}: a percent sign is written %%"
        if _MARKUP.search(text) and not any(_MARKUP.search(one) for one in ids):
            yield f"{text!r} has markup, which {message.id!r} has not"


def _texts(text: str | tuple[str, ...] | list[str] | None) -> list[str]:
    return [text or ""] if isinstance(text, str | None) else list(text)


def _names(text: str) -> set[str]:
    return set(_PLACEHOLDER.findall(text))


def _empty() -> Catalog:
    return Catalog(
        domain=DOMAIN,
        project=DOMAIN,
        version="1",
        header_comment=f"# Messages of the templates. After a change there:\n# {_COMMAND}",
        creation_date=EPOCH,
        revision_date=EPOCH,
        fuzzy=False,
        charset="utf-8",
    )


def main() -> None:
    """Update the catalogues of the folders named on the command line."""
    templates, locales = map(Path, sys.argv[1:3])
    update(templates, locales)


if __name__ == "__main__":
    main()
