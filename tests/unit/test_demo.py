"""What the demo shows: every reason occurs, and a difference is told."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from demo_result import demo_result, demo_settings
from postcart.adapters.mail_sink import read_folder
from postcart.codecs.feed_token import Holder, read
from postcart.errors import ConfigurationError
from postcart.events.decisions import StepCancelled
from postcart.events.milestones import Cleared, Delay, EstimateChanged, Milestone
from postcart.events.shop import time_ms
from postcart.events.times import DAY_MS
from postcart.wiring.demo.expected import history_and_expected
from postcart.wiring.demo.feeds import live_page, shown_person
from postcart.wiring.demo.page import write_page
from postcart.wiring.demo.parcel_story import RULES, orders_of, parcel_stories
from postcart.wiring.demo.parcels import WAYS
from postcart.wiring.demo.shop import Places, demo_variables
from postcart.wiring.demo.tally import Tally
from postcart.wiring.demo.timelines import _TITLES, timelines


def test_the_history_is_the_same_each_time_and_in_order() -> None:
    """Otherwise two runs could not be compared, and a replay refuses what goes back in time."""
    first, expected = history_and_expected(demo_settings())
    second, _ = history_and_expected(demo_settings())
    assert (first.real, first.added) == (second.real, second.added)
    times = list(map(time_ms, first.all))
    assert times == sorted(times)
    assert len({event.id for event in first.all}) == len(times)
    assert expected.due > 50


def test_every_reason_to_stop_is_seen() -> None:
    """The table shows what it is for."""
    _, expected = history_and_expected(demo_settings())
    reasons = {one.reason for one in expected.decisions if isinstance(one, StepCancelled)}
    assert reasons >= {"ordered", "returned", "cool_off", "no_consent", "collapsed"}


def test_every_delay_is_found_and_cleared() -> None:
    """Each rule, once at least; and no parcel is still on its way at the end."""
    history, expected = history_and_expected(demo_settings())
    found = {one.rule: one.id for one in expected.decisions if isinstance(one, Delay) and one.level == 1}
    assert set(found) == set(RULES)
    cleared = {one.delay_id for one in expected.decisions if isinstance(one, Cleared)}
    assert cleared >= set(found.values())
    assert any(isinstance(one, EstimateChanged) for one in expected.decisions)
    arrived = [one for one in expected.decisions if isinstance(one, Milestone) and one.status == "delivered"]
    assert len(arrived) == len(orders_of(history)) > len(WAYS)


def test_parcels_have_their_stories_and_rows(tmp_path: Path) -> None:
    """One for each way, in order of time; delays found and cleared are in them and in the table."""
    result = demo_result(tmp_path / "inbox")
    told = parcel_stories(result.history, result.tally, mail_of=lambda _: None, texts={})
    assert {one.title for one in told} == {way.title for way in WAYS}
    words = " ".join(moment.what for one in told for moment in one.moments)
    assert all(f"Delay found, level 1: {rule}" in words for rule in RULES.values())
    assert words.count("Delay cleared") == len(RULES)
    for one in told:
        assert [moment.at_ms for moment in one.moments] == sorted(moment.at_ms for moment in one.moments)
    rows = {row.what: row.found for row in result.parcels}
    assert rows["placed"] == rows["delivered"] == len(orders_of(result.history))
    assert rows["delayed"] == rows["delay cleared"] == len(RULES)


def test_a_text_message_taken_twice_or_unasked_is_not_well(tmp_path: Path) -> None:
    """As with mails."""
    result = demo_result(tmp_path / "inbox")
    assert not replace(result, texts={"somebody": "else's"}).well
    assert not replace(result, twice=1).well


def test_an_item_that_is_missing_in_its_feed_is_not_well(tmp_path: Path) -> None:
    """Nor one that nothing asked for."""
    result = demo_result(tmp_path / "inbox")
    ((person, (newer, older)),) = result.feeds.items()
    assert not replace(result, feeds={person: [newer]}).well
    assert not replace(result, feeds={person: [newer, older], "somebody": [structs.replace(newer, id="else")]}).well


def test_the_page_shows_what_a_feed_held(tmp_path: Path) -> None:
    """Newest first, as text, and what was not read; where it is live only as long as it is."""
    places = Places(tmp_path / "out")
    places.prepare()
    result = demo_result(places.inbox)
    write_page(result, places, live="http://127.0.0.1:1/feed#token=a&open")
    page = places.page.read_text("utf-8")
    assert page.count('href="http://127.0.0.1:1/feed#token=a&amp;open"') == 2
    write_page(result, places)
    page = places.page.read_text("utf-8")
    assert "http://" not in page
    assert "postcart demo --stay" in page
    items = re.findall(
        r'<article class="item( new)?" .*?<h3 [^>]*>(.*?)</h3>.*?<time [^>]*>(.*?)</time>', page, re.DOTALL
    )
    assert [(new, title) for new, title, _ in items] == [
        (" new", "Parcel 2 &lt;is&gt; on its way"),
        ("", "Parcel 1 &lt;is&gt; on its way"),
    ]
    assert result.shown.name in page


def test_whose_feed_is_shown() -> None:
    """Somebody with all that can be told of a parcel in time, in English; the same in every run."""
    history, _ = history_and_expected(demo_settings())
    shown = shown_person(history)
    assert shown == shown_person(history)
    assert (shown.locale or "").startswith("en")


def test_the_address_of_a_live_page() -> None:
    """Where the gateway said that it listens, with a token for that person alone, in the part that browsers keep."""
    settings = demo_settings()
    url = live_page(settings, "12:00:00 [info] gateway_listens  url=http://127.0.0.1:4711", "somebody", now_ms=1_000)
    page, _, token = url.removesuffix("&open").partition("#token=")
    assert page == "http://127.0.0.1:4711/feed"
    secret = settings.feed.secret.get_secret_value().encode()
    assert read(token, [secret], now_ms=1_000) == Holder(None, "somebody", 1_000 + DAY_MS)


def test_what_is_reported_afterwards_is_no_receipt() -> None:
    """An item that somebody looks at while the demo runs is reported as delivered."""
    tally = Tally()
    tally.add_receipt(
        b'{"type":"report","report_id":"r","job_id":"j","person_id":"p","channel":"inapp","kind":"delivered",'
        b'"at_ms":1,"source":"feed"}'
    )
    assert tally.receipts == {}


def test_each_kind_of_story_is_told(tmp_path: Path) -> None:
    """One person for each, and what was sent links to its mail."""
    result = demo_result(tmp_path / "inbox")
    told = timelines(
        result.history, result.tally.decisions, mail_of=lambda _, step: f"mail-{step}", offsets=result.offsets
    )
    assert [one.title for one in told] == [title for title, _ in _TITLES]
    for one in told:
        assert [moment.at_ms for moment in one.moments] == sorted(moment.at_ms for moment in one.moments)
        assert all(moment.link for moment in one.moments if moment.kind == "sent")


def test_all_is_well_only_if_equal_and_each_mail_there_once(tmp_path: Path) -> None:
    """A missing mail or one too many is not well, nor is a decision that differs."""
    result = demo_result(tmp_path / "inbox")
    assert result.well
    assert result.verdict.startswith("Equal: all ")
    assert not replace(result, mails=result.mails[1:]).well
    doubled = replace(result, mails=[*result.mails, result.mails[0]])
    assert not doubled.well
    assert "1 twice" in doubled.delivery


def test_differences_are_told(tmp_path: Path) -> None:
    """How many, and some of them as they are."""
    result = demo_result(tmp_path / "inbox", without=2)
    assert not result.well
    assert result.verdict.startswith("NOT equal")
    assert "2 of its decisions are missing here, 0 are only here" in result.verdict
    assert len(result.difference.examples) == 2


def test_the_page_has_a_mail_for_each_that_was_due(tmp_path: Path) -> None:
    """And its links lead somewhere; it loads nothing."""
    places = Places(tmp_path / "out")
    places.prepare()
    write_page(demo_result(places.inbox), places)
    page = places.page.read_text("utf-8")
    links = set(re.findall(r'href="([^"#]+)"', page))
    assert links
    assert all((places.folder / link).is_file() for link in links)
    assert len(list((places.gallery / "mails").glob("*.html"))) == len(read_folder(places.inbox))
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", page)
    assert "default-src 'none'" in page


def test_only_its_own_folder_is_emptied(tmp_path: Path) -> None:
    """What somebody else has put there stays, and the demo says what to do."""
    places = Places(tmp_path)
    places.prepare()
    places.page.write_text("old")
    places.prepare()
    assert not places.page.exists()
    (tmp_path / ".postcart-demo").unlink()
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ConfigurationError, match="--folder"):
        places.prepare()
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_nothing_leads_to_a_real_broker_or_mail_server() -> None:
    """Settings of a production shell are left out; what mails look like is kept."""
    environ = {
        "POSTCART_BOOTSTRAP": "production:9092",
        "POSTCART_SMTP__HOST": "smtp.production",
        "POSTCART_SMTP__PASSWORD": "secret",
        "POSTCART_CONFIG": "/etc/postcart.yaml",
        "POSTCART_KAFKA__SASL_PASSWORD": "secret",
        "POSTCART_SHOP__NAME": "My Shop",
    }
    variables = demo_variables(environ, Places(Path("out")))
    assert not [value for value in variables.values() if "production" in value or "secret" in value]
    assert "POSTCART_CONFIG" not in variables
    assert variables["POSTCART_SMTP__HOST"] == "127.0.0.1"
    assert variables["POSTCART_SHOP__NAME"] == "My Shop"
