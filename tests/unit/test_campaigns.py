"""Campaign files: what they become, and how what is wrong with them is told."""

from datetime import date, time
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from postcart.content.campaigns import load_campaign, load_campaigns
from postcart.domain.campaign import DEFAULT, Mobile
from postcart.errors import ConfigurationError
from postcart.events.jobs import CHANNELS, Incentive
from postcart.events.times import DAY_MS, HOUR_MS, MINUTE_MS

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "campaigns"
ROOT_KEYS = (
    "it must hold keys of its own: "
    "name, steps, quiet_hours, cool_off, last_step_until, priority, high_value, peak, mobile"
)
STEP_KEYS = "it must hold keys of its own: after, template, channel, purpose, incentive, fallback"
MINIMAL = "name: mine\nsteps:\n  - {after: 1h, template: cart-reminder}\n"


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    folder = tmp_path / "templates"
    for name in ("cart-reminder", "cart-reminder-2"):
        (folder / name).mkdir(parents=True)
        (folder / name / "subject.txt.j2").touch()
    (folder / "layouts").mkdir()
    return folder


def write(tmp_path: Path, text: str, name: str = "c.yaml") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def problems(path: Path, templates: Path | None = None, *, channels: tuple[str, ...] = CHANNELS) -> list[str]:
    """What is told about the file, without its name."""
    with pytest.raises(ConfigurationError) as caught:
        load_campaign(path, templates, channels=channels)
    return [problem.removeprefix(f"{path}:") for problem in caught.value.problems]


def test_the_shipped_campaign_is_the_default_one() -> None:
    """Without a campaign file the same happens as with the shipped one, but for the offer, which is a shop's affair."""
    shipped = load_campaign(SHIPPED / "cart-reminder.yaml", ROOT / "templates")
    *others, last = shipped.journey.steps
    assert last.incentive is not None
    bare = (*others, msgspec.structs.replace(last, incentive=None))
    journey = msgspec.structs.replace(shipped.journey, steps=bare)
    assert msgspec.structs.replace(shipped, version=DEFAULT.version, journey=journey) == DEFAULT


def test_the_shipped_campaign_uses_shipped_templates() -> None:
    """Nothing shipped names a template that is not there."""
    for path in (*SHIPPED.glob("*.yaml"), *SHIPPED.glob("examples/*.yaml")):
        load_campaign(path, ROOT / "templates")


def test_the_commented_out_parts_of_the_shipped_campaign_are_right(tmp_path: Path) -> None:
    """Who removes the comment signs gets a campaign with a high-value and a peak journey, and more for mobile ones."""
    lines = (SHIPPED / "cart-reminder.yaml").read_text(encoding="utf-8").splitlines()
    examples = [
        line.removeprefix("# ") for line in lines if line.startswith(("# high_value:", "# peak:", "# mobile:", "#   "))
    ]
    text = "\n".join([line for line in lines if not line.startswith("#")] + examples)
    campaign = load_campaign(write(tmp_path, text))
    assert campaign.high_value is not None
    assert campaign.high_value.threshold == {"USD": Decimal(500), "EUR": Decimal(450)}
    assert campaign.peak is not None
    assert campaign.peak.seasons == ((date(2026, 11, 23), date(2026, 11, 30)),)
    assert campaign.mobile == Mobile(channels=("push", "sms"), steps=(1,))


def test_several_channels(tmp_path: Path) -> None:
    """Each must be there, with the template's part for it; named once."""
    templates = Path(__file__).parents[2] / "templates"
    text = """name: mine
steps:
  - after: 1h
    template: cart-reminder
    channel: sms
    fallback: [email]
  - {after: 24h, template: cart-reminder-2}
mobile:
  channels: [sms]
"""
    path = write(tmp_path, text)
    campaign = load_campaign(path, templates, channels=("email", "sms"))
    assert campaign.journey.steps[0].fallback == ("email",)
    assert campaign.mobile == Mobile(channels=("sms",))
    assert "6: steps[1].fallback[1] is 'post'; known are email, sms" in "\n".join(
        problems(write(tmp_path, text.replace("[email]", "[post]")), channels=("email", "sms"))
    )
    found = problems(write(tmp_path, text + "  steps: [2]\n"), templates, channels=("email", "sms"))
    assert len(found) == 1
    assert found[0].startswith("7: there is no template 'cart-reminder-2' for sms; did you mean 'cart-reminder'?")
    (twice,) = problems(write(tmp_path, text.replace("[email]", "[sms]")))
    assert "a channel is named twice in channel and fallback" in twice


def test_everything_that_a_file_can_say(tmp_path: Path) -> None:
    """Each key arrives in the domain's campaign."""
    path = write(
        tmp_path,
        """
name: all-of-it
priority: 3
steps:
  - {after: 30m, template: a, channel: sms, purpose: transactional}
  - {after: 1h30m, template: b, incentive: {percent: 10, code: TEN}}
quiet_hours: {start: "9:00", end: 17:30}
cool_off: 2d
last_step_until: 90m
high_value: {threshold: {USD: 499.99}, steps: [{after: 10s, template: c}], priority: 7}
peak: {seasons: [{from: 2026-01-01, to: 2026-01-01}], steps: [{after: 5m, template: d}], priority: 1}
""",
    )
    campaign = load_campaign(path)
    first, second = campaign.journey.steps
    assert (first.after_ms, first.channel, first.purpose) == (30 * MINUTE_MS, "sms", "transactional")
    assert (second.after_ms, second.incentive) == (
        90 * MINUTE_MS,
        Incentive(kind="percent", value=Decimal(10), code="TEN"),
    )
    assert campaign.journey.priority == 3
    assert campaign.quiet_hours is not None
    assert (campaign.quiet_hours.start, campaign.quiet_hours.end) == (time(9), time(17, 30))
    assert (campaign.cool_off_ms, campaign.last_step_ms) == (2 * DAY_MS, 90 * MINUTE_MS)
    assert campaign.high_value is not None
    assert campaign.high_value.threshold == {"USD": Decimal("499.99")}
    assert (campaign.high_value.journey.name, campaign.high_value.journey.priority) == ("high-value", 7)
    assert campaign.peak is not None
    assert campaign.peak.journey.name == "peak"
    assert campaign.version == sha256(path.read_bytes()).hexdigest()[:12]


def test_left_out_keys_have_the_defaults_of_the_rules(tmp_path: Path) -> None:
    """Quiet hours 21:00 to 08:00, 7 days of cool-off."""
    campaign = load_campaign(write(tmp_path, MINIMAL))
    assert campaign.quiet_hours == DEFAULT.quiet_hours
    assert campaign.cool_off_ms == DEFAULT.cool_off_ms
    assert campaign.journey.steps[0].after_ms == HOUR_MS


@pytest.mark.parametrize("word", ["off", '"off"'])
def test_quiet_hours_can_be_switched_off(tmp_path: Path, word: str) -> None:
    """``off`` is a word here, not YAML 1.1's false."""
    assert load_campaign(write(tmp_path, MINIMAL + f"quiet_hours: {word}\n")).quiet_hours is None


def test_everything_wrong_is_told_at_once_with_its_line(tmp_path: Path, templates: Path) -> None:
    """A broken file is mended in one go."""
    path = write(
        tmp_path,
        """name: Cart Reminder
stepz: 3
steps:
  - after: 24h
    template: cart-remindr
    chanel: email
  - after: 1 hour
    template: cart-reminder
  - after: 1h
    template: 5
    channel: mail
    channel: sms
quiet_hours: {start: 21:00, end: 25:00}
cool_off: 7
high_value:
  threshold: {usd: 500, EUR: abc}
peak:
  seasons:
    - {from: 2026-12-23, to: 2026-12-01}
    - {from: 2026-13-23}
  steps: []
""",
    )
    known = "known are cart-reminder, cart-reminder-2"
    steps = "known are after, template, channel, purpose, incentive, fallback"
    keys = "known are name, steps, quiet_hours, cool_off, last_step_until, priority, high_value, peak, mobile"
    assert problems(path, templates) == [
        "1: name is 'Cart Reminder'; use lower-case letters, digits and '-' only",
        f"2: unknown key 'stepz'; did you mean 'steps'? ({keys})",
        f"5: there is no template 'cart-remindr'; did you mean 'cart-reminder'? ({known})",
        f"6: unknown key 'chanel'; did you mean 'channel'? ({steps})",
        "7: steps[2].after: '1 hour' is no duration; write for example 30m, 1h, 24h or 3d",
        "9: step 3 is after 1h, not later than 24h before it; put the steps in order",
        "10: steps[3].template is 5; it must be a text: put it in quotes",
        "11: steps[3].channel is 'mail'; did you mean 'email'? (known are email, sms, push, inapp, webhook)",
        "12: 'channel' is there twice, first in line 11; remove one",
        "13: quiet_hours.end: '25:00' is no time of day; write for example \"21:00\"",
        "14: cool_off: 7 is no duration; write for example 30m, 1h, 24h or 3d",
        "15: 'steps' is missing in high_value; add it",
        "16: high_value.threshold.EUR is 'abc'; it must be a number",
        "16: high_value.threshold.usd: 'usd' is no currency; write three capital letters, for example USD",
        "19: peak.seasons[1]: the season ends (2026-12-01) before it begins (2026-12-23); exchange them",
        "20: 'to' is missing in peak.seasons[2]; add it",
        "20: peak.seasons[2].from: '2026-13-23' is no date; write for example 2026-11-23",
        "21: peak.steps is empty; add at least one entry",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", f"1: the file is empty; {ROOT_KEYS}"),
        ("- 1\n", f"1: the file is a list; {ROOT_KEYS}"),
        ("a: [\n", "2: this is no YAML: expected the node content, but found '<stream end>'; mend the syntax"),
        (MINIMAL + "quiet_hours:\n", '4: quiet_hours: write "off" or {start: "21:00", end: "08:00"}'),
        (MINIMAL + "cool_off: 32d\n", "4: cool_off: what was sent is remembered for 31 days; write 31d or less"),
        (MINIMAL + "cool_off: 0x\n", "4: cool_off: '0x' is no duration; write for example 30m, 1h, 24h or 3d"),
        (
            MINIMAL + "last_step_until: 0h\n",
            "4: last_step_until: it must be longer than nothing; write for example 24h",
        ),
        (
            "name: mine\nsteps: cart-reminder\n",
            "2: steps is 'cart-reminder'; it must be a list, each entry begun with '-'",
        ),
        ("steps: [{after: 1h, template: a}]\n", "1: 'name' is missing; add it"),
        ("? [a]\n: b\n" + MINIMAL, "1: a key must be a plain word"),
        ("name: mine\nsteps: &s [*s]\n", f"2: steps[1] is a list; {STEP_KEYS}"),
    ],
)
def test_what_is_no_campaign_at_all(tmp_path: Path, text: str, told: str) -> None:
    """Each mistake has its line and its advice."""
    assert problems(write(tmp_path, text))[0] == told


def test_equal_quiet_hours_would_be_quiet_all_day(tmp_path: Path) -> None:
    """That is refused rather than guessed at."""
    path = write(tmp_path, MINIMAL + 'quiet_hours: {start: "08:00", end: "08:00"}\n')
    assert "quiet all day" in problems(path)[0]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """A missing file and one in another encoding."""
    assert "it can't be read (No such file or directory)" in problems(tmp_path / "none.yaml")[0]
    path = tmp_path / "latin.yaml"
    path.write_bytes("name: käse".encode("latin-1"))
    assert "save it as UTF-8" in problems(path)[0]


def test_a_folder_of_campaigns(tmp_path: Path) -> None:
    """All of a folder by name; sub-folders hold examples."""
    write(tmp_path, MINIMAL)
    write(tmp_path, MINIMAL.replace("mine", "other"), "d.yml")
    (tmp_path / "examples").mkdir()
    write(tmp_path / "examples", "broken: [")
    assert sorted(load_campaigns(tmp_path)) == ["mine", "other"]


def test_a_folder_tells_of_all_its_files_at_once(tmp_path: Path) -> None:
    """Also two files of one name, and a folder without any."""
    write(tmp_path, MINIMAL, "a.yaml")
    write(tmp_path, MINIMAL, "b.yaml")
    write(tmp_path, MINIMAL + "x: 1\n", "c.yaml")
    with pytest.raises(ConfigurationError) as caught:
        load_campaigns(tmp_path)
    first, second = caught.value.problems
    assert first == f"{tmp_path}/b.yaml:1: {tmp_path}/a.yaml is named 'mine' too; choose another name"
    assert second.startswith(f"{tmp_path}/c.yaml:4: unknown key 'x'")
    with pytest.raises(ConfigurationError, match="no campaign"):
        load_campaigns(tmp_path / "none")


def test_a_missing_templates_folder_is_told(tmp_path: Path) -> None:
    """It is a setting that is wrong then, not the campaign."""
    with pytest.raises(ConfigurationError, match="POSTCART_TEMPLATES_DIR"):
        load_campaign(write(tmp_path, MINIMAL), tmp_path / "none")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("default", "steps[1].incentive is 'default'; it must hold keys of its own: percent, amount, "),
        ("{}", "steps[1].incentive: an incentive is one of percent: 10, amount: 5, free_shipping: true"),
        ("{percent: 5, free_shipping: true}", "steps[1].incentive: an incentive is one of percent: 10, "),
        ("{procent: 5}", "unknown key 'procent'; did you mean 'percent'?"),
        ("{percent: 101}", "steps[1].incentive.percent is 101; input should be less than or equal to 100"),
    ],
)
def test_an_incentive_is_exactly_one_thing(tmp_path: Path, text: str, told: str) -> None:
    """Anything else is refused by its line."""
    path = write(tmp_path, f"name: mine\nsteps:\n  - {{after: 1h, template: a, incentive: {text}}}\n")
    assert any(problem.startswith(f"3: {told}") for problem in problems(path)), problems(path)
