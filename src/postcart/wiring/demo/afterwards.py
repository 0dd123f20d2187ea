"""What the demo makes up: the days after the real events, which end after 69 minutes.

Owns: who does what then, so that each reason for which a reminder stops is seen. Must not: decide anything; these are
events like others.
"""

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Final
from uuid import UUID

from postcart.events import ids
from postcart.events.decisions import AbandonmentDecided, Decision, StepDue
from postcart.events.shop import (
    CartCleared,
    CartLine,
    Consent,
    Identified,
    LineAdded,
    LineRemoved,
    OrderPlaced,
    ProductViewed,
    ProfileUpdated,
    ShopEvent,
    time_ms,
)
from postcart.events.times import DAY_MS, HOUR_MS, MINUTE_MS, to_ms
from postcart.wiring.demo.people import made_up

_ORDER_ELSEWHERE: Final = 6
_COME_BACK_AND_BUY: Final = 4
_LOOK_AGAIN: Final = 5
_EMPTY: Final = 3
_BUY_AND_LEAVE_ANOTHER: Final = 2
_ON_ANOTHER_DEVICE: Final = 3
_SIGN_UP: Final = 2
_NAMESPACE: Final = UUID(ids.uuid5(ids.POSTCART, "demo"))


def made_up_visits(real: Sequence[ShopEvent], decided: Sequence[Decision]) -> list[ShopEvent]:
    """Events after the real ones, by time. ``decided`` says whose carts were left behind by then."""
    last_ms = max(map(time_ms, real))
    left: dict[str, AbandonmentDecided] = {}
    for item in decided:
        if isinstance(item, AbandonmentDecided):
            left[item.person_id or item.visitor_id] = item
    reminded = {item.person_id: to_ms(item.at) for item in decided if isinstance(item, StepDue) and item.step == 1}
    carts = sorted(left.values(), key=lambda item: item.abandonment_id)
    known = iter([_Cart(item, reminded[item.person_id]) for item in carts if item.person_id in reminded])
    unknown = iter([_Cart(item, last_ms + 30 * HOUR_MS) for item in carts if item.person_id is None])
    events: list[ShopEvent] = []
    for _, cart in zip(range(_ORDER_ELSEWHERE), known, strict=False):
        events += cart.orders(cart.reminded_ms + 70 * MINUTE_MS)
    for _, cart in zip(range(_COME_BACK_AND_BUY), known, strict=False):
        events += cart.comes_back_and_buys(cart.reminded_ms + 25 * MINUTE_MS)
    for _, cart in zip(range(_LOOK_AGAIN), known, strict=False):
        events += cart.looks_again(cart.reminded_ms + 8 * HOUR_MS)
    for _, cart in zip(range(_EMPTY), known, strict=False):
        events += cart.empties(cart.reminded_ms + 3 * HOUR_MS)
    for _, cart in zip(range(_BUY_AND_LEAVE_ANOTHER), known, strict=False):
        events += cart.orders(cart.reminded_ms + 2 * HOUR_MS)
        events += cart.fills_anew(cart.reminded_ms + DAY_MS)
    for _, cart in zip(range(_ON_ANOTHER_DEVICE), known, strict=False):
        events += cart.on_another_device(cart.reminded_ms + 90 * MINUTE_MS)
    for _, cart in zip(range(_SIGN_UP), unknown, strict=False):
        events += cart.signs_up(cart.reminded_ms)
    return sorted((event for event in events if time_ms(event) > last_ms), key=lambda event: (time_ms(event), event.id))


class _Cart:
    """A cart that was left behind, and what its owner may do later. Times are milliseconds since the epoch."""

    def __init__(self, left: AbandonmentDecided, reminded_ms: int) -> None:
        self._left = left
        self._person = left.person_id or ids.uuid5(_NAMESPACE, left.visitor_id)
        self._visitor = left.visitor_id
        self._session = f"demo-{left.abandonment_id}"
        self._numbers = count(1)
        self.reminded_ms = reminded_ms

    def orders(self, at_ms: int) -> Iterator[ShopEvent]:
        """By telephone: no visit tells of it."""
        lines = tuple(
            CartLine(variant_id=line.variant_id, quantity=line.quantity, unit_price=line.unit_price, currency=currency)
            for line in self._left.lines
            if (currency := self._left.currency)
        )
        yield OrderPlaced(
            id=self._id(),
            time=at_ms,
            person_id=self._person,
            order_id=self._id(),
            lines=lines,
            total=self._left.value,
            currency=self._left.currency,
        )

    def comes_back_and_buys(self, at_ms: int) -> Iterator[ShopEvent]:
        """A visit that ends in an order."""
        yield from self._views(at_ms, self._visitor)
        yield CartCleared(
            id=self._id(),
            time=at_ms + 6 * MINUTE_MS,
            visitor_id=self._visitor,
            session_id=self._session,
            reason="ordered",
        )
        yield from self.orders(at_ms + 6 * MINUTE_MS)

    def looks_again(self, at_ms: int) -> Iterator[ShopEvent]:
        """A visit that changes nothing."""
        yield from self._views(at_ms, self._visitor)

    def empties(self, at_ms: int) -> Iterator[ShopEvent]:
        """A visit that takes every line out."""
        yield from self._views(at_ms, self._visitor)
        for number, line in enumerate(self._left.lines, 1):
            yield LineRemoved(
                id=self._id(),
                time=at_ms + MINUTE_MS + number * 1_000,
                visitor_id=self._visitor,
                session_id=self._session,
                variant_id=line.variant_id,
            )

    def fills_anew(self, at_ms: int) -> Iterator[ShopEvent]:
        """Another cart is left behind, soon after a sequence ended."""
        line = self._left.lines[0]
        yield LineAdded(
            id=self._id(),
            time=at_ms,
            visitor_id=self._visitor,
            session_id=f"{self._session}-anew",
            line=CartLine(
                variant_id=line.variant_id, quantity=2, unit_price=line.unit_price, currency=self._left.currency
            ),
        )

    def on_another_device(self, at_ms: int) -> Iterator[ShopEvent]:
        """A login elsewhere, and a look around."""
        visitor = f"{self._visitor}-phone"
        yield Identified(
            id=self._id(), time=at_ms, visitor_id=visitor, session_id=self._session, person_id=self._person
        )
        yield from self._views(at_ms + 1_000, visitor)

    def signs_up(self, at_ms: int) -> Iterator[ShopEvent]:
        """Somebody unknown gives an address, outside of any visit."""
        yield made_up(
            ProfileUpdated(
                id=self._id(),
                time=at_ms,
                person_id=self._person,
                email=f"{self._person[:8]}@shop.example",
                consents=(Consent(channel="email", purpose="marketing", given=True),),
            )
        )
        yield Identified(id=self._id(), time=at_ms + 1_000, visitor_id=self._visitor, person_id=self._person)

    def _views(self, at_ms: int, visitor: str) -> Iterator[ShopEvent]:
        for number, line in enumerate(self._left.lines[:3]):
            yield ProductViewed(
                id=self._id(),
                time=at_ms + number * 20_000,
                visitor_id=visitor,
                session_id=self._session,
                variant_id=line.variant_id,
                unit_price=line.unit_price,
            )

    def _id(self) -> str:
        return ids.uuid5(UUID(self._left.abandonment_id), f"demo/{next(self._numbers)}")
