"""Where settings come from: environment variables and one file.

Owns: their forms, and remembering where each value stood. Must not: judge values (the models do), or read the process's
environment (it is handed in).
"""

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from postcart.errors import ConfigurationError

PREFIX = "POSTCART_"
FILE_VARIABLE = "POSTCART_CONFIG"
_DELIMITER = "__"


class Found(NamedTuple):
    """One value, and where it stood: a variable's name, or ``FILE:LINE`` and the key.

    Attributes:
        path: Of the setting, for example ``("smtp", "host")``.
        value: As it stood there.
        place: For messages.
        kind: The sort of source.
    """

    path: tuple[str, ...]
    value: Any
    place: str
    kind: str


def variable(path: Iterable[str]) -> str:
    """Name of the environment variable of the setting at ``path``: ``POSTCART_SMTP__HOST``."""
    return PREFIX + _DELIMITER.join(path).upper()


def from_environ(environ: Mapping[str, str]) -> Iterator[Found]:
    """Yield what ``environ`` sets. An empty variable counts as not set: that is how compose files leave one out."""
    for name, text in sorted(environ.items()):
        if name.startswith(PREFIX) and name != FILE_VARIABLE and text != "":
            path = tuple(name.removeprefix(PREFIX).lower().split(_DELIMITER))
            yield Found(path, text, name, "env")


def from_file(file: Path) -> list[Found]:
    """Return what a YAML or TOML file sets.

    Raises:
        ConfigurationError: It can't be read, or is not a mapping of names to values.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: can't be read: {error}") from error
    if file.suffix == ".toml":
        return _from_toml(file, text)
    if file.suffix in {".yaml", ".yml"}:
        return _from_yaml(file, text)
    raise ConfigurationError(f"{file}: name it .yaml or .toml, so that its form is known")


def _from_toml(file: Path, text: str) -> list[Found]:
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{file}: {error}") from error
    return list(_leaves(file, data, ()))


def _leaves(file: Path, data: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[Found]:
    for name, value in data.items():
        here = (*path, name)
        if isinstance(value, dict):
            yield from _leaves(file, value, here)
        else:
            yield Found(here, value, f"{file}: {'.'.join(here)}", "file")


def _from_yaml(file: Path, text: str) -> list[Found]:
    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return []
        if not isinstance(root, yaml.MappingNode):
            raise ConfigurationError(f"{file}:1: must be names and values, like smtp: and below it host: ...")
        return list(_nodes(file, loader, root, ()))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise ConfigurationError(f"{file}{line}: {getattr(error, 'problem', None) or error}") from error
    finally:
        loader.dispose()


def _nodes(file: Path, loader: yaml.SafeLoader, node: yaml.MappingNode, path: tuple[str, ...]) -> Iterator[Found]:
    seen: set[str] = set()
    for key, value in node.value:
        here = (*path, str(key.value))
        place = f"{file}:{key.start_mark.line + 1}: {'.'.join(here)}"
        if here[-1] in seen:
            raise ConfigurationError(f"{place}: stands there twice")
        seen.add(here[-1])
        if isinstance(value, yaml.MappingNode):
            yield from _nodes(file, loader, value, here)
        else:
            yield Found(here, loader.construct_object(value, deep=True), place, "file")


def readable(text: str, *, structured: bool) -> Any:
    """Return an environment variable's value; JSON is read where a list or mapping is wanted and it looks like one."""
    if structured and text.lstrip().startswith(("[", "{")):
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            return text
    return text
