"""What a template's failure is told as: file, line, variable, and the names that there are.

Owns: the strict undefined value and the conversion of Jinja's errors. Must not: render.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from jinja2 import StrictUndefined, TemplateSyntaxError
from jinja2.exceptions import SecurityError, TemplateError, TemplateNotFound
from jinja2.utils import missing

from postcart.errors import RenderError

_QUOTED = re.compile(r"""'[^']*'|"[^"]*\"""")

CONTEXT_NAMES = (
    "cart",
    "incentive",
    "language",
    "message",
    "order",
    "parcel",
    "recipient",
    "shop",
    "unsubscribe_url",
)
"""The top-level variables that every template has; ``context`` fills exactly these."""


class Unknown(StrictUndefined):
    """StrictUndefined that says which names would have been right."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        if self._undefined_hint:
            return self._undefined_hint
        owner = self._undefined_obj
        known: list[str] = []
        if owner is missing:
            known = list(CONTEXT_NAMES)
        elif isinstance(owner, Mapping):
            known = sorted(map(str, owner))
        return f"unknown variable {self._undefined_name!r}" + (f"; known here: {', '.join(known)}" if known else "")


def render_error(error: Exception, path: str, folder: Path) -> RenderError:
    """``error``, raised while the template at ``path`` rendered, as one line: innermost file, line, what.

    Raises:
        OSError: It was one: how prices and days are written is read from files, and one that can't be opened says
            nothing of the template.
    """
    if isinstance(error, OSError) and not isinstance(error, TemplateError):
        raise error
    file, line = _place(error, folder) or (path, None)
    if isinstance(error, TemplateSyntaxError):
        file, line = error.name or file, error.lineno
    where = f"{folder.name}/{file}" + (f":{line}" if line else "")
    return RenderError(f"{where}: {_what(error)}")


def _what(error: Exception) -> str:
    if isinstance(error, TemplateNotFound):
        return f"no such template: {error.name}"
    if isinstance(error, SecurityError):
        return f"not allowed in a template: {error}"
    if isinstance(error, TemplateError | RenderError):
        return str(error)
    # Python quotes values in its messages, and they may be a person's.
    return f"{type(error).__name__}: {_QUOTED.sub('…', str(error))}"


def _place(error: Exception, folder: Path) -> tuple[str, int] | None:
    # Jinja rewrites tracebacks so that its frames bear the template's file and line.
    found = None
    frame = error.__traceback__
    while frame:
        file = Path(frame.tb_frame.f_code.co_filename)
        if file.is_relative_to(folder):
            found = (file.relative_to(folder).as_posix(), frame.tb_lineno)
        frame = frame.tb_next
    return found
