"""Everything that JOURNEY says on a finished history, whys included.

Owns: running both stages' rules over a few events. Must not: assert.
"""

from collections.abc import Iterable
from typing import Any

from oracle import Campaign
from postcart.domain.detect import fold as detect
from postcart.domain.detect.outcome import Detected
from postcart.domain.detect.rules import Rules
from postcart.domain.detect.visitor import FOR_EVER, Visitor
from postcart.domain.journey import fold as journey
from postcart.domain.journey.outcome import Decided
from postcart.domain.journey.person import Person
from postcart.events.decisions import DecisionRecord
from postcart.events.shop import OrderEvents, ProfileUpdated
from postcart.events.signals import Emptied, Returning
from side_by_side import context, typed

PERSON, VISITOR, PHONE = "person-1", "5e0c2f5e-6f0c-4a53-9f2e-0d8c7f1a9b01", "phone-1"


def told(events: Iterable[dict[str, Any]], campaign: Campaign | None = None) -> list[DecisionRecord]:
    """Records of the topic ``decisions`` about ``PERSON``, in their order; every job counts as sent."""
    campaign = campaign or Campaign()
    visitors: dict[str, list[Any]] = {}
    happenings: list[Any] = []
    for event in typed(events):
        if isinstance(event, OrderEvents | ProfileUpdated):
            happenings.append(event)
        else:
            visitors.setdefault(event.visitor_id, []).append(event)
    for visitor_id, arrivals in visitors.items():
        visitor, detected = Visitor(visitor_id=visitor_id), Detected()
        detect.arrive(visitor, arrivals, detected)
        detect.advance(visitor, FOR_EVER, Rules(seasons=campaign.peaks), detected)
        happenings += [signal for signal in detected.signals if not isinstance(signal, Returning | Emptied)]
    person, decided = Person(person_id=PERSON), Decided()
    journey.arrive(person, happenings, decided)
    journey.advance(person, FOR_EVER - 1, context(campaign), decided)
    return decided.records


def profile(**fields: Any) -> dict[str, Any]:
    """A profile with an address and consent."""
    consents = [{"channel": "email", "purpose": "marketing", "given": True}]
    base = {"type": "profile", "id": "profile-1", "time": "2026-06-01T00:00:00Z", "person_id": PERSON}
    return base | {"email": "a@shop.example", "time_zone": "Europe/Berlin", "consents": consents} | fields


def visit(at: str, *, visitor: str = VISITOR, price: str = "30", number: int = 1) -> list[dict[str, Any]]:
    """Somebody who is known puts a shirt into the cart at ``at`` and leaves."""
    base = {"time": at, "visitor_id": visitor, "session_id": f"{visitor}-{number}"}
    line = {"variant_id": "shirt", "quantity": 1, "unit_price": price, "currency": "EUR"}
    return [
        base | {"type": "identified", "id": f"i-{visitor}-{number}", "person_id": PERSON},
        base | {"type": "added", "id": f"a-{visitor}-{number}", "line": line},
    ]
