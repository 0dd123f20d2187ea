"""Campaign files: YAML under campaigns/ becomes postcart.domain.campaign.Campaign.

Owns: reading them, with all that is wrong reported at once as ``file:line: what is wrong; what to do``. Must not:
decide what a campaign does (domain.campaign), or what may stand in a file (content.campaign_file).
"""

from collections.abc import Iterator, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, get_args

from postcart.content.campaign_file import CampaignFile, duration_ms, known_keys
from postcart.content.file_form import FileForm, nearest, shown
from postcart.content.positioned_yaml import Path as YamlPath
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
    checks = partial(_cross_checks, templates_dir=templates_dir, channels=channels)
    model, content = FileForm(CampaignFile, known_keys, _CLOSED_SETS, checks).read(path)
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
        for place, channel in _channels_of(document.value, (*path, index), step):
            if isinstance(channel, str):
                yield from _channel_problem(document, place, channel, step, (*path, index), templates_dir, channels)
        here = document.line((*path, index, "channel" if "channel" in step else "template"))
        if step.get("channel") == "sms" and step.get("purpose", "marketing") == "marketing":
            texts += 1
            if texts > 1:
                yield Problem(here, "a cart gets one text message at most; take another channel for this step")
            yield from _too_late(document, (*path, index, "after"), step.get("after"))


def _channels_of(whole: Any, path: YamlPath, step: dict[str, Any]) -> Iterator[tuple[YamlPath, Any]]:
    """Every channel that a step may go over, and where the file says so."""
    yield (*path, "channel" if "channel" in step else "template"), step.get("channel", "email")
    for number, channel in enumerate(_list_at(step, ("fallback",))):
        yield (*path, "fallback", number), channel
    mobile = whole.get("mobile")
    if isinstance(mobile, dict) and int(path[-1]) + 1 in (_list_at(mobile, ("steps",)) or [1]):
        for number, channel in enumerate(_list_at(mobile, ("channels",))):
            yield ("mobile", "channels", number), channel


def _channel_problem(  # noqa: PLR0917 -- all of it says where to look
    document: Positioned,
    place: YamlPath,
    channel: str,
    step: dict[str, Any],
    path: YamlPath,
    templates_dir: Path | None,
    channels: Sequence[str],
) -> Iterator[Problem]:
    template = step.get("template")
    if channel not in channels:
        text = f"{shown(place)} is {channel!r}; {nearest(channel, channels)}"
        there = f"{text}; POSTCART_CHANNELS says which there are" if channel in CHANNELS else text
        yield Problem(document.line(place), there)
    elif templates_dir and isinstance(template, str) and channel not in _TEMPLATELESS:
        templates = template_names(templates_dir, channel)
        if template not in templates:
            kind = "" if channel == "email" else f" for {channel}"
            advice = nearest(template, templates) if templates else f"{templates_dir} has none"
            yield Problem(document.line((*path, "template")), f"there is no template '{template}'{kind}; {advice}")


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


def template_names(directory: Path, channel: str) -> tuple[str, ...]:
    """Names of the template folders with a part for that channel; of email a subject, which layouts have not."""
    part = _SUBJECT if channel == "email" else f"{channel}.*.j2"
    if not directory.is_dir():
        raise ConfigurationError(f"{directory}: there is no such folder of templates; set POSTCART_TEMPLATES_DIR")
    return tuple(sorted({path.parent.name for path in directory.glob(f"*/{part}")} - _SHARED))
