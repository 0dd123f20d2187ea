"""Which URLs may stand in a message.

Owns: the check of schemes in context and in rendered markup: ``javascript:`` passes autoescape. Must not: fetch,
resolve or rewrite anything.
"""

import html
import re
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import urlsplit

from postcart.errors import RenderError

WEB = frozenset({"https", "http"})
ALLOWED = WEB | {"mailto"}

_ATTRIBUTES = ("href", "src", "srcset", "action", "background", "poster", "cite", "data")
_VALUE = re.compile(r"""\s*=\s*("[^"]*"|'[^']*'|[^\s>"']+)""")
_STYLE = re.compile(r"""url\(\s*("[^"]*"|'[^']*'|[^)]*?)\s*\)""", re.IGNORECASE)
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f-\xa0\u200b-\u200f\u2028-\u202f\ufeff]")


def web_url(text: str | None) -> str | None:
    """``text`` if it is a whole http or https URL with a host, else None: then the message shows no link there."""
    return text if text and _scheme(text) in WEB and _has_host(text) else None


def check_urls(markup: str, where: str) -> None:
    """Refuse rendered HTML that links or loads anything but http, https and mailto. Raises as ``check_url``."""
    for name, raw in links(markup):
        check_url(raw, where, name)


def links(markup: str) -> Iterator[tuple[str, str]]:
    """Name and value, in their quotes if they have any, of all that links or loads something."""
    lower = markup.lower()
    for name in _ATTRIBUTES:
        # Found as plain text, which is much faster than a pattern that is tried everywhere. Also what only ends in such
        # a name is checked (xlink:href, formaction, data-src).
        at = lower.find(name)
        while at >= 0:
            if value := _VALUE.match(markup, at + len(name)):
                yield name, value[1]
            at = lower.find(name, at + 1)
    if "url(" in lower:
        for match in _STYLE.finditer(markup):
            yield "url()", match[1]


def check_url(raw: str, where: str, attribute: str) -> None:
    """Refuse one such value.

    Raises:
        RenderError: Another scheme, or a relative address: a mail has no page that it could be relative to.
    """
    if found := _forbidden(raw):
        raise RenderError(f"{where}: {attribute} has {found}; only https, http and mailto may be linked")


@lru_cache(maxsize=4_096)
def _forbidden(raw: str) -> str | None:
    """What is wrong with an attribute's value, if anything; most of them stand in every mail."""
    url = html.unescape(raw.strip("\"'"))
    if url.startswith("#"):
        return None
    scheme = _scheme(url)
    if scheme in ALLOWED and (scheme not in WEB or _has_host(url)):
        return None
    return f"scheme {scheme!r}" if scheme else "no scheme"


def _scheme(url: str) -> str:
    # Mail programs and browsers skip control characters before and inside a scheme: "java\tscript:" is one.
    plain = _UNPRINTABLE.sub("", url)
    return plain.partition(":")[0].lower() if plain == url and ":" in plain else ""


def _has_host(url: str) -> bool:
    try:
        return bool(urlsplit(url).hostname)
    except ValueError:
        return False
