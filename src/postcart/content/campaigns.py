"""Campaign files: YAML under campaigns/ becomes postcart.domain.campaign.Campaign.

Owns: reading them, with all that is wrong reported at once as ``file:line: what is wrong; what to do``. Must not:
decide what a campaign does (domain.campaign), or what may stand in a file (content.campaign_file).
"""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from postcart.content import positioned_yaml
from postcart.content.campaign_file import CampaignFile, duration_ms, known_keys
from postcart.content.positioned_yaml import Positioned, Problem
from postcart.domain.campaign import Campaign
from postcart.errors import ConfigurationError
from postcart.events.jobs import CHANNELS, Purpose
from postcart.events.times import HOUR_MS

VERSION_DIGITS = 12
_SUBJECT = "subject.txt.j2"
_TEMPLATELESS = frozenset({"webhook"})
"""Channels whose messages are data; the template's name is their type."""
_SHARED = frozenset({"layouts", "partials"})
_SMS_WITHIN_MS = 48 * HOUR_MS
"""A cart's text message goes out once, and within 48 hours (delivery rules, "SMS")."""
_MARKERS = frozenset({"[key]"})
_FORMS = {
    "dict_type": "it must hold keys of its own",
    "tuple_type": "it must be a list, each entry begun with '-'",
    "too_short": "add at least one entry",
    "string_pattern_mismatch": "use lower-case letters, digits and '-' only",
    "string_type": "it must be a text: put it in quotes",
    "decimal_parsing": "it must be a number",
    "decimal_type": "it must be a number",
    "int_parsing": "it must be a whole number",
    "int_type": "it must be a whole number",
    "int_from_float": "it must be a whole number",
}
_CLOSED_SETS = {"purpose": get_args(Purpose)}


def load_campaign(path: Path, templates_dir: Path | None = None, *, channels: Sequence[str] = CHANNELS) -> Campaign:
    """The campaign in the file at ``path``; ``version`` is the first 12 hex digits of the SHA-256 of its bytes.

    Args:
        path: A YAML file.
        templates_dir: Where named templates must exist, one folder each; ``None`` leaves that unchecked.
        channels: Those that steps may name.

    Raises:
        ConfigurationError: All that is wrong with the file, by line.
    """
    try:
        content = path.read_bytes()
        text = content.decode()
    except OSError as error:
        raise ConfigurationError(f"{path}: it can't be read ({error.strerror}); check path and permissions") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path}: it is not UTF-8; save it as UTF-8") from None
    document = positioned_yaml.parse(text)
    problems = list(document.problems)
    model: CampaignFile | None = None
    if document.value is not None or not problems:
        problems += _cross_checks(document, templates_dir, channels)
        try:
            model = CampaignFile.model_validate(document.value)
        except ValidationError as error:
            found = error.errors(include_url=False)
            problems += [_explain(details, document) for details in found if not _follows_from_others(details)]
    if problems or model is None:
        raise ConfigurationError(*_printed(path, problems))
    return model.build(sha256(content).hexdigest()[:VERSION_DIGITS])


def load_campaigns(
    directory: Path, templates_dir: Path | None = None, *, channels: Sequence[str] = CHANNELS
) -> dict[str, Campaign]:
    """All campaigns in ``directory`` (``*.yaml`` and ``*.yml``, without sub-folders), by name.

    Raises:
        ConfigurationError: All that is wrong with all files; also if there is none, or two have one name.
    """
    paths = sorted(path for path in directory.glob("*.y*ml") if path.suffix in {".yaml", ".yml"})
    if not paths:
        raise ConfigurationError(f"{directory}: no campaign (*.yaml) is there; add one or set POSTCART_CAMPAIGNS_DIR")
    problems: list[str] = []
    campaigns: dict[str, Campaign] = {}
    files: dict[str, Path] = {}
    for path in paths:
        try:
            campaign = load_campaign(path, templates_dir, channels=channels)
        except ConfigurationError as error:
            problems += error.problems
            continue
        if campaign.name in campaigns:
            problems.append(f"{path}:1: {files[campaign.name]} is named '{campaign.name}' too; choose another name")
        campaigns[campaign.name] = campaign
        files.setdefault(campaign.name, path)
    if problems:
        raise ConfigurationError(*problems)
    return campaigns


def _printed(path: Path, problems: list[Problem]) -> list[str]:
    ordered = sorted(set(problems), key=lambda problem: (problem.line, problem.text))
    return [f"{path}:{problem.line}: {problem.text}" for problem in ordered]


def _follows_from_others(details: ErrorDetails) -> bool:
    """Pydantic also calls a list too short when none of its entries is right."""
    return details["type"] == "too_short" and bool(details["input"])


def _explain(details: ErrorDetails, document: Positioned) -> Problem:
    """One finding of pydantic in the words of someone who writes campaigns."""
    path = tuple(part for part in details["loc"] if part not in _MARKERS)
    kind, value, key = details["type"], details["input"], _shown(path)
    if kind == "missing":
        path, missing = path[:-1], path[-1]
        text = f"'{missing}' is missing{f' in {_shown(path)}' if path else ''}; add it"
    elif kind == "extra_forbidden":
        text = f"unknown key '{path[-1]}'; {_nearest(str(path[-1]), known_keys(path[:-1]))}"
    elif kind == "literal_error":
        text = f"{key} is {value!r}; {_nearest(str(value), _CLOSED_SETS[str(path[-1])])}"
    elif kind == "value_error":
        text = f"{key}: {details['ctx']['error']}"
    elif kind == "model_type":
        text = f"{key} is {_kind(value)}; it must hold keys of its own: {', '.join(known_keys(path))}"
    elif kind in _FORMS:
        text = f"{key} is {_kind(value)}; {_FORMS[kind]}"
    else:
        text = f"{key} is {_kind(value)}; {details['msg'][0].lower()}{details['msg'][1:]}"
    return Problem(document.line(path), text)


def _cross_checks(document: Positioned, templates_dir: Path | None, channels: Sequence[str]) -> Iterator[Problem]:
    """What no single field can tell: growing offsets and existing templates, also where other things are wrong."""
    for path in (("steps",), ("high_value", "steps"), ("peak", "steps")):
        yield from _channel_problems(document, path, templates_dir, channels)
        latest: tuple[int, str] | None = None
        for index, step in enumerate(_list_at(document.value, path)):
            if not isinstance(step, dict):
                continue
            try:
                after = duration_ms(step.get("after"))
            except ValueError:
                continue
            if latest is not None and after <= latest[0]:
                line = document.line((*path, index, "after"))
                yield Problem(line, f"step {index + 1} is after {step['after']}, not later than {latest[1]} before it; "
                              "put the steps in order")  # fmt: skip
            latest = (after, str(step["after"]))


def _channel_problems(
    document: Positioned, path: tuple[str, ...], templates_dir: Path | None, channels: Sequence[str]
) -> Iterator[Problem]:
    """Steps of channels that there are not, without a template for their channel, or with too many text messages."""
    texts = 0
    for index, step in enumerate(_list_at(document.value, path)):
        if not isinstance(step, dict):
            continue
        channel, template = step.get("channel", "email"), step.get("template")
        here = document.line((*path, index, "channel" if "channel" in step else "template"))
        if isinstance(channel, str) and channel not in channels:
            text = f"{_shown((*path, index, 'channel'))} is {channel!r}; {_nearest(channel, channels)}"
            yield Problem(here, f"{text}; POSTCART_CHANNELS says which there are" if channel in CHANNELS else text)
        elif templates_dir and isinstance(template, str) and isinstance(channel, str) and channel not in _TEMPLATELESS:
            templates = _templates(templates_dir, channel)
            if template not in templates:
                kind = "" if channel == "email" else f" for {channel}"
                nearest = _nearest(template, templates) if templates else f"{templates_dir} has none"
                line = document.line((*path, index, "template"))
                yield Problem(line, f"there is no template '{template}'{kind}; {nearest}")
        if channel == "sms" and step.get("purpose", "marketing") == "marketing":
            texts += 1
            if texts > 1:
                yield Problem(here, "a cart gets one text message at most; take another channel for this step")
            yield from _too_late(document, (*path, index, "after"), step.get("after"))


def _too_late(document: Positioned, path: tuple[str | int, ...], after: Any) -> Iterator[Problem]:
    try:
        late = duration_ms(after) > _SMS_WITHIN_MS
    except ValueError:
        return
    if late:
        yield Problem(document.line(path), f"after is {after}; a cart's text message goes out within 48h")


def _list_at(value: Any, path: Sequence[str]) -> list[Any]:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, list) else []


def _templates(directory: Path, channel: str) -> tuple[str, ...]:
    """Names of the template folders with a part for that channel; of email a subject, which layouts have not."""
    part = _SUBJECT if channel == "email" else f"{channel}.*.j2"
    if not directory.is_dir():
        raise ConfigurationError(f"{directory}: there is no such folder of templates; set POSTCART_TEMPLATES_DIR")
    return tuple(sorted({path.parent.name for path in directory.glob(f"*/{part}")} - _SHARED))


def _nearest(word: str, known: Sequence[str]) -> str:
    """Advice for a word that is not among ``known``."""
    matches = get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    listed = f"known are {', '.join(known)}"
    return f"did you mean '{matches[0]}'? ({listed})" if matches else listed


def _shown(path: tuple[str | int, ...]) -> str:
    """``steps[2].after``, with entries counted from 1, as people do."""
    text = ""
    for part in path:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "the file"


def _kind(value: object) -> str:
    match value:
        case None:
            return "empty"
        case bool():
            return f"{value}".lower()
        case dict():
            return "a group of keys" if value else "empty"
        case list() | tuple():
            return "a list" if value else "empty"
        case _:
            return repr(value)
