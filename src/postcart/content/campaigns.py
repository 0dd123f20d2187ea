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
from postcart.content.file_form import FileForm, nearest
from postcart.content.positioned_yaml import Positioned, Problem
from postcart.domain.campaign import Campaign
from postcart.errors import ConfigurationError
from postcart.events.jobs import Channel, Purpose

VERSION_DIGITS = 12
_SUBJECT = "subject.txt.j2"
_CLOSED_SETS = {"channel": get_args(Channel), "purpose": get_args(Purpose)}


def load_campaign(path: Path, templates_dir: Path | None = None) -> Campaign:
    """The campaign in the file at ``path``; ``version`` is the first 12 hex digits of the SHA-256 of its bytes.

    Args:
        path: A YAML file.
        templates_dir: Where named templates must exist, one folder each; ``None`` leaves that unchecked.

    Raises:
        ConfigurationError: All that is wrong with the file, by line.
    """
    checks = partial(_cross_checks, templates_dir=templates_dir)
    form = FileForm(CampaignFile, known_keys, _CLOSED_SETS, checks)
    model, content = form.read(path)
    return model.build(sha256(content).hexdigest()[:VERSION_DIGITS])


def load_campaigns(directory: Path, templates_dir: Path | None = None) -> dict[str, Campaign]:
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
            campaign = load_campaign(path, templates_dir)
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


def _cross_checks(document: Positioned, templates_dir: Path | None) -> Iterator[Problem]:
    """What no single field can tell: growing offsets and existing templates, also where other things are wrong."""
    templates = template_names(templates_dir) if templates_dir else None
    for path in (("steps",), ("high_value", "steps"), ("peak", "steps")):
        latest: tuple[int, str] | None = None
        for index, step in enumerate(_list_at(document.value, path)):
            if not isinstance(step, dict):
                continue
            template = step.get("template")
            if templates is not None and isinstance(template, str) and template not in templates:
                advice = nearest(template, templates) if templates else f"{templates_dir} has none"
                line = document.line((*path, index, "template"))
                yield Problem(line, f"there is no template '{template}'; {advice}")
            try:
                after = duration_ms(step.get("after"))
            except ValueError:
                continue
            if latest is not None and after <= latest[0]:
                line = document.line((*path, index, "after"))
                yield Problem(line, f"step {index + 1} is after {step['after']}, not later than {latest[1]} before it; "
                              "put the steps in order")  # fmt: skip
            latest = (after, str(step["after"]))


def _list_at(value: Any, path: Sequence[str]) -> list[Any]:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, list) else []


def template_names(directory: Path) -> tuple[str, ...]:
    """Names of the template folders: those with a subject, which layouts and partials have not."""
    if not directory.is_dir():
        raise ConfigurationError(f"{directory}: there is no such folder of templates; set POSTCART_TEMPLATES_DIR")
    return tuple(sorted(path.parent.name for path in directory.glob(f"*/{_SUBJECT}")))
