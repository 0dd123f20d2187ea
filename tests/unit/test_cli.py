"""The command line, called in this process: what each command prints, where, and how it ends."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from postcart import errors
from postcart.adapters.lag import LagState, PartitionLag
from postcart.adapters.vault import KeyUnavailable
from postcart.cli import _debug_first
from postcart.cli.app import app
from postcart.cli.docs import pages, with_reasons
from postcart.cli.failures import Exit, anchor, exit_code
from postcart.cli.lag import records, seconds
from postcart.codecs.dead_letter_reasons import REASONS
from postcart.codecs.dead_letter_reasons import anchor as reason_anchor
from postcart.settings import load_settings

ROOT = Path(__file__).resolve().parents[2]
EVENTS = (
    '{"type":"added","id":"a1","time":"2022-10-01T10:00:00Z","visitor_id":"v1","session_id":"s1",'
    '"line":{"variant_id":"p1","quantity":2,"unit_price":"9.90"}}\n'
)


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of the machine, and the shipped folders at hand."""
    for name in list(os.environ):  # noqa: TID251 -- the test clears what the CLI reads
        if name.startswith("POSTCART_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(ROOT)


@pytest.fixture
def history(tmp_path: Path) -> Path:
    path = tmp_path / "events.jsonl"
    path.write_text(EVENTS, encoding="utf-8")
    return path


def run(*arguments: str, **environ: str) -> Result:
    return CliRunner(env=environ).invoke(app, list(arguments), prog_name="postcart")


def every_command(command: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    below = getattr(command, "commands", {})
    return [path, *(found for name, one in below.items() for found in every_command(one, (*path, name)))]


@pytest.mark.parametrize("path", every_command(typer.main.get_command(app)), ids=" ".join)
def test_every_command_has_help(path: tuple[str, ...]) -> None:
    """Its first sentence fits into the list of its parent, and every option says what it is."""
    shown = run(*path, "--help")
    assert shown.exit_code == 0
    assert shown.stderr == ""
    assert "..." not in shown.stdout.partition("Commands:")[2], "a first sentence is cut off"


def test_the_generated_pages_are_up_to_date() -> None:
    """After a change: python -m postcart.cli.docs."""
    for name, text in pages().items():
        assert (ROOT / "docs" / name).read_text(encoding="utf-8") == text, name


ERRORS = [
    one
    for one in (*vars(errors).values(), KeyUnavailable)
    if isinstance(one, type) and issubclass(one, errors.PostcartError) and one is not errors.PostcartError
]
"""The tree; its root is never raised itself."""


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.code)
def test_every_error_has_its_section(error: type[errors.PostcartError]) -> None:
    """What is printed links to docs/errors.md."""
    assert f"\n## {anchor(error)}\n" in (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")


def test_every_reason_of_a_dead_letter_is_explained() -> None:
    """What it means and what to do, in a section that the command links to."""
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    assert with_reasons(page) == page, "run python -m postcart.cli.docs"
    for reason in errors.UnreadableRecord.REASONS:
        assert reason in REASONS
        assert f"\n### {reason_anchor(reason)}\n" in page


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.BrokerUnavailable("x"), Exit.UNREACHABLE),
        (errors.ChannelUnavailable("x"), Exit.UNREACHABLE),
        (errors.TopologyError("x"), Exit.FINDING),
        (errors.ConfigurationError("x"), Exit.FINDING),
    ],
)
def test_exit_codes_tell_finding_from_unreachable(error: errors.PostcartError, code: int) -> None:
    """1 and 3, as scripts expect."""
    assert exit_code(error) == code


def test_version() -> None:
    """It is data, so on stdout."""
    shown = run("--version")
    assert shown.exit_code == 0
    assert shown.stdout.startswith("postcart 0.")


@pytest.mark.parametrize(
    "arguments",
    [
        ["sim"],
        ["simulate"],
        ["simulate", "--nope", "x"],
        ["simulate", "no-such-file"],
        ["simulate", "--currency", "eur", "README.md"],
        ["simulate", "--anonymous", "2", "README.md"],
        ["events", "import", "other", "README.md"],
        ["worker", "send", "pigeon"],
        ["replay", "--run-on", "long", "README.md"],
        ["dead", "redrive", "--reason", "mood"],
        ["preview", "cart-reminder", "--output", "pdf"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_2_and_says_so_on_stderr(arguments: list[str]) -> None:
    """With nothing on stdout that a script could take for data."""
    shown = run(*arguments)
    assert shown.exit_code == Exit.USAGE
    assert "Usage: postcart" in shown.stderr
    assert shown.stdout == ""


def test_simulate_prints_decisions_as_json_lines(history: Path) -> None:
    """Fields come in the order of the contract."""
    shown = run("simulate", str(history))
    assert shown.exit_code == 0
    (line,) = [json.loads(text) for text in shown.stdout.splitlines()]
    assert list(line) == [
        "type", "abandonment_id", "episode_id", "visitor_id", "person_id", "session_id", "trigger", "abandoned_at",
        "lines", "value", "currency", "tags",
    ]  # fmt: skip
    assert (line["abandoned_at"], line["value"], line["currency"]) == ("2022-10-01T10:15:00Z", "19.80", "USD")
    assert line["lines"] == [{"variant_id": "p1", "quantity": 2, "unit_price": "9.90"}]


def test_simulate_takes_another_currency(history: Path) -> None:
    """From the command, before the settings."""
    shown = run("simulate", "--currency", "EUR", str(history), POSTCART_CURRENCY="GBP")
    assert json.loads(shown.stdout)["currency"] == "EUR"
    assert json.loads(run("simulate", str(history), POSTCART_CURRENCY="GBP").stdout)["currency"] == "GBP"


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


def test_a_broken_campaign_is_one_message(history: Path, tmp_path: Path) -> None:
    """Each problem with its line; nothing is decided by half a campaign."""
    campaign = tmp_path / "broken.yaml"
    campaign.write_text("name: x\nsteps:\n  - {after: soon, template: a, tempo: 1}\n", encoding="utf-8")
    shown = run("simulate", str(history), "--campaign", str(campaign))
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


def test_wrong_settings_are_one_message_of_every_command(history: Path) -> None:
    """With the name that was probably meant."""
    shown = run("simulate", str(history), POSTCART_CURENCY="EUR", POSTCART_SMTP__PORT="x")
    assert shown.exit_code == Exit.FINDING
    assert "POSTCART_CURENCY: there is no such setting; did you mean POSTCART_CURRENCY?" in shown.stderr
    assert "POSTCART_SMTP__PORT: " in shown.stderr


def test_debug_adds_the_traceback(history: Path) -> None:
    """And only then there is one."""
    assert "Traceback" in run("--debug", "simulate", str(history), POSTCART_CURRENCY="x").stderr
    assert "Traceback" not in run("simulate", str(history), POSTCART_CURRENCY="x").stderr


def test_a_bug_is_told_in_full(history: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unlike an error: with its traceback, and with a code of its own."""

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("should not be")

    monkeypatch.setattr("postcart.cli.simulate.shop_events", broken)
    shown = run("simulate", str(history))
    assert shown.exit_code == Exit.BUG
    assert "RuntimeError: should not be" in shown.stderr
    assert "this is a bug of Postcart" in shown.stderr


@pytest.mark.parametrize(
    ("typed", "taken"),
    [
        (["lag", "--debug"], ["--debug", "lag"]),
        (["lag"], ["lag"]),
        (["simulate", "--", "--debug"], ["simulate", "--", "--debug"]),
        (["--debug", "lag", "--debug", "--", "x"], ["--debug", "lag", "--", "x"]),
    ],
)
def test_debug_may_stand_anywhere(typed: list[str], taken: list[str]) -> None:
    """But not where it is an argument."""
    assert _debug_first(typed) == taken


@pytest.mark.slow
def test_config_check_is_well_as_shipped() -> None:
    """Trial defaults are notes, not problems."""
    shown = run("config", "check", "-o", "json")
    assert shown.exit_code == 0, shown.stdout
    found = json.loads(shown.stdout)
    assert found["problems"] == []
    assert "POSTCART_MASTER_KEY is not set: its default is for trials only" in found["notes"]


def test_config_check_tells_of_campaigns_templates_and_keys_together(tmp_path: Path) -> None:
    """Whatever is wrong, in one go; findings are the data of this command."""
    campaigns = tmp_path / "campaigns"
    campaigns.mkdir()
    (campaigns / "c.yaml").write_text("name: x\nsteps: [{after: 1h, template: nope}]\n", encoding="utf-8")
    shown = run(
        "config",
        "check",
        POSTCART_CAMPAIGNS_DIR=str(campaigns),
        POSTCART_LOCALES_DIR=str(tmp_path / "none"),
        POSTCART_DKIM__DOMAIN="shop.example",
        POSTCART_DKIM__SELECTOR="s1",
        POSTCART_DKIM__PRIVATE_KEY_FILE=str(tmp_path / "no.pem"),
    )
    assert shown.exit_code == Exit.FINDING
    assert f"{campaigns / 'c.yaml'}:2: there is no template 'nope'" in shown.stdout
    assert str(tmp_path / "none") in shown.stdout
    assert "no.pem" in shown.stdout
    assert "3 problems" in shown.stderr


def with_template(tmp_path: Path, body: str) -> Path:
    """A copy of the shipped templates, one of them with ``body`` as its preview text."""
    folder = tmp_path / "templates"
    for source in (ROOT / "templates").rglob("*.j2"):
        target = folder / source.relative_to(ROOT / "templates")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
    (folder / "cart-reminder" / "preview.txt.j2").write_text(body, encoding="utf-8")
    return folder


@pytest.mark.parametrize("command", [("config", "check"), ("preview", "cart-reminder")], ids=" ".join)
def test_an_unknown_template_variable_names_file_line_and_what_is_there(tmp_path: Path, command: tuple[str]) -> None:
    """Before a mail goes out, by both commands."""
    folder = with_template(tmp_path, "Hello\n{{ custommer.name }}")
    shown = run(*command, POSTCART_TEMPLATES_DIR=str(folder))
    told = shown.stdout + shown.stderr
    assert shown.exit_code == Exit.FINDING
    assert "templates/cart-reminder/preview.txt.j2:2: " in told
    assert "custommer" in told
    assert "Traceback" not in told


def test_config_show_never_shows_secrets() -> None:
    """Not in any form."""
    for form in ("table", "json"):
        shown = run("config", "show", "--origin", "-o", form, POSTCART_IDENTITY_KEY="a-very-secret-identity-key")
        assert shown.exit_code == 0
        assert "very-secret" not in shown.stdout


def test_config_show_tells_origins(tmp_path: Path) -> None:
    """Environment over file over default."""
    file = tmp_path / "postcart.yaml"
    file.write_text("partitions: 8\ncurrency: EUR\n", encoding="utf-8")
    shown = run("config", "show", "-o", "json", POSTCART_CONFIG=str(file), POSTCART_CURRENCY="GBP")
    found = {one["name"]: one for one in json.loads(shown.stdout)}
    assert (found["partitions"]["value"], found["partitions"]["origin"]) == ("8", "file")
    assert (found["currency"]["value"], found["currency"]["origin"]) == ("GBP", "env")
    assert found["tenant"]["origin"] == "default"


def test_preview_has_all_parts() -> None:
    """HTML by default, the text part, all of it as JSON."""
    assert run("preview", "cart-reminder").stdout.startswith("<!doctype html>")
    assert "Warenkorb" in run("preview", "cart-reminder", "--locale", "de", "-o", "text").stdout
    found = json.loads(run("preview", "cart-reminder", "-o", "json").stdout)
    assert list(found) == ["subject", "preview", "html", "text", "headers"]
    assert "List-Unsubscribe" in found["headers"]


def test_preview_of_other_channels() -> None:
    """Fields for people, all of them as JSON; what a text message costs; no page of what is no page."""
    shown = run("preview", "shipped", "--channel", "inapp").stdout
    assert re.search(r"^title +Your order 100482 is on its way$", shown, re.MULTILINE)
    assert re.search(r"^link +https://", shown, re.MULTILINE)
    text = json.loads(run("preview", "shipped", "--channel", "sms", "--locale", "de", "-o", "json").stdout)
    assert "Bestellung" in text["text"]
    assert (text["segments"], text["coding"], text["language"]) == (1, "gsm7", "de")
    push = json.loads(run("preview", "cart-reminder", "--channel", "push", "--locale", "ar", "-o", "json").stdout)
    assert list(push) == ["title", "body", "link", "language"]
    assert push["language"] == "ar"
    assert run("preview", "shipped", "--channel", "push", "--locale", "fi").stderr.startswith("note: there is no")
    for wrong in (("--output", "html"), ("--open-in-folder",)):
        refused = run("preview", "shipped", "--channel", "sms", *wrong)
        assert refused.exit_code == Exit.USAGE
        assert "--output text or json" in refused.stderr


def test_preview_of_a_channel_that_a_template_has_no_words_for() -> None:
    """Lists those that have some."""
    refused = run("preview", "cart-reminder-2", "--channel", "sms")
    assert refused.exit_code == Exit.FINDING
    assert "no template 'cart-reminder-2' for sms" in refused.stderr


def test_preview_says_when_a_language_is_not_there() -> None:
    """It shows what the recipient would get instead."""
    assert run("preview", "cart-reminder", "--locale", "fi-FI", "-o", "text").stderr == (
        "note: there is no catalogue for fi-FI; this is en\n"
    )
    assert run("preview", "cart-reminder", "--locale", "de-AT", "-o", "text").stderr == ""


def test_preview_writes_a_page_with_all_languages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one asked for first; the page's path is the data."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    page = Path(run("preview", "cart-reminder", "--locale", "de", "--open-in-folder").stdout.strip())
    assert page.parent.parent == tmp_path
    text = page.read_text(encoding="utf-8")
    assert text.index(">de<") < text.index(">ar<")
    assert "Warenkorb" in text


def test_preview_of_no_template_lists_those_that_there_are() -> None:
    """As an error."""
    shown = run("preview", "cart-remindr")
    assert shown.exit_code == Exit.FINDING
    assert "cart-reminder, cart-reminder-2" in shown.stderr


def lag(state: LagState, lagging: int | None = None, age: float | None = None) -> PartitionLag:
    return PartitionLag(topic="t", partition=0, state=state, records=lagging, seconds=age)


@pytest.mark.parametrize(
    ("part", "told"),
    [
        ([lag("known", 0, 0.0)], ("0", "0.0")),
        ([lag("known", 1_200, 3.0), lag("known", 5, 61.25)], ("1,205", "61.2")),
        ([lag("known", 5, None)], ("5", "unknown")),
        ([lag("unknown")], ("unknown", "unknown")),
        ([lag("no_commit")], ("no commit yet", "no commit yet")),
        ([lag("no_topic")], ("no such topic", "no such topic")),
        (
            [lag("known", 7, 1.0), lag("unknown"), lag("no_commit")],
            ("7 (1 unknown, 1 without commit)", "1.0 (1 unknown, 1 without commit)"),
        ),
    ],
)
def test_zero_unknown_and_no_commit_are_three_things(part: list[PartitionLag], told: tuple[str, str] | None) -> None:
    """Also in a sum over partitions."""
    assert (records(part), seconds(part)) == told


def test_settings_of_the_docs_are_those_of_the_code() -> None:
    """The page is made without reading the environment."""
    assert "POSTCART_BOOTSTRAP" in pages()["settings.md"]
    assert load_settings({}).bootstrap in pages()["settings.md"]
