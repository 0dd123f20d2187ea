"""Settings, read once and validated whole.

Owns: merging sources (environment over file over default), and reporting every problem at once, by the name that the
person typed. Must not: read the process's environment (it is handed in).
"""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import SecretStr, ValidationError

from postcart.errors import ConfigurationError
from postcart.settings.model import Settings
from postcart.settings.sources import FILE_VARIABLE, Found, from_environ, from_file, readable, variable
from postcart.settings.values import Group

_SIMILAR = 0.6
"""How alike a name must be to be suggested; ``difflib``'s own default."""


def load_settings(environ: Mapping[str, str], file: Path | None = None) -> Settings:
    """Read and validate all settings.

    Args:
        environ: Environment variables; those that begin with ``POSTCART_`` count, ``__`` parts group from name.
        file: YAML or TOML; by default the one that ``POSTCART_CONFIG`` in ``environ`` names, if any.

    Raises:
        ConfigurationError: All problems together, each with the variable's name, or file, line and key.
    """
    settings, _ = load_with_places(environ, file)
    return settings


def load_with_places(
    environ: Mapping[str, str], file: Path | None = None
) -> tuple[Settings, dict[tuple[str, ...], Found]]:
    """Read settings as ``load_settings`` does, and return also where each value that was set stood."""
    found = _gather(environ, file)
    known = dict(known_settings())
    data = _nested(found.values(), known)
    problems = [_unknown(one, known) for one in found.values() if one.path not in known]
    try:
        settings = Settings.model_validate(data)
    except ValidationError as error:
        problems += _problems(error, found)
        raise ConfigurationError(*problems) from None  # pydantic's own message may hold values
    if problems:
        raise ConfigurationError(*problems)
    return settings, found


def require(settings: Settings, *paths: str) -> None:
    """Refuse to go on with a trial's defaults where real values are needed.

    Args:
        settings: As loaded.
        paths: Settings that somebody must have set, for example ``"master_key"``, ``"smtp.host"``.

    Raises:
        ConfigurationError: All that are missing, with the variables' names.
    """
    missing = [path for path in paths if not settings.is_set(path)]
    if missing:
        known = dict(known_settings())
        raise ConfigurationError(
            *(f"{variable(path.split('.'))} is not set: {known[tuple(path.split('.'))].what}" for path in missing)
        )


class Known:
    """What is known of a setting: its type, its default and what it is for."""

    def __init__(self, annotation: Any, default: Any, what: str) -> None:
        self.annotation = annotation
        self.default = default
        self.what = what

    @property
    def structured(self) -> bool:
        """Whether values are lists: only they may be written as JSON in a variable."""
        return isinstance(self.default, tuple)

    @property
    def secret(self) -> bool:
        """Whether its value is never shown."""
        return self.annotation is SecretStr or SecretStr in get_args(self.annotation)


def known_settings(
    model: type[Group] = Settings, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Known]]:
    """Yield every setting's path and what is known of it, in the order of the model."""
    for name, field in model.model_fields.items():
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, Group):
            yield from known_settings(annotation, (*path, name))
        else:
            yield (*path, name), Known(annotation, field.get_default(), field.description or "")


def _gather(environ: Mapping[str, str], file: Path | None) -> dict[tuple[str, ...], Found]:
    if file is None and environ.get(FILE_VARIABLE):
        file = Path(environ[FILE_VARIABLE])
    found = {one.path: one for one in (from_file(file) if file else ())}
    found.update((one.path, one) for one in from_environ(environ))
    return found


def _nested(values: Iterable[Found], known: Mapping[tuple[str, ...], Known]) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for one in values:
        if one.path not in known:
            continue
        level = data
        for part in one.path[:-1]:
            level = level.setdefault(part, {})
        text = isinstance(one.value, str)
        level[one.path[-1]] = readable(one.value, structured=known[one.path].structured) if text else one.value
    return data


def _unknown(one: Found, known: Mapping[tuple[str, ...], Known]) -> str:
    typed = ".".join(one.path).replace("-", "_").lower()
    names = {".".join(path): path for path in known}
    if inside := [name for name in names if name.startswith(f"{typed}.")]:
        wanted = ", ".join(variable(names[name]) if one.kind == "env" else name for name in inside)
        return f"{one.place}: is a group of settings: {wanted}"
    near = difflib.get_close_matches(typed, names, n=1, cutoff=_SIMILAR)
    if not near:
        return f"{one.place}: there is no such setting"
    suggestion = variable(names[near[0]]) if one.kind == "env" else near[0]
    return f"{one.place}: there is no such setting; did you mean {suggestion}?"


def _problems(error: ValidationError, found: Mapping[tuple[str, ...], Found]) -> Iterator[str]:
    """Yield one line per problem, beginning with what the person typed."""
    for detail in error.errors(include_url=False, include_input=False):
        location = tuple(str(part) for part in detail["loc"])
        place = next(
            (found[location[:end]].place for end in range(len(location), 0, -1) if location[:end] in found), None
        )
        message = detail["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
        yield f"{place or _group_place(location, found)}: {message}"


def _group_place(location: tuple[str, ...], found: Mapping[tuple[str, ...], Found]) -> str:
    """Name the group that a problem of several settings together belongs to, by those of them that were set."""
    inside = [one.place for path, one in found.items() if path[: len(location)] == location]
    return ", ".join(inside) or variable(location)
