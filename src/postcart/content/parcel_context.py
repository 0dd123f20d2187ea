"""What a template can say of an order or a parcel: plain dicts.

Owns: the path from a job's facts to these. Must not: format anything, or hand on what a carrier wrote freely.
"""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from postcart.content.formats import local
from postcart.content.identity import ShopIdentity
from postcart.content.shown import one_line, shown_line
from postcart.events.jobs import OrderFacts, ParcelFacts
from postcart.events.milestones import Expected
from postcart.events.shipments import Place
from postcart.events.times import DAY_MS, to_ms

_SHORT = 4
"""Longer words of a carrier's name are no abbreviations."""
_LAST_MOMENT = timedelta(milliseconds=1)


def order_context(order: OrderFacts, zone: str | None, shop: ShopIdentity) -> dict[str, Any]:
    """The variable ``order``."""
    lines = [shown_line(line) for line in order.lines if line.quantity > 0]
    return {
        "id": one_line(order.order_id),
        "url": _order_url(order.order_id, shop),
        "placed_on": None if order.placed_ms is None else local(order.placed_ms, zone, shop.time_zone),
        "lines": lines,
        "more": order.more_lines,
        "currency": order.currency or shop.currency,
        "total": order.total,
        "amount": order.amount,
        "expected": _expected(order.expected, zone, shop),
    }


def parcel_context(parcel: ParcelFacts, zone: str | None, shop: ShopIdentity) -> dict[str, Any]:
    """The variable ``parcel``."""
    return {
        "carrier": _carrier(parcel.carrier),
        "tracking_number": one_line(parcel.tracking_number),
        "url": _parcel_url(parcel, shop),
        "order_id": one_line(parcel.order_id),
        "number": parcel.number,
        "count": parcel.count,
        "lines": [
            {"id": line.variant_id, "title": one_line(line.title or ""), "quantity": line.quantity}
            for line in parcel.lines
        ],
        "more": parcel.more_lines,
        "status": parcel.status,
        "reason": parcel.reason,
        "attempts": parcel.attempts,
        "place": _place(parcel.place),
        "expected": _expected(parcel.expected, zone, shop),
        "previous": _last_day(parcel.previous, zone, shop) if parcel.previous else None,
        "late": parcel.late,
        "rule": parcel.rule,
        "level": parcel.level,
        "since": local(to_ms(parcel.since), zone, shop.time_zone) if parcel.since else None,
    }


def _expected(expected: Expected | None, zone: str | None, shop: ShopIdentity) -> dict[str, Any] | None:
    """The days from ``from`` to ``until``; of what was promised or is a guess at one moment, both are one."""
    if expected is None:
        return None
    first, last = to_ms(expected.earliest), to_ms(expected.latest)
    if first % DAY_MS or last % DAY_MS:
        begins, ends = local(first, zone, shop.time_zone), _last_day(expected.latest, zone, shop)
    else:  # whole days, which are the same wherever the recipient lives
        begins, ends = expected.earliest, expected.latest - _LAST_MOMENT
    return {
        "from": begins,
        "until": max(begins, ends),
        "one_day": begins.date() >= ends.date(),
        "source": expected.source,
    }


def _last_day(end: datetime, zone: str | None, shop: ShopIdentity) -> datetime:
    """The last moment before the end."""
    if to_ms(end) % DAY_MS == 0:
        return end - _LAST_MOMENT
    return local(to_ms(end) - 1, zone, shop.time_zone)


def _place(place: Place | None) -> str:
    """Where it was seen or can be fetched, as a line; empty: not known."""
    if place is None:
        return ""
    town = " ".join(part for part in (place.postal_code, place.city) if part)
    return one_line(", ".join(part for part in (place.site, town) if part))


def _carrier(name: str) -> str:
    """``dhl-express`` as people read it."""
    words = name.replace("_", "-").replace(".", "-").split("-")
    return " ".join(word.upper() if len(word) <= _SHORT else word.capitalize() for word in words if word)


def _order_url(order_id: str, shop: ShopIdentity) -> str:
    return (shop.orders_url or shop.base_url).replace("{order}", quote(order_id, safe=""))


def _parcel_url(parcel: ParcelFacts, shop: ShopIdentity) -> str:
    if shop.tracking_url is None:
        return _order_url(parcel.order_id, shop)
    url = shop.tracking_url.replace("{order}", quote(parcel.order_id, safe=""))
    return url.replace("{carrier}", quote(parcel.carrier)).replace("{number}", quote(parcel.tracking_number, safe=""))
