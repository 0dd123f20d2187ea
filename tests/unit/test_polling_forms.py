"""Files that say how a carrier's answer is read: those that are shipped, one's own, and wrong ones."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from carrier_answers import FORMS
from postcart.content.answer_files import load_answer_form
from postcart.content.carrier_files import SHIPPED, load_vocabularies
from postcart.domain.track.answers import AnswerForm, read_answer
from postcart.errors import ConfigurationError
from postcart.events.event import time_ms
from postcart.events.polls import PollRequest
from postcart.events.shipments import Place
from postcart.events.times import parse_iso


def form_of(folder: Path, content: str) -> AnswerForm:
    """A file of one's own, as it is read."""
    (folder / "answers").mkdir()
    (folder / "answers" / "mine.yaml").write_text(f"name: mine\n{content}")
    return load_answer_form("mine", folder)


def test_a_window_of_delivery(tmp_path: Path) -> None:
    """From then to that; one that ends before it begins is a fault."""
    form = form_of(
        tmp_path,
        "source: ours\nvocabulary: shippo\nscans: [scans]\ncode: code\ntime: at\n"
        "estimate: window.from\nestimate_until: window.to\n",
    )
    asked = PollRequest(parcel_id="p", carrier="usps", tracking_number="9", at_ms=0)
    window = {"from": "2022-03-27T08:00:00Z", "to": "2022-03-27T12:00:00Z"}
    found = read_answer({"window": window}, form, asked)
    assert found.estimate is not None
    assert found.estimate.until == datetime(2022, 3, 27, 12, tzinfo=UTC)
    turned = read_answer({"window": {"from": window["to"], "to": window["from"]}}, form, asked)
    assert (turned.estimate, turned.faults) == (None, ["estimate: the window ends before it begins"])


def test_shipped_forms_name_their_source_and_a_vocabulary() -> None:
    """Data that nobody could check would be guesses."""
    words = load_vocabularies()
    for path in sorted((SHIPPED / "answers").glob("*.yaml")):
        assert load_answer_form(path.stem).vocabulary in words
        assert "\nsource: http" in path.read_text()


def test_a_form_of_ones_own(tmp_path: Path) -> None:
    """Times without a zone are the carrier's own; what is not there is not asked for."""
    form = form_of(
        tmp_path,
        "source: their manual\nvocabulary: easypost\nzone: Europe/Berlin\n"
        "scans: [events]\ncode: what\ntime: when\nsite: depot\n",
    )
    request = PollRequest(parcel_id="p", carrier="mine", tracking_number="A1", at_ms=0)
    document = {"events": {"what": "in_transit", "when": "2026-11-27T10:00:00", "depot": 14}}
    (scan,) = read_answer(document, form, request).scans
    assert (time_ms(scan), scan.place) == (parse_iso("2026-11-27T09:00:00Z"), Place(site="14"))
    assert load_answer_form("shippo", tmp_path) == FORMS["shippo"], "what is shipped stays there"


def test_what_is_wrong_with_a_form_is_told_by_line(tmp_path: Path) -> None:
    """All of it at once; also that there is none."""
    (tmp_path / "answers").mkdir()
    path = tmp_path / "answers" / "mine.yaml"
    path.write_text("name: mine\nsource: x\nvocabulary: y\nscans: []\ncode: a..b\ntimes: when\nzone: Mars\n")
    with pytest.raises(ConfigurationError) as raised:
        load_answer_form("mine", tmp_path)
    said = "\n".join(raised.value.problems)
    for part in (":4: scans", ":5: code: 'a..b' is no path", "unknown key 'times'", "'time' is missing", ":7: zone"):
        assert part in said
    with pytest.raises(ConfigurationError, match=r"no shipo\.yaml is there; did you mean 'shippo'"):
        load_answer_form("shipo", tmp_path)
