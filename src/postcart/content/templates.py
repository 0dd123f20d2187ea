"""Templates: read once, checked, and rendered for a language.

Owns: the folder's format and a template's version. Must not: know jobs, MIME or delivery; what a template may use is
what ``context`` builds, what it may do is ``sandbox``'s affair.

The folder::

    NAME/email.mjml.j2     the HTML part, Jinja2 over MJML, usually ``{% extends "layouts/email.mjml.j2" %}``
    NAME/subject.txt.j2    one line
    NAME/preview.txt.j2    one line, shown beside the subject in the mailbox
    NAME/text.txt.j2       the plain-text part; where it is missing it is made from the HTML
    NAME/CHANNEL.*.j2      what the message is on another channel, for example ``sms.txt.j2``
    layouts/, partials/    what templates extend and include; ``*.mjml.j2`` is escaped as markup, ``*.txt.j2`` is not

A template has the parts of one channel at least.

Visible text stands in ``{% trans %}`` or ``_()``, so that the catalogues translate it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from html2text import HTML2Text
from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.meta import find_referenced_templates, find_undeclared_variables

from postcart.content.forms import Forms, Page
from postcart.content.languages import Language
from postcart.content.sandbox import Sandbox
from postcart.content.slots import markable
from postcart.content.template_errors import CONTEXT_NAMES, render_error
from postcart.errors import ConfigurationError, RenderError

HTML, SUBJECT, PREVIEW, TEXT = "email.mjml.j2", "subject.txt.j2", "preview.txt.j2", "text.txt.j2"
_EMAIL_PARTS = frozenset({HTML, SUBJECT, PREVIEW, TEXT})
SHARED = frozenset({"layouts", "partials"})
_SPACES = re.compile(r"\s+")
_BLANK_LINES = re.compile(r"\n{3,}")


@dataclass(frozen=True)
class Content:
    """A template rendered for one job: what is put into a message."""

    subject: str
    preview: str
    page: Page
    text: str

    @property
    def html(self) -> str:
        """The HTML part."""
        return self.page.html


class TemplateSet:
    """All templates of a folder, read when it is made; later changes of the files have no effect.

    Args:
        folder: See the module's docstring.

    Raises:
        ConfigurationError: All problems at once: a part that is missing, syntax, unknown variables, each with its line.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise ConfigurationError(f"{folder}: there is no such folder of templates; set POSTCART_TEMPLATES_DIR")
        self.folder = folder.resolve()
        self.sources = {
            file.relative_to(self.folder).as_posix(): _text_of(file) for file in sorted(self.folder.rglob("*.j2"))
        }
        self.names = sorted({path.split("/")[0] for path in self.sources} - SHARED)
        self.sandbox = Sandbox(self._load)
        problems = self._problems()
        if problems:
            raise ConfigurationError(*problems)
        self._forms = Forms()
        self._markable = {name for name in self.of_channel("email") if self._is_markable(name)}
        self._others = {_prefix(path) for path in self.sources if not _is_shared(path)} - _EMAIL_PREFIXES
        self._versions = {
            (name, channel): self._version(name, channel)
            for channel in ("email", *sorted(self._others))
            for name in self.of_channel(channel)
        }

    def of_channel(self, channel: str) -> list[str]:
        """Templates that have parts for it, sorted."""
        return [name for name in self.names if any(_channel_of(path) == channel for path in self._own(name))]

    def version(self, name: str, channel: str = "email") -> str:
        """Digest of all that template ``name`` may use on a channel: its own files, layouts and partials."""
        self._check_name(name, channel)
        return self._versions[name, channel]

    def render(self, name: str, language: Language, context: Mapping[str, Any]) -> Content:
        """Render template ``name`` with ``context`` (see CONTEXT_NAMES; ``language`` is added here).

        Raises:
            RenderError: Unknown template or variable, what the sandbox forbids, malformed MJML, a forbidden URL.
        """
        whole = self._with_heads(name, language, context)
        environment = self.sandbox.marking if name in self._markable else self.sandbox.environment
        page = self._forms.page(self._part(name, HTML, whole, environment), self._where(name))
        message = whole["message"]
        return Content(message["subject"], message["preview"], page, self._text(name, page, whole))

    def part(self, name: str, part: str, language: Language, context: Mapping[str, Any]) -> str:
        """One part of template ``name``, for example ``sms.txt.j2``, without the white space around it.

        Raises:
            RenderError: As ``render``.
        """
        self._check_name(name, _channel_of(f"{name}/{part}"))
        return self._part(name, part, {**context, "language": self.sandbox.admit(language)}).strip()

    def has(self, name: str, part: str) -> bool:
        """Whether template ``name`` has that part."""
        return f"{name}/{part}" in self.sources

    def shared(self, path: str, language: Language, context: Mapping[str, Any]) -> str:
        """What layouts or partials hold at ``path``, by itself. Raises RenderError as ``render``."""
        try:
            template = self.sandbox.environment.get_template(path)
            return template.render({**context, "language": self.sandbox.admit(language)})
        except Exception as error:  # a template can raise whatever its expressions can
            raise render_error(error, path, self.folder) from error

    def mjml(self, name: str, language: Language, context: Mapping[str, Any]) -> str:
        """The MJML of template ``name``, for the linter. Raises RenderError as ``render``."""
        return self._part(name, HTML, self._with_heads(name, language, context))

    def about(self, name: str) -> frozenset[str]:
        """What the template speaks of: ``cart``, ``order`` or ``parcel``, or two of them."""
        own = (source for path, source in self.sources.items() if path.split("/")[0] == name)
        found = frozenset({"cart", "order", "parcel"}) & frozenset().union(*map(self._variables, own))
        return found or frozenset({"cart"})

    def files(self, name: str) -> set[str]:
        """Paths of the template's own files and of all that they extend or include."""
        return self._used_by(*(path for path in self.sources if path.split("/")[0] == name))

    def _used_by(self, *paths: str) -> set[str]:
        waiting = list(paths)
        found: set[str] = set()
        while waiting:
            path = waiting.pop()
            if path not in found and path in self.sources:
                found.add(path)
                waiting += [other for other in find_referenced_templates(self._parsed(self.sources[path])) if other]
        return found

    def mentions(self, name: str) -> dict[str, str]:
        """Each variable that one of these files uses, with such a file."""
        return {variable: path for path in sorted(self.files(name)) for variable in self._variables(self.sources[path])}

    def _variables(self, source: str) -> set[str]:
        return find_undeclared_variables(self._parsed(source))

    def _parsed(self, source: str) -> nodes.Template:
        return self.sandbox.environment.parse(source)

    def _with_heads(self, name: str, language: Language, context: Mapping[str, Any]) -> dict[str, Any]:
        self._check_name(name)
        whole = {**context, "language": self.sandbox.admit(language)}
        heads = {
            key: _SPACES.sub(" ", self._part(name, part, whole)).strip()
            for key, part in (("subject", SUBJECT), ("preview", PREVIEW))
        }
        return {**whole, "message": {**context["message"], **heads}}

    def _text(self, name: str, page: Page, context: Mapping[str, Any]) -> str:
        text = self._part(name, TEXT, context) if f"{name}/{TEXT}" in self.sources else _plain(page.html)
        return _BLANK_LINES.sub("\n\n", "\n".join(line.rstrip() for line in text.splitlines())).strip() + "\n"

    def _part(self, name: str, part: str, context: Mapping[str, Any], environment: Environment | None = None) -> str:
        path = f"{name}/{part}"
        try:
            return (environment or self.sandbox.environment).get_template(path).render(context)
        except Exception as error:  # a template can raise whatever its expressions can
            raise render_error(error, path, self.folder) from error

    def _load(self, path: str) -> tuple[str, str, None] | None:
        source = self.sources.get(path)
        return None if source is None else (source, str(self.folder / path), None)

    def _where(self, name: str) -> str:
        return f"{self.folder.name}/{name}/{HTML}"

    def _check_name(self, name: str, channel: str = "email") -> None:
        if (name, channel) not in self._versions:
            known, kind = ", ".join(self.of_channel(channel)), "" if channel == "email" else f" for {channel}"
            raise RenderError(f"no template {name!r}{kind} in {self.folder.name}/; there are {known}")

    def _is_markable(self, name: str) -> bool:
        return markable(self.sandbox.environment, [self.sources[path] for path in self._used_by(f"{name}/{HTML}")])

    def _own(self, name: str) -> list[str]:
        return [path for path in self.sources if path.startswith(f"{name}/")]

    def _version(self, name: str, channel: str) -> str:
        """What other channels alone use is not part of it."""
        digest, foreign = sha256(), self._others - {channel}
        for path, source in self.sources.items():
            own = path.split("/")[0] == name and _channel_of(path) == channel
            if own or (_is_shared(path) and _prefix(path) not in foreign):
                digest.update(f"{path}\0{source}\0".encode())
        return digest.hexdigest()[:12]

    def _problems(self) -> list[str]:
        problems = [
            f"{self.folder.name}/{name}/{part}: missing; every template of a mail has {HTML}, {SUBJECT} and {PREVIEW}"
            for name in self.of_channel("email")
            for part in (HTML, SUBJECT, PREVIEW)
            if f"{name}/{part}" not in self.sources
        ]
        if not self.names:
            problems.append(f"{self.folder}: holds no template (a folder with {HTML}, {SUBJECT} and {PREVIEW})")
        for path, source in self.sources.items():
            # A partial may use what its includer has at hand; rendering finds what is wrong there.
            names = None if path.startswith("partials/") else CONTEXT_NAMES
            for line, text in _static_problems(self.sandbox.environment, source, names):
                problems.append(f"{self.folder.name}/{path}:{line}: {text}")
        return problems


_EMAIL_PREFIXES = frozenset(part.split(".")[0] for part in _EMAIL_PARTS)


def _is_shared(path: str) -> bool:
    return path.partition("/")[0] in SHARED


def _prefix(path: str) -> str:
    return path.rpartition("/")[2].partition(".")[0]


def _channel_of(path: str) -> str:
    """Of a template's own file."""
    prefix = _prefix(path)
    return "email" if prefix in _EMAIL_PREFIXES else prefix


def _text_of(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: {error}; templates are UTF-8 text") from error


def _static_problems(environment: Environment, source: str, names: tuple[str, ...] | None) -> list[tuple[int, str]]:
    try:
        tree = environment.parse(source)
        unknown = find_undeclared_variables(tree).difference(names, environment.globals) if names else set()
    except TemplateSyntaxError as error:
        return [(error.lineno, str(error.message))]
    lines = {node.name: node.lineno for node in reversed(list(tree.find_all(nodes.Name))) if node.name in unknown}
    known = ", ".join(names or ())
    return sorted((line, f"unknown variable {name!r}; known: {known}") for name, line in lines.items())


def _plain(html: str) -> str:
    reader = HTML2Text(bodywidth=0)
    reader.ignore_images = True
    reader.ignore_tables = True
    reader.ignore_emphasis = True
    return reader.handle(html)
