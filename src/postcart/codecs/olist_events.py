"""Olist orders as shop events: who ordered what, and the parcel that brought it.

Owns: the import rules. Must not: read files (olist).

The rules, exactly: an order is ``placed`` at its purchase, ``paid`` at its approval, ``cancelled`` (canceled and
unavailable ones) at the last time known of it. Its parcel, carrier ``olist``, the order's id as number, is registered
at the approval, else at the purchase; one that was cancelled before the carrier had it has none. ``picked_up`` and
``delivered`` are in the words of ``postcart``. Of several sellers of an order the data knows one parcel: it comes from
the first. Persons are made up from ``customer_unique_id``; all ids are uuid5 over the order, so an import can be
repeated.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from operator import itemgetter
from uuid import UUID

from postcart.codecs.olist import OlistOrder
from postcart.events import ids
from postcart.events.shipments import ParcelLine, ParcelRegistered, ParcelStatus, Place
from postcart.events.shop import (
    CartLine,
    OrderCancelled,
    OrderPaid,
    OrderPlaced,
    ProfileUpdated,
    ShopEvent,
    order_key,
)
from postcart.events.times import from_ms

CARRIER = "olist"
COUNTRY = "BR"
CURRENCY = "BRL"
_GIVEN_UP = frozenset({"canceled", "unavailable"})


def registration(order: OlistOrder, person_id: str = "-") -> ParcelRegistered:
    """The order's parcel as the shop knows it at the purchase; deterministic."""
    pieces = Counter(item.product_id for item in order.items)
    return ParcelRegistered(
        id=_id(order, "registered"),
        time=from_ms(order.purchased_ms if order.approved_ms is None else order.approved_ms),
        carrier=CARRIER,
        tracking_number=order.order_id,
        order_id=order.order_id,
        person_id=person_id,
        lines=tuple(ParcelLine(variant_id=product, quantity=count) for product, count in pieces.items()),
        origin=Place(country=COUNTRY, site=order.items[0].seller_id) if order.items else Place(country=COUNTRY),
        destination=Place(country=COUNTRY, region=order.state or None, city=order.city or None),
        ordered_at=from_ms(order.purchased_ms),
        promised_at=None if order.estimated_ms is None else from_ms(order.estimated_ms),
        freight=sum((item.freight for item in order.items), Decimal(0)) if order.items else None,
    )


def olist_events(orders: Sequence[OlistOrder], *, tenant: UUID, identity_key: bytes) -> Iterator[ShopEvent]:
    """All events, by time."""
    events: list[tuple[tuple[int, int, int, str], ShopEvent]] = []
    profiled: set[str] = set()
    for number, order in enumerate(orders, start=1):
        person_id = ids.person_id(tenant, identity_key, order.customer_id)
        if person_id not in profiled:
            profiled.add(person_id)
            profile = _profile(order, person_id, number)
            events.append((order_key(profile), profile))
        events += [(order_key(event), event) for event in _order_events(order, person_id, number)]
        events += [(order_key(event), event) for event in _parcel_events(order, person_id)]
    events.sort(key=itemgetter(0))
    for _, event in events:
        yield event


def _profile(order: OlistOrder, person_id: str, number: int) -> ProfileUpdated:
    return ProfileUpdated(
        id=_id(order, "profile"),
        time=from_ms(order.purchased_ms),
        sequence=number,
        person_id=person_id,
        email=f"customer-{order.customer_id}@shop.example",
        locale="pt-BR",
        time_zone="America/Sao_Paulo",
        country=COUNTRY,
    )


def _order_events(order: OlistOrder, person_id: str, number: int) -> Iterator[ShopEvent]:
    who = {"person_id": person_id, "order_id": order.order_id}
    quantities = Counter((item.product_id, item.price) for item in order.items)
    yield OrderPlaced(
        id=_id(order, "placed"),
        time=from_ms(order.purchased_ms),
        sequence=number,
        person_id=person_id,
        order_id=order.order_id,
        lines=tuple(
            CartLine(variant_id=product, quantity=count, unit_price=price, currency=CURRENCY)
            for (product, price), count in quantities.items()
        ),
        total=sum((item.price + item.freight for item in order.items), Decimal(0)) if order.items else None,
        currency=CURRENCY,
        promised_at=None if order.estimated_ms is None else from_ms(order.estimated_ms),
    )
    if order.approved_ms is not None:
        yield OrderPaid(id=_id(order, "paid"), time=from_ms(order.approved_ms), sequence=number, **who)
    if order.status in _GIVEN_UP:
        known = (order.purchased_ms, order.approved_ms, order.carrier_ms, order.delivered_ms)
        last_ms = max(moment for moment in known if moment is not None)
        yield OrderCancelled(id=_id(order, "cancelled"), time=from_ms(last_ms), sequence=number + len(known), **who)


def _parcel_events(order: OlistOrder, person_id: str) -> Iterator[ShopEvent]:
    if order.status in _GIVEN_UP and order.carrier_ms is None:
        return
    yield registration(order, person_id)
    for code, at_ms in (("picked_up", order.carrier_ms), ("delivered", order.delivered_ms)):
        if at_ms is not None:
            yield ParcelStatus(
                id=_id(order, code),
                time=from_ms(at_ms),
                carrier=CARRIER,
                tracking_number=order.order_id,
                code=code,
                vocabulary="postcart",
            )


def _id(order: OlistOrder, what: str) -> str:
    return ids.uuid5(ids.namespace_of(f"olist/{order.order_id}"), what)
