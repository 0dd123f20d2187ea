"""What is set, and where: the facts behind ``config show``.

Owns: the list and its redaction. Must not: print.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from pydantic import SecretStr

from postcart.settings.load import known_settings, load_with_places
from postcart.settings.sources import variable
from postcart.settings.values import Group

_SECRET_SET = "(secret, set)"  # noqa: S105 -- what is shown instead of one
_SECRET_NOT_SET = "(secret, not set)"  # noqa: S105 -- the same


class Shown(NamedTuple):
    """One setting as it may be shown to anybody.

    Attributes:
        name: Dotted, as in a file: ``smtp.host``.
        variable: Its environment variable.
        value: As text; secrets are never in it.
        origin: The sort of source that set it.
        place: The variable, or ``FILE:LINE: KEY``; empty for a default.
        description: What it is for.
    """

    name: str
    variable: str
    value: str
    origin: Literal["default", "file", "env"]
    place: str
    description: str


def show_settings(environ: Mapping[str, str], file: Path | None = None) -> list[Shown]:
    """Return all settings in the order of the documentation.

    Raises:
        ConfigurationError: As ``load_settings`` does.
    """
    settings, found = load_with_places(environ, file)
    shown = []
    for path, known in known_settings():
        value: Any = settings
        for part in path:
            value = getattr(value, part)
        one = found.get(path)
        origin: Literal["default", "file", "env"] = "default"
        if one is not None:
            origin = "env" if one.kind == "env" else "file"
        text = (_SECRET_SET if one else _SECRET_NOT_SET) if known.secret else plain_text(value)
        place = one.place if one else ""
        shown.append(Shown(".".join(path), variable(path), text, origin, place, known.what))
    return shown


def plain_text(value: Any) -> str:
    """Write a setting's value in one line, as a variable could hold it. A password inside an address is left out."""
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        return _SECRET_SET
    if isinstance(value, tuple):
        separator = ", " if all(isinstance(item, Group) for item in value) else " | "
        return separator.join(str(item) for item in value)
    text = str(value)
    parts = urlsplit(text) if "://" in text else None
    if parts and parts.password:
        return parts._replace(netloc=f"***@{parts.hostname}" + (f":{parts.port}" if parts.port else "")).geturl()
    return text
