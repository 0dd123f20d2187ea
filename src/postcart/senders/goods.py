"""Stock and price, looked at once more just before a message goes out (spec 4.9).

Owns: which lines of a cart message stay and at which price. Must not: know how a catalogue is kept, or decide whether
the message goes out.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from msgspec import structs

from postcart.domain.detect.abandonment import value_of
from postcart.events.decisions import RuleSaid
from postcart.events.jobs import Job
from postcart.events.signals import LineState

_SHOWN = 5
"""Lines that a decision names; what it has to say must stay short."""


class Variant(NamedTuple):
    """A variant as the shop sells it now."""

    unit_price: Decimal
    currency: str | None
    """None: the shop's own."""
    stock: int | None
    """None: unknown, which counts as available."""


class Goods(NamedTuple):
    """A job as it may be sent now, and what the two rules said."""

    job: Job
    """Without lines if nothing can be bought any more."""
    stock: RuleSaid
    price: RuleSaid


def look_again(job: Job, variants: Mapping[str, Variant], *, currency: str) -> Goods:
    """Drop lines that are sold out, take over changed prices, and add the cart up again. Pure and idempotent.

    A variant that the catalogue does not know stays as it is; so does a price in another currency, and one that the
    catalogue gives as nothing or less: that is no price.

    Args:
        job: With the lines and prices of the moment at which it was planned.
        variants: What the catalogue says about its lines.
        currency: Of whoever names none.
    """
    sold_out: list[str] = []
    repriced: dict[str, str] = {}
    kept: list[LineState] = []
    for line in job.lines:
        variant = variants.get(line.variant_id)
        if variant is not None and variant.stock is not None and variant.stock <= 0:
            sold_out.append(line.variant_id)
            continue
        if variant is not None and _costs_otherwise(line, variant, currency):
            repriced[line.variant_id] = f"{line.unit_price} -> {variant.unit_price}"
            line = structs.replace(line, unit_price=variant.unit_price)  # noqa: PLW2901 -- the same line
        kept.append(line)
    if sold_out or repriced:
        lines = tuple(kept)
        value, of = value_of(lines, currency) if lines else (None, job.currency)
        job = structs.replace(job, lines=lines, value=value, currency=of)
    return Goods(job, _stock(sold_out, kept), _price(repriced))


def _costs_otherwise(line: LineState, variant: Variant, currency: str) -> bool:
    same = (line.currency or currency) == (variant.currency or currency)
    return same and variant.unit_price > 0 and variant.unit_price != line.unit_price


def _stock(sold_out: list[str], kept: list[LineState]) -> RuleSaid:
    if not sold_out:
        return RuleSaid("stock", "pass")
    inputs = {"sold_out": ", ".join(sold_out[:_SHOWN]), "lines_left": str(len(kept))}
    return RuleSaid("stock", "change" if kept else "stop", inputs)


def _price(repriced: dict[str, str]) -> RuleSaid:
    if not repriced:
        return RuleSaid("price", "pass")
    return RuleSaid("price", "change", dict(list(repriced.items())[:_SHOWN]))
