"""The command `simulate`, called in this process: what is decided from which histories, and what bad ones are told."""

import json
from pathlib import Path

import pytest

from command_line import ROOT, history, run
from postcart.cli.failures import Exit


def test_simulate_prints_decisions_as_json_lines(tmp_path: Path) -> None:
    """Fields come in the order of the contract."""
    shown = run("simulate", str(history(tmp_path)))
    assert shown.exit_code == 0
    (line,) = [json.loads(text) for text in shown.stdout.splitlines()]
    assert list(line) == [
        "type", "abandonment_id", "episode_id", "visitor_id", "person_id", "session_id", "trigger", "abandoned_at",
        "lines", "value", "currency", "tags",
    ]  # fmt: skip
    assert (line["abandoned_at"], line["value"], line["currency"]) == ("2022-10-01T10:15:00Z", "19.80", "USD")
    assert line["lines"] == [{"variant_id": "p1", "quantity": 2, "unit_price": "9.90"}]


def test_simulate_takes_another_currency(tmp_path: Path) -> None:
    """From the command, before the settings."""
    shown = run("simulate", "--currency", "EUR", str(history(tmp_path)), POSTCART_CURRENCY="GBP")
    assert json.loads(shown.stdout)["currency"] == "EUR"
    assert json.loads(run("simulate", str(history(tmp_path)), POSTCART_CURRENCY="GBP").stdout)["currency"] == "GBP"


@pytest.fixture
def csv() -> str:
    return str(next((ROOT / "tests" / "fixtures" / "rees46").glob("*oct*.csv")))


def test_simulate_reads_csv_and_imported_lines_alike(csv: str, tmp_path: Path) -> None:
    """Importing first changes nothing."""
    imported = run("events", "import", "rees46", csv)
    assert imported.exit_code == 0
    lines = tmp_path / "events.jsonl"
    lines.write_text(imported.stdout, encoding="utf-8")
    assert imported.stderr.endswith("events from 1 file\n")
    direct = run("simulate", csv)
    assert direct.exit_code == 0
    assert direct.stdout == run("simulate", str(lines)).stdout
    kinds = {json.loads(line)["type"] for line in direct.stdout.splitlines()}
    assert kinds >= {"abandonment", "planned", "due"}


def test_simulate_follows_the_campaign_that_it_is_given(csv: str, tmp_path: Path) -> None:
    """A sequence of one step plans no second one."""
    campaign = tmp_path / "one.yaml"
    campaign.write_text("name: one\nsteps: [{after: 2h, template: cart-reminder}]\n", encoding="utf-8")
    lines = [json.loads(line) for line in run("simulate", csv, "--campaign", str(campaign)).stdout.splitlines()]
    assert {line.get("step") for line in lines} == {None, 1}


def test_anonymous_users_have_no_steps(csv: str) -> None:
    """All of them unknown: abandonments only."""
    lines = [json.loads(line) for line in run("simulate", csv, "--anonymous", "1").stdout.splitlines()]
    assert {(line["type"], line["person_id"]) for line in lines} == {("abandonment", None)}


def test_a_broken_campaign_is_one_message(tmp_path: Path) -> None:
    """Each problem with its line; nothing is decided by half a campaign."""
    campaign = tmp_path / "broken.yaml"
    campaign.write_text("name: x\nsteps:\n  - {after: soon, template: a, tempo: 1}\n", encoding="utf-8")
    shown = run("simulate", str(history(tmp_path)), "--campaign", str(campaign))
    assert shown.exit_code == Exit.FINDING
    assert shown.stdout == ""
    assert shown.stderr.splitlines() == [
        "error: 2 problems",
        f"  {campaign}:3: steps[1].after: 'soon' is no duration; write for example 30m, 1h, 24h or 3d",
        (
            f"  {campaign}:3: unknown key 'tempo'; did you mean 'template'? "
            "(known are after, template, channel, purpose, incentive, fallback)"
        ),
        "See docs/errors.md#configuration; --debug shows where it happened.",
    ]


def test_a_broken_history_is_one_message(tmp_path: Path) -> None:
    """By file and line."""
    path = tmp_path / "bad.jsonl"
    path.write_text('{"type":"viewed"}\nno json\n', encoding="utf-8")
    shown = run("simulate", str(path))
    assert shown.exit_code == Exit.FINDING
    assert f"  {path}:1: " in shown.stderr
    assert f"  {path}:2: " in shown.stderr
