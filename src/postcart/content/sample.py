"""Made-up jobs and recipients that show what a template can meet.

Owns: the samples of preview, lint and the marketers' page. Must not: be used for anything that is sent.
"""

from decimal import Decimal
from typing import Any

from postcart.content import parcel_samples
from postcart.content.identity import Recipient, ShopIdentity
from postcart.events.jobs import Incentive, Job
from postcart.events.shop import Product
from postcart.events.signals import LineState
from postcart.events.times import HOUR_MS

ARMED_MS = 1_664_634_600_000
"""2022-10-01 14:30 UTC."""

DATE_MS = ARMED_MS + HOUR_MS

SHOP = ShopIdentity(
    name="Lumen & Leaf",
    from_address="hello@lumen-leaf.example",
    reply_to="care@lumen-leaf.example",
    postal_address=("Kastanienallee 12", "10435 Berlin", "Germany"),
    country="DE",
    base_url="https://lumen-leaf.example/",
    cart_url="https://lumen-leaf.example/cart",
    orders_url="https://lumen-leaf.example/orders/{order}",
    tracking_url="https://lumen-leaf.example/track/{carrier}/{number}",
    currency="EUR",
)

INCENTIVES = {
    "default": Incentive(kind="percent", value=Decimal(10), code="LEAF-10-7Q4K"),
    "shipping": Incentive(kind="free_shipping"),
    "amount": Incentive(kind="amount", value=Decimal(5), currency="EUR", code="LEAF-5"),
}

PHONE = "+12025550123"
"""Of the range that belongs to nobody (555-01XX)."""

RECIPIENT = Recipient("ana.muster@example.com", "Ana", "en-GB", "Europe/London")


def _line(variant: str, quantity: int, price: str, product: Product | None) -> LineState:
    return LineState(
        variant_id=variant,
        quantity=quantity,
        changed_ms=ARMED_MS,
        unit_price=Decimal(price),
        currency="EUR",
        product=product,
    )


LINES = (
    _line(
        "5809910",
        2,
        "24.90",
        Product(
            title="Rosehip face oil, cold pressed",
            options="30 ml",
            picture_url="https://img.lumen-leaf.example/5809910.jpg",
            page_url="https://lumen-leaf.example/p/5809910?ref=cart&size=30",
        ),
    ),
    _line("5849033", 1, "1249", Product(title="Oak vanity with mirror <large> & lamp", options="Natural, 120 cm")),
    _line("5700046", 3, "3.05", None),
)


def sample_job(template: str, **changes: Any) -> Job:
    """A job of ``template`` with three lines; ``changes`` replace fields."""
    fields: dict[str, Any] = {
        "job_id": "0b1f3a52-7c33-5f0e-9d1c-2f5f7f0f6a01",
        "person_id": "6c9c5d1e-2b1a-5d43-8a34-0f9d3a1b7c55",
        "episode_id": "a3d0c1b2-1111-5222-8333-444455556666",
        "step": 1,
        "channel": "email",
        "purpose": "marketing",
        "campaign": "cart-reminder",
        "campaign_version": "default",
        "journey": "standard",
        "template": template,
        "armed_ms": ARMED_MS,
        "planned_ms": DATE_MS,
        "due_ms": DATE_MS,
        "not_after_ms": ARMED_MS + 24 * HOUR_MS,
        "incentive": INCENTIVES["default"] if template.endswith("incentive") else None,
        "lines": LINES,
        "value": sum((line.unit_price * line.quantity for line in LINES), Decimal(0)),
        "currency": "EUR",
    }
    return Job(**(fields | changes))


def sample_jobs(template: str, about: frozenset[str] = frozenset({"cart"})) -> dict[str, Job]:
    """The cases that every template must render, by name. ``about``: what it speaks of (TemplateSet.about)."""
    cases: dict[str, Job] = {}
    if "order" in about:
        cases |= parcel_samples.order_jobs(sample_job(template))
    if "parcel" in about:
        cases |= parcel_samples.parcel_jobs(sample_job(template))
    return cases or _cart_jobs(template)


def usual_job(template: str, about: frozenset[str]) -> Job:
    """The case that shows most, for previews."""
    if about & {"order", "parcel"}:
        return next(reversed(sample_jobs(template, about).values()))
    return sample_job(template)


def _cart_jobs(template: str) -> dict[str, Job]:
    many = tuple(_line(str(number), 1, "9.99", Product(title=f"Item {number}")) for number in range(23))
    return {
        "three lines": sample_job(template),
        "one line": sample_job(template, lines=LINES[:1], value=Decimal("49.80")),
        "many lines": sample_job(template, lines=many, value=None),
        "no incentive": sample_job(template, incentive=None),
        "free shipping": sample_job(template, incentive=INCENTIVES["shipping"]),
        "amount": sample_job(template, incentive=INCENTIVES["amount"]),
        "bare": sample_job(template, lines=LINES[2:], value=None, currency=None),
        "transactional": sample_job(template, purpose="transactional"),
    }
