"""What carriers answer, as documented and recorded, becomes scans; what can not be read is said."""

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrier_answers import EASYPOST, SHIPPO, read, shippo
from postcart.codecs.sanity import problem_of
from postcart.content.carrier_files import load_vocabularies
from postcart.domain.track.answers import Answer
from postcart.events.event import time_ms
from postcart.events.shipments import ParcelStatus, Place, carrier_scan_id
from postcart.events.times import DAY_MS, parse_iso


def test_shippos_answer() -> None:
    """The latest scan stands there twice and is one."""
    answer = shippo()
    assert not answer.faults
    departed, delivered = answer.scans
    assert (departed.code, departed.detail, time_ms(departed)) == (
        "TRANSIT",
        "package_departed",
        parse_iso("2016-07-22T11:05:00Z"),
    )
    assert delivered.place == Place(country="US", region="NV", city="Las Vegas", postal_code="89101")
    assert delivered.text == "Your shipment has been delivered at the destination mailbox."
    assert (delivered.carrier, delivered.tracking_number, delivered.vocabulary, delivered.source) == (
        "usps",
        "9205590164917312751089",
        "shippo",
        "polled",
    )
    assert [problem_of(scan) for scan in answer.scans] == [None, None]
    assert meanings(answer) == ["in_transit", "delivered"]


def test_easyposts_answer() -> None:
    """Of several parcels only the one that was asked about, however its number is written."""
    answer = read("easypost", EASYPOST, "ez-1000 000 001")
    assert not answer.faults
    sent, labelled = answer.scans
    assert sent.place is None
    assert labelled.place == Place(region="TX", city="HOUSTON", postal_code="77063")
    assert meanings(answer) == ["info_received", "info_received"]
    assert labelled.text == "Shipping Label Created"


def test_what_the_carrier_expects() -> None:
    """Of when it was asked; a new expectation, and one that comes back later, is an event of its own."""
    asked_ms = parse_iso("2016-07-22T12:00:00Z")
    expected = shippo(at_ms=asked_ms).estimate
    assert expected is not None
    assert (time_ms(expected), expected.estimated_at, expected.until) == (
        asked_ms,
        datetime(2016, 7, 23, tzinfo=UTC),
        None,
    )
    assert (expected.carrier, expected.tracking_number) == ("usps", "9205590164917312751089")
    assert problem_of(expected) is None
    assert shippo(at_ms=asked_ms).estimate == expected
    changed = shippo({**SHIPPO, "eta": "2016-07-24T00:00:00Z"}, at_ms=asked_ms).estimate
    later = shippo(at_ms=asked_ms + DAY_MS).estimate
    assert changed is not None
    assert later is not None
    assert len({expected.id, changed.id, later.id}) == 3
    easypost = deepcopy(EASYPOST)
    easypost["trackers"][0]["est_delivery_date"] = "2022-03-27T00:00:00Z"
    easypost["trackers"][1]["est_delivery_date"] = "2022-03-28T00:00:00Z"
    found = read("easypost", easypost, "EZ1000000001").estimate
    assert found is not None
    assert found.estimated_at == datetime(2022, 3, 27, tzinfo=UTC)


def test_an_expectation_that_cannot_be_read() -> None:
    """Is a fault, and the scans count all the same."""
    for eta in ("soon", 7):
        answer = shippo({**SHIPPO, "eta": eta})
        assert answer.faults
        assert answer.faults[0].startswith("estimate: ")
        assert (len(answer.scans), answer.estimate) == (2, None)
    assert shippo({**SHIPPO, "eta": ["2016-07-23T00:00:00Z", 3]}).estimate is not None, "the first counts"


def meanings(answer: Answer) -> list[str | None]:
    """Every word of an answer has one."""
    words = load_vocabularies()
    return [meaning.status if (meaning := words.meaning(scan)) else None for scan in answer.scans]


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("easypost", {"trackers": [], "has_more": False}),
        ("shippo", {"tracking_number": "9", "tracking_history": [], "tracking_status": None}),
        ("shippo", {"tracking_history": [{"status": None, "status_date": None, "substatus": None}]}),
        ("shippo", {"tracking_history": [{"status": " ", "status_date": "2016-07-23T00:00:00Z"}]}),
    ],
)
def test_a_carrier_that_knows_nothing_yet(name: str, document: Any) -> None:
    """Is nothing wrong."""
    assert read(name, document, "9") == Answer()


def test_a_scan_has_one_id_however_it_comes() -> None:
    """Polled again or pushed, in another zone or letter case; another place or time is another scan."""
    whole = shippo().scans[1]
    changed = deepcopy(SHIPPO)
    changed["tracking_history"][1] |= {"status": "delivered", "status_date": "2016-07-23T02:00:00+02:00"}
    changed["tracking_history"][1]["status_details"] = "other words"
    again = shippo(changed)
    assert [scan.id for scan in again.scans] == [scan.id for scan in shippo().scans]
    pushed = carrier_scan_id(
        whole.parcel_key,
        code="DELIVERED",
        detail="delivered",
        at_ms=parse_iso("2016-07-23T00:00:00Z"),
        place=("US", "NV", "LAS VEGAS", "89101", None),
    )
    assert whole.id == pushed
    for where, value in (("city", "Reno"), ("zip", "89102")):
        moved = deepcopy(SHIPPO)
        moved["tracking_history"][1]["location"][where] = value
        assert len(shippo(moved).scans) == 3
    assert whole.id != read("shippo", {**SHIPPO, "tracking_number": "1"}, "1").scans[1].id


def test_scans_of_a_former_parcel_are_left_out() -> None:
    """Numbers are used again: TRACK says since when scans are this parcel's."""
    answer = shippo(since_ms=parse_iso("2016-07-22T11:05:00.001Z"))
    assert [scan.code for scan in answer.scans] == ["DELIVERED"]
    assert answer.older == 1
    assert not shippo(since_ms=parse_iso("2016-07-23T00:00:00Z") + DAY_MS).scans


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ("delivered", "the answer is no object"),
        ({**SHIPPO, "tracking_number": "1Z999"}, "the answer is about another number"),
        ({"tracking_history": ["DELIVERED"]}, "tracking_history: an entry is no object"),
        (
            {"tracking_history": [{"status": {"a": 1}, "status_date": "2016-07-23"}]},
            "tracking_history: code is no text",
        ),
        (
            {"tracking_history": [{"status": "TRANSIT", "status_date": "yesterday"}]},
            "tracking_history: time is not ISO",
        ),
        (
            {"tracking_history": [{"status": "A", "status_date": "0001-01-01T00:00+14:00"}]},
            "tracking_history: time is not in",
        ),
        ({"tracking_history": [{"status": "TRANSIT", "status_date": True}]}, "tracking_history: time is no text"),
    ],
)
def test_what_can_not_be_read_is_said(document: Any, fault: str) -> None:
    """Without what stood there: it may be anything."""
    (said,) = shippo(document).faults
    assert said.startswith(fault)


def test_one_bad_scan_spoils_no_others() -> None:
    """The rest counts."""
    document = deepcopy(SHIPPO)
    document["tracking_history"][0]["status_date"] = "22.07.2016"
    answer = shippo(document)
    assert [scan.code for scan in answer.scans] == ["DELIVERED"]
    assert answer.faults == ["tracking_history: time is not ISO 8601"]


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)
scans = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "status": json,
            "status_date": json | st.datetimes(timezones=st.none() | st.timezones()).map(lambda at: at.isoformat()),
            "status_details": json | st.text(min_size=2_001, max_size=2_100),
            "location": json | st.dictionaries(st.sampled_from(("city", "country", "state", "zip")), json),
            "substatus": json | st.fixed_dictionaries({"code": json}),
        },
    )
    | json,
    max_size=4,
)


@given(document=st.fixed_dictionaries({"tracking_history": scans | json}, optional={"tracking_number": json}) | json)
def test_whatever_comes_is_scans_or_faults(document: Any) -> None:
    """Never an error; every scan is one that TRACK's decoder takes."""
    answer = shippo(document)
    for scan in answer.scans:
        assert isinstance(scan, ParcelStatus)
        assert problem_of(scan) is None
        assert len(scan.text or "") <= 2_000
