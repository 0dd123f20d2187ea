"""The command line, called in this process: what holds for every command, and how it ends."""

from pathlib import Path
from typing import Any

import pytest
import typer

from command_line import ROOT, history, run
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
        ["why", " "],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_2_and_says_so_on_stderr(arguments: list[str]) -> None:
    """With nothing on stdout that a script could take for data."""
    shown = run(*arguments)
    assert shown.exit_code == Exit.USAGE
    assert "Usage: postcart" in shown.stderr
    assert shown.stdout == ""


def test_wrong_settings_are_one_message_of_every_command(tmp_path: Path) -> None:
    """With the name that was probably meant."""
    shown = run("simulate", str(history(tmp_path)), POSTCART_CURENCY="EUR", POSTCART_SMTP__PORT="x")
    assert shown.exit_code == Exit.FINDING
    assert "POSTCART_CURENCY: there is no such setting; did you mean POSTCART_CURRENCY?" in shown.stderr
    assert "POSTCART_SMTP__PORT: " in shown.stderr


def test_debug_adds_the_traceback(tmp_path: Path) -> None:
    """And only then there is one."""
    assert "Traceback" in run("--debug", "simulate", str(history(tmp_path)), POSTCART_CURRENCY="x").stderr
    assert "Traceback" not in run("simulate", str(history(tmp_path)), POSTCART_CURRENCY="x").stderr


def test_a_bug_is_told_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unlike an error: with its traceback, and with a code of its own."""

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("should not be")

    monkeypatch.setattr("postcart.cli.simulate.shop_events", broken)
    shown = run("simulate", str(history(tmp_path)))
    assert shown.exit_code == Exit.BUG
    assert "RuntimeError: should not be" in shown.stderr
    assert "this is a bug of Postcart" in shown.stderr


def test_ctrl_c_that_c_code_has_swallowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter tells of it at the next call, as a SystemError."""

    def interrupted(*_: object, **__: object) -> None:
        raise SystemError("returned a result with an exception set") from KeyboardInterrupt()

    monkeypatch.setattr("postcart.cli.simulate.shop_events", interrupted)
    shown = run("simulate", str(history(tmp_path)))
    assert (shown.exit_code, shown.stderr) == (Exit.INTERRUPTED, "")


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
