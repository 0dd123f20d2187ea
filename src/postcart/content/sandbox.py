"""The Jinja2 sandbox that templates run in.

Owns: what templates may do: the immutable sandbox, strict variables, escaping by file name, filters, translation.
Must not: read files or know which templates there are.

One environment serves all languages, so a template is compiled once: filters and translations look up the language
that the context names. The sandbox bounds neither CPU nor memory: templates are the operators' own.
"""

import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from jinja2 import Environment, FunctionLoader, pass_context
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from postcart.content import formats
from postcart.content.languages import Language
from postcart.content.template_errors import Unknown
from postcart.errors import RenderError

Load = Callable[[str], tuple[str, str, None] | None]
"""Source and file name of a template's path; None if there is none."""

_PLACEHOLDER = re.compile(r"%\(\w+\)s")
_UNUSED_GLOBALS = ("lipsum", "cycler", "joiner", "namespace", "dict")


class Sandbox:
    """Compiles templates and renders them in one of many languages."""

    def __init__(self, load: Load) -> None:
        self._languages: dict[str, Language] = {}
        environment = ImmutableSandboxedEnvironment(
            loader=FunctionLoader(load),
            autoescape=lambda path: path is None or not path.endswith(".txt.j2"),
            undefined=Unknown,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            extensions=["jinja2.ext.i18n"],
        )
        for name in _UNUSED_GLOBALS:
            environment.globals.pop(name)
        environment.filters |= self._filters()
        environment.install_gettext_callables(  # type: ignore[attr-defined]  # the i18n extension adds it
            self._gettext(), self._ngettext(), newstyle=True
        )
        self.environment: Environment = environment

    def admit(self, language: Language) -> dict[str, str]:
        """Make ``language`` known; returns the context's variable ``language``: plain texts."""
        self._languages[language.key] = language
        rtl = language.direction == "rtl"
        return {
            "tag": language.tag,
            "direction": language.direction,
            "start": "right" if rtl else "left",
            "end": "left" if rtl else "right",
            "key": language.key,
        }

    def _of(self, context: Context) -> Language:
        chosen = context.get("language")
        if not chosen:
            raise RenderError("no language here: write {% from … import … with context %}, or use {% include %}")
        return self._languages[chosen["key"]]

    def _filters(self) -> dict[str, Callable[..., str]]:
        @pass_context
        def money(context: Context, amount: Decimal, currency: str) -> str:
            return formats.money(amount, currency, self._of(context).formats)

        @pass_context
        def number(context: Context, value: int) -> str:
            return formats.number(value, self._of(context).formats)

        @pass_context
        def percent(context: Context, value: Decimal) -> str:
            return formats.percent(value, self._of(context).formats)

        @pass_context
        def date(context: Context, at: datetime, style: str = "long") -> str:
            return formats.date(at, self._of(context).formats, style)

        return {"money": money, "number": number, "percent": percent, "date": date}

    def _gettext(self) -> Callable[..., str]:
        @pass_context
        def gettext(context: Context, message: str) -> str:
            language = self._of(context)
            return _isolated(language.translations.gettext(message), language)

        return gettext

    def _ngettext(self) -> Callable[..., str]:
        @pass_context
        def ngettext(context: Context, singular: str, plural: str, count: int) -> str:
            language = self._of(context)
            return _isolated(language.translations.ngettext(singular, plural, count), language)

        return ngettext


def _isolated(text: str, language: Language) -> str:
    """In a right-to-left text each value is isolated, so that a name or price of other letters can't reorder it."""
    if language.direction == "ltr":
        return text
    return _PLACEHOLDER.sub("\u2068\\g<0>\u2069", text)
