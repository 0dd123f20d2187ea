"""The commands `config` and `preview`, called in this process: what is wrong or looks wrong before a mail goes out."""

import json
import re
from pathlib import Path

import pytest

from command_line import ROOT, run
from postcart.cli.failures import Exit


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
