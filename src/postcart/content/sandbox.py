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
from functools import lru_cache
from typing import Any

from jinja2 import Environment, FunctionLoader, Template, pass_context
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from postcart.content import formats
from postcart.content.languages import Language
from postcart.content.slots import marked
from postcart.content.template_errors import Unknown
from postcart.errors import RenderError

Load = Callable[[str], tuple[str, str, None] | None]
"""Source and file name of a template's path; None if there is none."""

_PLACEHOLDER = re.compile(r"%\(\w+\)s")
_TRANSLATIONS_KEPT = 4_096
_UNUSED_GLOBALS = ("lipsum", "cycler", "joiner", "namespace", "dict")


class _Environment(ImmutableSandboxedEnvironment):
    """The sandbox, with short ways for what a message does a hundred times: plain dicts, translations, includes."""

    translators: tuple[Callable[..., str], ...] = ()
    loaded: dict[str, Template]

    def get_template(self, name: Any, parent: str | None = None, globals: Any = None) -> Template:  # noqa: A002 -- Jinja's
        known = self.loaded.get(name) if globals is None and isinstance(name, str) else None
        if known is not None:
            return known
        template = super().get_template(name, parent, globals)
        if globals is None and isinstance(name, str):
            self.loaded[name] = template
        return template

    def getattr(self, obj: Any, attribute: str) -> Any:
        if obj.__class__ is dict and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def call(self, context: Context, called: Any, /, *args: Any, **named: Any) -> Any:
        if called in self.translators:
            named.pop("_loop_vars", None)  # the compiler's, for callables that want to see them
            named.pop("_block_vars", None)
            return called(context, *args, **named)
        return super().call(context, called, *args, **named)


class Sandbox:
    """Compiles templates and renders them in one of many languages."""

    def __init__(self, load: Load) -> None:
        self._languages: dict[str, Language] = {}
        environment = _Environment(
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
        environment.translators = gettext, ngettext = self._gettext(), self._ngettext()
        environment.globals |= {"gettext": gettext, "ngettext": ngettext}
        environment.loaded = {}
        environment.newstyle_gettext = True  # type: ignore[attr-defined]  # the i18n extension adds it
        self._translated = lru_cache(_TRANSLATIONS_KEPT)(self._translate)
        self.environment: Environment = environment
        marking: _Environment = environment.overlay(finalize=marked)
        marking.loaded = {}
        self.marking: Environment = marking
        """The same, but simple values stand between marks."""

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
        def gettext(context: Context, message: str, /, **values: Any) -> str:
            text = self._translated(self._of(context).key, message, context.eval_ctx.autoescape)
            return text % values if values or "%" in text else text

        return gettext

    def _ngettext(self) -> Callable[..., str]:
        @pass_context
        def ngettext(context: Context, singular: str, plural: str, count: int, /, **values: Any) -> str:
            language = self._of(context)
            text = _isolated(language.translations.ngettext(singular, plural, count), language)
            return _text(text, escaped=context.eval_ctx.autoescape) % {"num": count, **values}

        return ngettext

    def _translate(self, key: str, message: str, escaped: bool) -> str:  # noqa: FBT001 -- a cache's key
        language = self._languages[key]
        return _text(_isolated(language.translations.gettext(message), language), escaped=escaped)


def _text(text: str, *, escaped: bool) -> str:
    """A translation; values that are no markup are escaped as they are filled in where the template is."""
    return Markup(text) if escaped else text  # noqa: S704 -- as catalogues and templates have it


def _isolated(text: str, language: Language) -> str:
    """In a right-to-left text each value is isolated, so that a name or price of other letters can't reorder it."""
    if language.direction == "ltr":
        return text
    return _PLACEHOLDER.sub("\u2068\\g<0>\u2069", text)
