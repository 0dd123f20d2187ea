"""Forms: the HTML that all mails of a template share where they do not differ, made and encoded once.

Owns: telling which values may be filled in after MJML, and keeping forms. Must not: know Jinja, headers or jobs.

Two mails of a template mostly differ in a few words. MJML copies text as it is, so it need not see those words: it is
given holders in their place, and what it makes of them is kept with all that costs more than the words do: the check of
links, the encoding, what DKIM hashes. A value stays part of the form where MJML or the check of links may look at it:
in the attributes of MJML's own tags, in styles, in a tag but not in a quoted value, and where it is not plain text.
That MJML is blind to the others is tried with two different holders for each form. The same mail has the same bytes
whether its form was kept or not.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from postcart.content.mjml import to_html
from postcart.content.quoted import SOFT_BREAK, Quoted
from postcart.content.slots import MARK, Slotted, holder, may_hold
from postcart.content.urls import check_url, check_urls, links
from postcart.errors import RenderError

_KEPT = 256
"""Forms; some 40 kB each. A template has one for each number of lines and each choice it makes."""
_VALUES_KEPT = 4_096
_OTHER_FILLER = "Ab  c &amp; &#39;d&#39; &#34;e&#34; 1/2: %(f)s {g} \u00e4\u05d0"
_OPEN_TAG = re.compile(
    r"""<(?P<tag>[\w-]*)(?:[^"'>]|"[^"]*"|'[^']*')*?(?:(?P<attribute>[\w:-]+)\s*=\s*(?:"[^"]*|'[^']*))?"""
)
"""From its bracket up to a place within it; ``attribute``: in whose quoted value that is."""
_SHORT = 70


class Form:
    """The HTML of many mails, with slots for what differs.

    Args:
        html: The whole.
        urls: Name and value of attributes that link and have a slot.
    """

    def __init__(self, html: Slotted, urls: Sequence[tuple[str, Slotted]] = ()) -> None:
        self.html = html
        self.urls = urls
        last = len(html.parts) - 1
        self.parts = [
            Quoted.joined(
                [
                    Quoted.plain(SOFT_BREAK if number else b""),
                    encoded := Quoted.of(part),
                    Quoted.plain(SOFT_BREAK if number < last and not encoded.data.endswith(b"\n") else b""),
                ]
            )
            for number, part in enumerate(html.parts)
        ]


class Page(NamedTuple):
    """The HTML of one mail."""

    form: Form
    values: Sequence[str] = ()

    @classmethod
    def whole(cls, html: str) -> "Page":
        """One that shares nothing with others."""
        return cls(Form(Slotted((html,), ())))

    @property
    def html(self) -> str:
        """As a text."""
        return self.form.html.filled(self.values)

    @property
    def quoted(self) -> Quoted:
        """As it stands in a message."""
        parts = self.form.parts
        if len(parts) == 1:
            return parts[0]
        values = [_quoted(value) for value in self.values]
        data, relaxed = [parts[0].data], [parts[0].relaxed]
        for slot, part in zip(self.form.html.slots, parts[1:], strict=True):
            value = values[slot]
            data += value.data, part.data
            relaxed += value.relaxed, part.relaxed
        return Quoted(b"".join(data), b"".join(relaxed))


class Forms:
    """Makes pages of marked MJML; keeps the forms of the latest. Thread-safe."""

    def __init__(self) -> None:
        self._form = lru_cache(_KEPT)(_form)

    def page(self, mjml: str, where: str) -> Page:
        """The HTML of an MJML document whose simple values stand between marks; checks what it links.

        Raises:
            RenderError: It is not well formed, or links what a mail must not; ``where`` names the template.
        """
        pieces = mjml.split(MARK)
        values = pieces[1::2]
        if values:
            seen = _seen(shared := MARK.join(pieces[::2]))
            form = self._form(shared, tuple([values[slot] for slot in seen]), where)
            if form is not None:
                for name, url in form.urls:
                    check_url(url.filled(values), where, name)
                return Page(form, values)
        html = to_html("".join(pieces), where)
        check_urls(html, where)
        return Page.whole(html)


@lru_cache(_KEPT)
def _seen(shared: str) -> tuple[int, ...]:
    """Slots whose values belong to the form."""
    found, before = [], ""
    for slot, part in enumerate(shared.split(MARK)[:-1]):
        before += part
        if _is_looked_at(before):
            found.append(slot)
    return tuple(found)


def _is_looked_at(before: str) -> bool:
    """Whether MJML or the check of links may look at what follows on this."""
    if any(before.rfind(f"<{style}") > before.rfind(f"</{style}") for style in ("mj-style", "style")):
        return True
    tag = _OPEN_TAG.fullmatch(before, max(before.rfind("<"), 0))
    return tag is not None and (tag["tag"].startswith("mj") or tag["attribute"] in {None, "style"})


def _form(shared: str, seen: tuple[str, ...], where: str) -> Form | None:
    """None: MJML must see all values, or says what is wrong with this document."""
    if not may_hold(shared, *seen):
        return None
    fixed = dict(zip(_seen(shared), seen, strict=True))
    parts = shared.split(MARK)
    try:
        html, other = (to_html(_with_holders(parts, fixed, filler), where) for filler in ("", _OTHER_FILLER))
    except RenderError:
        return None
    cut = Slotted.cut(html)
    if cut != Slotted.cut(other):
        return None
    urls = []
    for name, raw in links(html):
        url = Slotted.cut(raw)
        if url.slots:
            urls.append((name, url))
        else:
            check_url(raw, where, name)
    return Form(cut, urls)


def _with_holders(parts: Sequence[str], fixed: dict[int, str], filler: str) -> str:
    pieces = [parts[0]]
    for slot, part in enumerate(parts[1:]):
        pieces += fixed[slot] if slot in fixed else holder(slot, filler), part
    return "".join(pieces)


@lru_cache(_VALUES_KEPT)  # most are the same in all mails
def _quoted(value: str) -> Quoted:
    """A value by itself. Most are short words, which are their own encoding."""
    if value.isascii() and value.isprintable() and len(value) <= _SHORT and "=" not in value and "  " not in value:
        data = value.encode("ascii")
        return Quoted(data, data)
    return Quoted.of(value)
