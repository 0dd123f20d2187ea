"""Alerts: valid, tested both ways by promtool, on metrics that exist, and each with a runbook that can be followed."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from postcart.cli.app import app
from postcart.metrics.table import BY_NAME, PREFIX

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy/prometheus"
ALERTS_FILE = PROMETHEUS / "alerts.yaml"
RUNBOOKS = ROOT / "docs/runbooks"
ALERTS: dict[str, dict[str, Any]] = {
    rule["alert"]: rule for group in yaml.safe_load(ALERTS_FILE.read_text())["groups"] for rule in group["rules"]
}
CASES = [
    case
    for file in sorted(PROMETHEUS.glob("tests/*.yaml"))
    for test in yaml.safe_load(file.read_text())["tests"]
    for case in test["alert_rule_test"]
]
_BUILT_IN = frozenset({"stage", "job", "instance", "le"})
_PARTS = ("**Means**", "**People notice**", "**Look**", "**Do**", "**Over when**")


def promtool(*arguments: str) -> str:
    """What it says; it must be content. Where it is missing the test is skipped; in CI that is a failure."""
    found = shutil.which("promtool")
    if found is None:
        missing = "promtool is missing: apt-get install prometheus"
        if os.environ.get("CI"):  # noqa: TID251 -- tests are an outermost shell, like the CLI
            pytest.fail(missing, pytrace=False)
        pytest.skip(missing)
    done = subprocess.run([found, *arguments], capture_output=True, text=True, timeout=120, check=False)  # noqa: S603 -- our own files
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_rules_are_valid() -> None:
    """As Prometheus reads them."""
    assert f"{len(ALERTS)} rules found" in promtool("check", "rules", str(ALERTS_FILE))


@pytest.mark.slow
def test_each_alert_fires_when_it_should_and_not_otherwise() -> None:
    """The cases beside the rules; each alert has at least one of both kinds."""
    promtool("test", "rules", *map(str, sorted(PROMETHEUS.glob("tests/*.yaml"))))
    assert {case["alertname"] for case in CASES if case["exp_alerts"]} == ALERTS.keys()
    assert {case["alertname"] for case in CASES if not case["exp_alerts"]} == ALERTS.keys()


@pytest.mark.parametrize("name", ALERTS)
def test_each_alert_says_what_somebody_needs_to_know(name: str) -> None:
    """Severity, summary, description, runbook; a condition that must last, or counts over some minutes."""
    rule = ALERTS[name]
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
    assert "for" in rule or "[1" in rule["expr"]


def names_and_labels(expression: str) -> tuple[set[str], set[str]]:
    """Metrics of ours that an expression names, and the labels that it selects or groups by."""
    names = set(re.findall(rf"\b{PREFIX}\w+", expression))
    labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", expression))
    for group in re.findall(r"\bby\s*\(([^)]*)\)", expression):
        labels |= {label.strip() for label in group.split(",") if label.strip()}
    return names, labels


def metric_of(name: str) -> str:
    """The table's name of a series."""
    bare = name.removeprefix(PREFIX)
    for ending in ("_bucket", "_sum", "_count"):
        if bare.endswith(ending) and BY_NAME.get(bare.removesuffix(ending), None) is not None:
            assert BY_NAME[bare.removesuffix(ending)].kind == "histogram", name
            return bare.removesuffix(ending)
    return bare


@pytest.mark.parametrize("name", ALERTS)
def test_each_metric_and_label_is_in_the_table(name: str) -> None:
    """A metric that is renamed would silence its alerts for ever."""
    names, labels = names_and_labels(ALERTS[name]["expr"])
    metrics = [BY_NAME[metric_of(one)] for one in names]
    known = {label for metric in metrics for label in metric.labels} | _BUILT_IN
    assert labels <= known, labels - known
    assert names or name == "PostcartWorkerDown"


def test_test_series_are_in_the_table() -> None:
    """Else the cases would prove nothing about the real metrics; labels must be all that the metric has."""
    for file in PROMETHEUS.glob("tests/*.yaml"):
        for series in re.findall(r"series: '([^']+)'", file.read_text()):
            names, labels = names_and_labels(series)
            for name in names:
                assert labels - {"instance", "le"} <= set(BY_NAME[metric_of(name)].labels), series


def sections(page: Path) -> dict[str, str]:
    """Text by anchor, as GitHub makes them of headings."""
    found = {}
    for block in re.split(r"^## ", page.read_text(), flags=re.MULTILINE)[1:]:
        title, _, text = block.partition("\n")
        found[re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")] = text
    return found


@pytest.mark.parametrize("name", ALERTS)
def test_each_alert_has_its_runbook(name: str) -> None:
    """At the place that it names, with all that a runbook has to say and something to type."""
    file, _, anchor = ALERTS[name]["annotations"]["runbook_url"].partition("#")
    assert anchor == name.lower()
    text = sections(ROOT / file)[anchor]
    places = [text.index(part) for part in _PARTS]
    assert places == sorted(places)
    assert "```sh\n" in text


@pytest.mark.parametrize("page", sorted(RUNBOOKS.glob("*.md")), ids=lambda page: page.name)
def test_each_command_of_the_runbooks_exists(page: Path) -> None:
    """With every option, and nothing that it requires left out."""
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL)
    for line in [line for block in blocks for line in block.splitlines() if line.startswith("postcart ")]:
        check_command(shlex.split(line)[1:])


def check_command(words: list[str]) -> None:
    """Walk the real command tree and let it parse the rest."""
    command: Any = typer.main.get_command(app)
    while words and hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    command.make_context("postcart", list(words), resilient_parsing=False)


@pytest.mark.parametrize("page", sorted(RUNBOOKS.glob("*.md")), ids=lambda page: page.name)
def test_each_metric_of_the_runbooks_is_in_the_table(page: Path) -> None:
    """Also where a pattern names only its beginning."""
    text = page.read_text()
    for name in re.findall(rf"\b{PREFIX}(\w+)", text):
        assert any(known.startswith(name) or metric_of(name) == known for known in BY_NAME), name
    for group in re.findall(rf"{PREFIX}\(([^)]*)\)", text):
        for name in group.split("|"):
            assert any(known.startswith(metric_of(name)) for known in BY_NAME), name


def test_links_between_the_pages_lead_somewhere() -> None:
    """Page and anchor."""
    for page in [*RUNBOOKS.glob("*.md"), ROOT / "docs/operations.md"]:
        for link in re.findall(r"\]\(([^)]+)\)", page.read_text()):
            if "://" in link:
                continue
            file, _, anchor = link.partition("#")
            target = (page.parent / file).resolve() if file else page
            assert target.exists(), f"{page.name}: {link}"
            assert not anchor or anchor in sections(target), f"{page.name}: {link}"
