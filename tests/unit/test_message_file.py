"""What may stand in a file of messages, and what is said of what may not."""

import shutil
from pathlib import Path

import pytest

from postcart.content.message_file import load_messages
from postcart.domain.messages import ORDERS, PARCELS, default_message
from postcart.errors import ConfigurationError
from postcart.events.times import DAY_MS, HOUR_MS, MINUTE_MS

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "templates"


def problems(tmp_path: Path, text: str, templates: Path | None = TEMPLATES) -> list[str]:
    """The lines' numbers and what is wrong there."""
    path = tmp_path / "messages.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigurationError) as raised:
        load_messages(path, templates)
    return [problem.removeprefix(f"{path}:") for problem in raised.value.problems]


def test_the_file_that_is_shipped() -> None:
    """It tells everything, with templates that exist on every channel that it names."""
    told = load_messages(ROOT / "messages.yaml", TEMPLATES)
    assert set(told.by_occasion) == {*ORDERS, *PARCELS}
    assert told.by_occasion["placed"].also == ("sms",)
    assert told.by_occasion["out_for_delivery"].until_ms == 0
    assert (told.fallback_ms, told.leave_ms, told.reporting) == (10 * MINUTE_MS, 30 * MINUTE_MS, ("sms",))
    assert len(told.version) == 12


def test_what_is_left_out_has_defaults(tmp_path: Path) -> None:
    """On is all defaults; off, and what is not named, is not told."""
    path = tmp_path / "messages.yaml"
    path.write_text(
        "fallback: off\nleave: off\norders: {unpaid: {after: 3h}}\nparcels: {shipped: on, delivered: off}\n"
    )
    told = load_messages(path)
    assert set(told.by_occasion) == {"unpaid", "shipped"}
    assert told.by_occasion["shipped"] == default_message("shipped")
    assert told.by_occasion["unpaid"].after_ms == 3 * HOUR_MS
    assert told.by_occasion["unpaid"].until_ms == 2 * DAY_MS
    assert (told.fallback_ms, told.leave_ms) == (0, 0)


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    """Each with its line, and what to write instead."""
    text = """\
name: Messages
order: {}
orders:
  placed: {channels: [email, fax], also: [sms]}
  canceled: on
  refunded: {after: 3h}
parcels:
  shipped: {until: soon}
  delivered: perhaps
  delayed: {template: delay, priority: 500}
  exception:
"""
    found = "\n".join(problems(tmp_path, text))
    for line in (
        "1: name is 'Messages'; use lower-case letters, digits and '-' only",
        "2: unknown key 'order'; did you mean 'orders'?",
        "4: orders.placed.channels[2] is 'fax'",
        "5: unknown key 'canceled'; did you mean 'cancelled'?",
        "8: parcels.shipped.until: 'soon' is no duration; write for example 6h, 3d or end of day",
        "9: parcels.delivered: write on, off, or keys of its own",
        "10: there is no template 'delay' for email; did you mean 'delayed'?",
        "10: parcels.delayed.priority",
        "11: parcels.exception: write on, off",
    ):
        assert line in found, found


def test_a_channel_carries_a_message_once(tmp_path: Path) -> None:
    """In channels or in also, not in both."""
    (problem,) = problems(tmp_path, "orders: {placed: {channels: [email], also: [email]}}\n")
    assert "a channel is named twice in channels and also" in problem


def test_only_what_waits_has_a_waiting_time(tmp_path: Path) -> None:
    """A refund is told when it happens."""
    (problem,) = problems(tmp_path, "orders:\n  refunded: {after: 3h}\n")
    assert problem.startswith("2: unknown key 'after'; known are template, channels, also, until, priority")


def test_a_channel_needs_its_part_of_the_template(tmp_path: Path) -> None:
    """Said with the template and the file that is missing; a webhook needs none."""
    templates = tmp_path / "templates"
    shutil.copytree(TEMPLATES, templates)
    for part in (templates / "shipped").glob("inapp.*"):
        part.unlink()
    text = "parcels:\n  shipped:\n    channels: [email, inapp]\n    also: [webhook]\n"
    (problem,) = problems(tmp_path, text, templates)
    assert problem.startswith("2: there is no template 'shipped' for inapp; ")


def test_channels_that_are_not_run_are_left_out(tmp_path: Path) -> None:
    """So one file fits a shop that has no text messages yet; with none of its channels an entry is a mistake."""
    told = load_messages(ROOT / "messages.yaml", TEMPLATES, channels=("email",))
    assert {message.channels for message in told.by_occasion.values()} == {("email",)}
    assert {message.also for message in told.by_occasion.values()} == {()}
    path = tmp_path / "messages.yaml"
    path.write_text("parcels: {shipped: {channels: [sms]}}\n")
    with pytest.raises(ConfigurationError, match="none of its channels is there"):
        load_messages(path, TEMPLATES, channels=("email",))
    path.write_text("parcels: {shipped: {channels: [pigeon]}}\n")
    assert load_messages(path, channels=("email", "pigeon")).by_occasion["shipped"].channels == ("pigeon",)


def test_files_that_are_none(tmp_path: Path) -> None:
    """Missing, or without a folder of templates."""
    with pytest.raises(ConfigurationError, match="can't be read"):
        load_messages(tmp_path / "no.yaml")
    path = tmp_path / "messages.yaml"
    path.write_text("parcels: {shipped: on}\n")
    with pytest.raises(ConfigurationError, match="no such folder of templates"):
        load_messages(path, tmp_path / "no")
