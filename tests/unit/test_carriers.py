"""What carriers' words mean: every documented one has a meaning and a source; files say what is wrong with them."""

import re
from pathlib import Path

import pytest
import yaml

from postcart.content.carrier_files import SHIPPED, load_vocabularies, load_vocabulary
from postcart.domain.track.status import Meaning
from postcart.errors import ConfigurationError
from postcart.events.shipments import ParcelStatus
from real_data import REAL_DATA

EASYPOST = {
    "statuses": "unknown pre_transit in_transit out_for_delivery delivered available_for_pickup return_to_sender"
    " failure cancelled error",
    "details": "address_correction arrived_at_destination arrived_at_facility arrived_at_pickup_location"
    " awaiting_information cancelled damaged delayed delivery_exception departed_facility departed_origin_facility"
    " expired failure held in_transit label_created lost missorted out_for_delivery received_at_destination_facility"
    " received_at_origin_facility refused return status_update transferred_to_destination_carrier transit_exception"
    " unknown weather_delay",
}
"""https://docs.easypost.com/docs/trackers."""
AFTERSHIP = {
    "Pending": (1, 2, 3, 4, 5, 6),
    "InfoReceived": (1,),
    "InTransit": (1, 2, 3, 4, 5, 6, 7, 8, 9),
    "OutForDelivery": (1, 3, 4),
    "AttemptFail": (1, 2, 3),
    "AvailableForPickup": (1,),
    "Delivered": (1, 2, 3, 4, 5),
    "Exception": (*range(1, 14), *range(16, 22)),
    "Expired": (1,),
}
"""https://www.aftership.com/docs/tracking/enum/delivery-statuses and delivery-sub-statuses."""
SHIPPO = {
    "UNKNOWN": "other",
    "PRE_TRANSIT": "information_received",
    "TRANSIT": "address_issue contact_carrier delayed delivery_attempted delivery_rescheduled delivery_scheduled"
    " location_inaccessible notice_left out_for_delivery package_accepted package_arrived package_damaged"
    " package_departed package_forwarded package_held package_processed package_processing pickup_available"
    " reschedule_delivery",
    "DELIVERED": "delivered",
    "RETURNED": "return_to_sender package_unclaimed",
    "FAILURE": "package_undeliverable package_disposed package_lost",
}
"""https://docs.goshippo.com/docs/tracking/tracking/#event-definitions."""
ALL = load_vocabularies()
EVENT = {"id": "1", "time": 0, "carrier": "ups", "tracking_number": "1Z"}


def meaning(vocabulary: str, code: str, detail: str | None = None) -> Meaning | None:
    """What an event says."""
    return ALL.meaning(ParcelStatus(**EVENT, vocabulary=vocabulary, code=code, detail=detail))  # type: ignore[arg-type]


def words(vocabulary: str) -> list[dict[str, str]]:
    """The entries of a file."""
    loaded: list[dict[str, str]] = yaml.safe_load((SHIPPED / f"{vocabulary}.yaml").read_text())["words"]
    return loaded


def test_easypost_whole() -> None:
    """Every status and every status_detail has an entry of its own, and every pair a meaning."""
    entries = words("easypost")
    assert set(EASYPOST["statuses"].split()) <= {entry["code"] for entry in entries if "detail" not in entry}
    assert set(EASYPOST["details"].split()) == {entry["detail"] for entry in entries if "code" not in entry}
    for status in EASYPOST["statuses"].split():
        for detail in EASYPOST["details"].split():
            assert meaning("easypost", status, detail) is not None


def test_aftership_whole() -> None:
    """Every tag and every subtag; a subtag means the same with its tag and alone."""
    entries = words("aftership")
    assert {entry["code"] for entry in entries if "code" in entry} == set(AFTERSHIP)
    subtags = {f"{tag}_{number:03}" for tag, numbers in AFTERSHIP.items() for number in numbers}
    assert {entry["detail"] for entry in entries if "detail" in entry} == subtags
    for subtag in subtags:
        assert meaning("aftership", "", subtag) == meaning("aftership", subtag.partition("_")[0], subtag)


def test_shippo_whole() -> None:
    """Every status and every substatus with its status."""
    entries = words("shippo")
    assert {entry["code"] for entry in entries if "detail" not in entry} == set(SHIPPO)
    pairs = {(status, detail) for status, details in SHIPPO.items() for detail in details.split()}
    assert {(entry["code"], entry["detail"]) for entry in entries if "detail" in entry} == pairs


def test_every_recorded_easypost_status_is_known() -> None:
    """Those of the recorded webhooks, where they are at hand."""
    folder = REAL_DATA / "webhooks" / "easypost"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here")
    said = {
        pair
        for path in folder.glob("*.yaml")
        for pair in re.findall(r'"status":\s+"(\w+)",\s+"status_detail":\s+"(\w+)"', path.read_text())
    }
    assert said
    assert all(meaning("easypost", *pair) for pair in said)


@pytest.mark.parametrize(
    ("said", "means"),
    [
        (("easypost", "in_transit", "received_at_origin_facility"), Meaning("picked_up")),
        (("easypost", "failure", "damaged"), Meaning("exception", "damaged")),
        (("easypost", "failure", "never heard of"), Meaning("exception", "other")),
        (("easypost", "out_for_delivery", "delayed"), Meaning("out_for_delivery")),
        (("aftership", "Exception", "Exception_011"), Meaning("returned")),
        (("aftership", "InTransit", "InTransit_999"), Meaning("in_transit")),
        (("shippo", "transit", "NOTICE_LEFT"), Meaning("attempt_failed")),
        (("postcart", "exception", "customs"), Meaning("exception", "customs")),
        (("easypost", "teleported", None), None),
        (("easypost", "teleported", "damaged"), None),
        (("nobody", "in_transit", None), None),
    ],
)
def test_meanings(said: tuple[str, str, str | None], means: Meaning | None) -> None:
    """The pair, else the code; an unknown word, or nobody's, means nothing."""
    assert meaning(*said) == means


def test_what_is_unknown_is_named() -> None:
    """For the dead letter."""
    event = ParcelStatus(**EVENT, code="teleported", detail="twice")  # type: ignore[arg-type]
    assert ALL.unknown(event) == "there is no carriers/ups.yaml that says what 'teleported' ('twice') means"


WRONG = """name: other
sources:
  docs: here
words:
  - {code: a, means: in_transitt, source: docs}
  - {code: b, means: exception, reason: wether, source: dosc}
  - {means: delivered, source: docs}
  - {code: A, means: pending}
  - {code: c, means: pending, source: docs, sense: no}
"""


def test_all_problems_at_once(tmp_path: Path) -> None:
    """By file and line, with what to write instead."""
    path = tmp_path / "mine.yaml"
    path.write_text(WRONG)
    with pytest.raises(ConfigurationError) as raised:
        load_vocabulary(path)
    said = [re.sub(r" \(known.*", "", problem.removeprefix(f"{path}:")) for problem in raised.value.problems]
    assert said == [
        "1: the name must be that of the file: mine",
        "5: means is 'in_transitt'; did you mean 'in_transit'?",
        "6: reason is 'wether'; did you mean 'weather'?",
        "6: source is 'dosc'; did you mean 'docs'?",
        "7: a word needs a code, a detail or both, as texts",
        "8: 'source' is missing; add it",
        "8: this word is there twice, first in line 5; remove one",
        "9: unknown key 'sense'; did you mean 'means'?",
    ]
    with pytest.raises(ConfigurationError, match="no carrier"):
        load_vocabularies(tmp_path / "nowhere")
