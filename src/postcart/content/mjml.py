"""MJML to HTML.

Owns: the call of mrml and the list of tags that MJML has: mrml copies an unknown one silently. Must not: know
templates or their language.

mrml 0.2 writes the attributes of HTML as Rust shows a text to programmers: what joins or combines with other letters, a
backslash, a tab and a line end come out as escapes that no browser knows. So it does not get to see them.
"""

import re

import mrml

from postcart.errors import RenderError

TAGS = frozenset(
    {
        "mjml",
        "mj-head",
        "mj-attributes",
        "mj-all",
        "mj-class",
        "mj-breakpoint",
        "mj-font",
        "mj-html-attributes",
        "mj-selector",
        "mj-html-attribute",
        "mj-preview",
        "mj-style",
        "mj-title",
        "mj-body",
        "mj-accordion",
        "mj-accordion-element",
        "mj-accordion-title",
        "mj-accordion-text",
        "mj-button",
        "mj-carousel",
        "mj-carousel-image",
        "mj-column",
        "mj-divider",
        "mj-group",
        "mj-hero",
        "mj-image",
        "mj-navbar",
        "mj-navbar-link",
        "mj-raw",
        "mj-section",
        "mj-social",
        "mj-social-element",
        "mj-spacer",
        "mj-table",
        "mj-text",
        "mj-wrapper",
    }
)
"""MJML 4's components (documentation.mjml.io), without mj-include: partials are Jinja's affair."""

_TAG = re.compile(r"<\s*(mj[a-z0-9-]*)", re.IGNORECASE)
_HIDDEN = re.compile(r"[^\x00-\x7f]+|\\+")
_HELD = re.compile("\u27e6(\\d+)\u27e7")
_TAG_OF_LINES = re.compile(r"<[A-Za-z][^<>]*[\n\t][^<>]*>")
_SPACES = re.compile(r"\s+")
_OPTIONS = mrml.RenderOptions(disable_comments=True, fonts={})
"""No comments of template authors in mails, no web fonts fetched from elsewhere."""


def unknown_tags(source: str) -> list[tuple[int, str]]:
    """Line and name of every ``mj…`` tag in ``source`` that MJML does not have."""
    return [
        (source.count("\n", 0, match.start()) + 1, match[1]) for match in _TAG.finditer(source) if match[1] not in TAGS
    ]


def to_html(source: str, where: str) -> str:
    """The HTML of an MJML document.

    Raises:
        RenderError: It is not well formed; ``where`` names the template.
    """
    held: list[str] = []

    def hold(found: re.Match[str]) -> str:
        held.append(found[0])
        return f"\u27e6{len(held) - 1}\u27e7"

    plain = _HIDDEN.sub(hold, _TAG_OF_LINES.sub(lambda tag: _SPACES.sub(" ", tag[0]), source))
    try:
        html = str(mrml.to_html(plain, None, _OPTIONS).content)
    except OSError as error:
        raise RenderError(f"{where}: MJML: {error}") from error
    return _HELD.sub(lambda found: held[int(found[1])], html) if held else html
