"""The abandonment rule: a session that ended with lines in the visitor's cart, and its tags.

Owns: what an abandonment shows. Must not: decide when a session ends.
"""

from decimal import Decimal

from postcart.domain.campaign import in_season
from postcart.domain.detect.cart import filled
from postcart.domain.detect.rules import Rules
from postcart.domain.detect.visitor import TRIGGERS, Session, Visitor
from postcart.events.signals import Abandonment, LineState, Tags
from postcart.events.times import SECOND_MS


def abandonment_of(
    visitor: Visitor, session: Session, rules: Rules, *, end_id: str, end_ms: int, trigger: int
) -> Abandonment | None:
    """The abandonment that this end of ``session`` is, or None: there is nothing in the cart."""
    lines = filled(visitor)
    if not lines:
        return None
    value, currency = value_of(lines, rules.currency)
    return Abandonment(
        abandonment_id=end_id,
        visitor_id=visitor.visitor_id,
        person_id=visitor.person_id,
        session_id=session.last_session_id,
        trigger=TRIGGERS[trigger],
        abandoned_ms=end_ms,
        lines=lines,
        value=value,
        currency=currency,
        tags=Tags(
            duration_s=(end_ms - session.started_ms) // SECOND_MS,
            value_band=None if value is None else rules.band(value),
            stage="checkout" if session.checkout_ms else "cart",
            device=session.device,
            category=_category(lines),
            peak=in_season(rules.seasons, end_ms),
        ),
    )


def value_of(lines: tuple[LineState, ...], default_currency: str) -> tuple[Decimal | None, str | None]:
    """Sum of quantity times unit price, and its currency; (None, None) where the lines have several currencies."""
    currencies = {line.currency or default_currency for line in lines}
    if len(currencies) != 1:
        return None, None
    return sum((line.quantity * line.unit_price for line in lines), Decimal(0)), currencies.pop()


def _category(lines: tuple[LineState, ...]) -> str | None:
    """The category with most value, ties by id; None where no line has one."""
    worth: dict[str, Decimal] = {}
    for line in lines:
        if line.product and line.product.category:
            category = line.product.category
            worth[category] = worth.get(category, Decimal(0)) + line.quantity * line.unit_price
    return min(worth, key=lambda category: (-worth[category], category)) if worth else None
