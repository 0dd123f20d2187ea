"""Made-up orders and parcels that show what a template about them can meet.

Owns: these samples. Must not: be used for anything that is sent.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from msgspec import structs

from postcart.events.jobs import Job, OrderFacts, ParcelFacts
from postcart.events.milestones import Expected, Reason
from postcart.events.shipments import ParcelLine, Place
from postcart.events.shop import CartLine

_REASONS: Final[tuple[Reason, ...]] = (
    "address",
    "moved",
    "customs",
    "documents",
    "damaged",
    "lost",
    "weather",
    "payment",
    "refused",
    "unclaimed",
    "other",
)
_DAY: Final = datetime(2022, 10, 6, tzinfo=UTC)
ONE_DAY: Final = Expected(at=_DAY + timedelta(1), earliest=_DAY, latest=_DAY + timedelta(1), source="carrier")
SOME_DAYS: Final = Expected(
    at=_DAY + timedelta(1, hours=9), earliest=_DAY - timedelta(hours=9), latest=_DAY + timedelta(2, 1), source="learned"
)


def order_jobs(sample: Job) -> dict[str, Job]:
    """Orders with more and less known of them, the fullest last. ``sample``: a job about a cart."""
    lines = tuple(
        CartLine(
            variant_id=line.variant_id,
            quantity=line.quantity,
            unit_price=line.unit_price,
            currency=line.currency,
            product=line.product,
        )
        for line in sample.lines
    )
    bare = OrderFacts(order_id="100482")
    full = OrderFacts(
        order_id="100482",
        placed_ms=sample.armed_ms,
        lines=lines,
        total=sample.value,
        currency="EUR",
        expected=SOME_DAYS,
    )
    cases = {
        "bare order": bare,
        "refund": structs.replace(bare, amount=Decimal("24.90"), currency="EUR", placed_ms=sample.armed_ms),
        "one day": structs.replace(full, expected=ONE_DAY, lines=lines[:1]),
        "long id": structs.replace(bare, order_id="e481f51cbdc54678b7cc49136f2d6af7"),
        "many lines": structs.replace(full, lines=lines[:1] * 10, more_lines=7, total=None),
        "order": structs.replace(full, amount=Decimal("24.90")),
    }
    return {name: _about(sample, order=order) for name, order in cases.items()}


def parcel_jobs(sample: Job) -> dict[str, Job]:
    """Parcels in all the states that templates tell apart, the fullest last."""
    bare = ParcelFacts(
        parcel_id="c52b2e3c-0d1e-5f0b-8a57-6a2f3a1b7c55",
        order_id="100482",
        carrier="dhl-express",
        tracking_number="JD0146 0000 3947",
    )
    full = structs.replace(
        bare,
        number=1,
        count=2,
        lines=(
            ParcelLine(variant_id="5809910", quantity=2, title="Rosehip face oil"),
            ParcelLine(variant_id="5700046"),
        ),
        status="in_transit",
        expected=ONE_DAY,
        previous=_DAY - timedelta(hours=30),
        place=Place(site="Schmidt & Sons <large>", city="Berlin", postal_code="10435", country="DE"),
        late=True,
        rule="no_scan",
        level=1,
        since=_DAY - timedelta(3),
    )
    cases = {"bare parcel": structs.replace(bare, expected=ONE_DAY, since=_DAY), "some days": bare}
    cases["some days"] = structs.replace(full, expected=SOME_DAYS, late=False, more_lines=3, rule="estimate")
    cases |= {f"exception {why}": structs.replace(full, status="exception", reason=why) for why in _REASONS}
    cases["returned"] = structs.replace(bare, status="returned", expected=ONE_DAY, since=_DAY)
    cases["not picked up"] = structs.replace(full, rule="no_pickup", status=None, place=None, expected=None)
    cases["at a shop"] = structs.replace(full, status="available_for_pickup")
    cases["parcel"] = full
    return {name: _about(sample, parcel=parcel) for name, parcel in cases.items()}


def _about(sample: Job, **facts: Any) -> Job:
    return structs.replace(
        sample,
        purpose="transactional",
        campaign="messages",
        journey="sample",
        step=0,
        lines=(),
        incentive=None,
        value=None,
        **facts,
    )
