"""Rows that a release has written can be read for ever: their bytes, by stage and version.

A change of a row's struct must keep these readable. A new version gets a new file beside the old ones:
``python tests/golden/test_rows.py`` writes the files of the current version where they are missing.
"""

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import structs

from postcart.domain.campaign import DEFAULT
from postcart.domain.detect import fold as detect
from postcart.domain.detect.outcome import Detected
from postcart.domain.detect.rules import Rules
from postcart.domain.detect.visitor import Visitor
from postcart.domain.journey import fold as journey
from postcart.domain.journey import orders, parcels
from postcart.domain.journey.errands import Courier
from postcart.domain.journey.outcome import Context, Decided
from postcart.domain.journey.person import Person
from postcart.domain.journey.receipts import settle
from postcart.domain.messages import Message, Messages
from postcart.domain.zones import resolver
from postcart.events.jobs import Job
from postcart.events.milestones import EstimateChanged, Expected, Milestone
from postcart.events.shop import (
    CartLine,
    CheckoutStep,
    Consent,
    Identified,
    LineAdded,
    OrderPlaced,
    Product,
    ProfileUpdated,
)
from postcart.events.signals import Emptied, Returning
from postcart.events.times import from_ms
from postcart.processors.detect import ROW_VERSION as DETECT_VERSION
from postcart.processors.journey import ROW_VERSION as JOURNEY_VERSION
from postcart.processors.older_rows import OLDER_VISITORS
from postcart.processors.outlines import FORGET, waiting_visitors
from postcart.processors.rows import RowStore
from receipts import receipt_of

FOLDER = Path(__file__).parent / "rows"
START_MS = 1_664_582_400_000
MINUTE_MS = 60_000
PARCEL = "3b0f8a51-7c33-5f0e-9d1c-2f5f7f0f6a01"


def visitor() -> Visitor:
    """Known, with a cart, an open checkout and an event that is not folded yet."""
    line = CartLine(
        variant_id="5773203", quantity=2, unit_price=Decimal("2.62"), currency="EUR", product=Product(title="Oil")
    )
    common = {"visitor_id": "v-1", "session_id": "s-1", "device": "mobile"}
    row = Visitor(visitor_id="v-1")
    events = [
        Identified(id="e-1", time=START_MS, person_id="p-1", **common),
        LineAdded(id="e-2", time=START_MS, sequence=1, line=line, **common),
        CheckoutStep(id="e-3", time=START_MS + MINUTE_MS, step="address", **common),
        LineAdded(id="e-4", time=START_MS + 9 * MINUTE_MS, line=line, **common),
    ]
    detect.arrive(row, events, Detected())
    detect.advance(row, START_MS + 2 * MINUTE_MS, Rules(), Detected())
    return row


def person() -> Person:
    """With a profile, an open episode, a step that was sent and two that wait."""
    row, told = visitor(), Detected()
    detect.advance(row, START_MS + 60 * MINUTE_MS, Rules(), told)
    profile = ProfileUpdated(
        id="pr-1",
        time=START_MS - MINUTE_MS,
        person_id="p-1",
        email="sealed",
        time_zone="Europe/Berlin",
        consents=(Consent(channel="email", purpose="marketing", given=True),),
    )
    signals = [
        *visit_started(),
        *(signal for signal in told.signals if not isinstance(signal, Returning | Emptied)),
    ]
    found, context = Person(person_id="p-1"), Context(campaign=DEFAULT, zones=resolver(None))
    journey.arrive(found, [profile, *signals], Decided())
    journey.advance(found, START_MS + 10 * 60 * MINUTE_MS, context, Decided())
    return found


def recipient() -> Person:
    """The same person with an order that was not paid, a parcel, and messages out, watched and held."""
    found = person()
    told = Messages(
        name="messages",
        version="1",
        by_occasion={
            "placed": Message(template="order-confirmation", channels=("sms", "email")),
            "unpaid": Message(template="payment-reminder", after_ms=60 * MINUTE_MS),
            "shipped": Message(template="shipped", channels=("email", "sms")),
            "estimate_changed": Message(template="estimate-changed"),
        },
    )
    courier = Courier(found, Context(campaign=DEFAULT, zones=resolver(None), messages=told), Decided())
    found.profile = structs.replace(found.profile, phone="sealed", channels=("sms",))
    line = CartLine(variant_id="5773203", quantity=2, unit_price=Decimal("2.62"), product=Product(title="Oil"))
    who = {"person_id": "p-1", "order_id": "o-1"}
    orders.arrive(courier, OrderPlaced(id="o-e1", time=START_MS, lines=(line,), total=Decimal("5.24"), **who))
    (confirmation,) = [item.job for item in found.outstanding.values() if item.job.journey == "placed"]
    answer(courier, confirmation, "accepted")
    parcel: dict[str, Any] = {"parcel_id": PARCEL, "carrier": "dhl", "tracking_number": "JD1", **who}
    at = from_ms(START_MS + MINUTE_MS)
    end = Expected(at=at, earliest=at, latest=at, source="carrier")
    parcels.arrive(courier, Milestone(id="m-1", status="picked_up", at=at, **parcel))
    (shipped,) = [item.job for item in found.outstanding.values() if item.job.journey == "shipped"]
    answer(courier, shipped, "not_accepted")
    parcels.arrive(courier, EstimateChanged(id="m-2", expected=end, previous=at, at=at, **parcel))
    assert sorted(errand.state for errand in found.errands.values()) == ["held", "out", "watched"]
    found.silent["sms"] = START_MS
    return found


def answer(courier: Courier, job: Job, outcome: str) -> None:
    """What became of the job."""
    receipt = receipt_of(job, outcome, at_ms=START_MS, not_before_ms=START_MS + 90 * MINUTE_MS)
    if settle(courier.person, receipt, courier.out):
        courier.receipt_came(receipt)


def visit_started() -> list:
    """The signals that the first part of the visit brought."""
    told, row = Detected(), Visitor(visitor_id="v-1")
    line = CartLine(variant_id="5773203", quantity=2, unit_price=Decimal("2.62"), currency="EUR")
    common = {"visitor_id": "v-1", "session_id": "s-1"}
    events = [
        Identified(id="e-1", time=START_MS, person_id="p-1", **common),
        LineAdded(id="e-2", time=START_MS, sequence=1, line=line, **common),
    ]
    detect.arrive(row, events, told)
    detect.advance(row, START_MS + MINUTE_MS, Rules(), told)
    return [signal for signal in told.signals if not isinstance(signal, Returning | Emptied)]


def written(stage: str) -> bytes:
    """The bytes that the current release writes."""
    row, version = (visitor(), DETECT_VERSION) if stage == "detect" else (recipient(), JOURNEY_VERSION)
    rows = store(stage)
    rows.save("key", row)
    [(_, value)] = rows.take_changed()
    assert value is not None
    assert value[0] == version
    return value


def store(stage: str) -> RowStore:
    if stage == "detect":
        return RowStore(
            Visitor,
            version=DETECT_VERSION,
            older=OLDER_VISITORS,
            waiting=waiting_visitors(),
            deadline=lambda row: row.deadline_ms(Rules()),
            stays_decoded=lambda _: False,
        )
    return RowStore(Person, version=JOURNEY_VERSION, deadline=Person.deadline_ms, stays_decoded=lambda _: False)


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.bin")), ids=lambda file: file.stem)
def test_bytes_of_every_released_version_are_read(file: Path) -> None:
    """To the same row as the current release makes."""
    stage = file.stem.partition(".")[0]
    rows = store(stage)
    rows.restore([(b"key", file.read_bytes())])
    rows.restored()
    read = rows.load("key")
    made = {"detect.v1": visitor, "detect.v2": visitor, "journey.v1": person, "journey.v2": recipient}[file.stem]()
    made.indexed_ms = read.indexed_ms
    if file.stem == "journey.v1":
        made.reserved = {}  # the first release counted none
    assert msgspec.to_builtins(read) == msgspec.to_builtins(made)


def test_an_earlier_version_counts_as_waiting_and_is_written_anew() -> None:
    """Rows at rest tell their kind by their first bytes: by those of today's form."""
    rows = store("detect")
    rows.restore([(b"key", (FOLDER / "detect.v1.bin").read_bytes())])
    rows.restored()
    assert rows.waiting() == {"session_end": 1, FORGET: 0}
    row = rows.load("key")
    rows.save("key", row)
    assert rows.take_changed() == [(b"key", (FOLDER / f"detect.v{DETECT_VERSION}.bin").read_bytes())]


def test_both_stages_have_the_bytes_of_their_current_version() -> None:
    """A new version without golden bytes would go unnoticed."""
    assert (FOLDER / f"detect.v{DETECT_VERSION}.bin").exists()
    assert (FOLDER / f"journey.v{JOURNEY_VERSION}.bin").exists()


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, version in (("detect", DETECT_VERSION), ("journey", JOURNEY_VERSION)):
        target = FOLDER / f"{name}.v{version}.bin"
        if not target.exists():
            target.write_bytes(written(name))
