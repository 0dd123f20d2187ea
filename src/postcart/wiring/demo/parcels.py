"""The parcels of the demo's orders, made up: the real events end with the order.

Owns: which way each parcel goes, so that each kind of delay is found and cleared. Must not: decide anything; these are
events like others.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from postcart.events import ids
from postcart.events.shipments import ParcelEstimate, ParcelLine, ParcelRegistered, ParcelStatus, Place
from postcart.events.shop import OrderPaid, OrderPlaced, ShopEvent, order_key, time_ms
from postcart.events.times import DAY_MS, HOUR_MS, MINUTE_MS, from_ms

CARRIER: Final = "demo-post"
_VOCABULARY: Final = "postcart"
_COUNTRY: Final = "US"
"""Where all are sent from; delays count its business days."""


@dataclass(frozen=True, slots=True)
class Way:
    """What becomes of a parcel; hours after its order.

    Attributes:
        title: In words.
        promised_days: What the shop promises: the whole of that day after the order's.
        scans: Status → when.
        estimate: When the carrier says something else, and how many days after the order's day it then expects it.
    """

    title: str
    promised_days: int
    scans: tuple[tuple[str, int], ...]
    estimate: tuple[int, int] | None = None


WAYS: Final = (
    Way("In time", 4, (("picked_up", 11), ("in_transit", 22), ("out_for_delivery", 34), ("delivered", 38))),
    Way("Nobody saw it for three business days", 6, (("picked_up", 10), ("in_transit", 85), ("delivered", 91))),
    Way(
        "Later than promised",
        2,
        (("picked_up", 12), ("in_transit", 30), ("out_for_delivery", 80), ("delivered", 85)),
    ),
    Way("Picked up late", 6, (("picked_up", 81), ("in_transit", 87), ("delivered", 95))),
    Way(
        "The carrier expects it later",
        3,
        (("picked_up", 9), ("in_transit", 31), ("in_transit", 60), ("out_for_delivery", 83), ("delivered", 88)),
        estimate=(21, 4),
    ),
    Way(
        "Nobody at home",
        4,
        (
            ("picked_up", 11),
            ("out_for_delivery", 32),
            ("attempt_failed", 37),
            ("available_for_pickup", 41),
            ("delivered", 60),
        ),
    ),
)
"""One after the other, for the orders of the real events, again and again; for later orders the first alone."""


def made_up_parcels(orders: Sequence[OrderPlaced], *, after_ms: int) -> list[ShopEvent]:
    """Each order is paid and its parcel sent, not earlier than ``after_ms``; by time."""
    events: list[ShopEvent] = []
    for order, way in ways(orders, after_ms=after_ms):
        events += _events(order, way, max(time_ms(order), after_ms))
    return sorted(events, key=order_key)


def ways(orders: Sequence[OrderPlaced], *, after_ms: int) -> Iterator[tuple[OrderPlaced, Way]]:
    """Which way each order's parcel goes."""
    for number, order in enumerate(sorted(orders, key=order_key)):
        yield order, WAYS[number % len(WAYS)] if time_ms(order) <= after_ms else WAYS[0]


def tracking_number(order: OrderPlaced) -> str:
    """The same for the same order."""
    return f"PC{order.order_id.replace('-', '')[:10].upper()}"


def _events(order: OrderPlaced, way: Way, base_ms: int) -> Iterator[ShopEvent]:
    namespace = ids.namespace_of(f"demo-parcel/{order.order_id}")
    number = tracking_number(order)
    yield OrderPaid(
        id=ids.uuid5(namespace, "paid"),
        time=from_ms(base_ms + 5 * MINUTE_MS),
        person_id=order.person_id,
        order_id=order.order_id,
    )
    day_ms = base_ms // DAY_MS * DAY_MS
    yield ParcelRegistered(
        id=ids.uuid5(namespace, "registered"),
        time=from_ms(base_ms + 4 * HOUR_MS),
        carrier=CARRIER,
        tracking_number=number,
        order_id=order.order_id,
        person_id=order.person_id,
        lines=tuple(
            ParcelLine(
                variant_id=line.variant_id,
                quantity=line.quantity,
                title=line.product.title if line.product else None,
            )
            for line in order.lines
        ),
        origin=Place(country=_COUNTRY),
        ordered_at=from_ms(time_ms(order)),
        promised_at=from_ms(day_ms + way.promised_days * DAY_MS),
    )
    if way.estimate:
        said_h, days = way.estimate
        yield ParcelEstimate(
            id=ids.uuid5(namespace, "estimate"),
            time=from_ms(base_ms + said_h * HOUR_MS),
            carrier=CARRIER,
            tracking_number=number,
            estimated_at=from_ms(day_ms + days * DAY_MS),
        )
    for code, hours in way.scans:
        yield ParcelStatus(
            id=ids.uuid5(namespace, f"{code}/{hours}"),
            time=from_ms(base_ms + hours * HOUR_MS),
            carrier=CARRIER,
            tracking_number=number,
            code=code,
            vocabulary=_VOCABULARY,
        )
