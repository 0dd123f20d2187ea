"""Events that wait to be folded: what the rules look at, in the order of folding, and no more.

Owns: the kinds that wait, and what is kept of an event. Must not: judge events, or know a row.

Most of a row is what waits, and a row is read and written whenever its visitor does something. So what waits is kept
as arrays without the names of fields, and without what no rule asks for: the visitor, what was looked at, coupons.
Rows hold these arrays: a field is added at the end of a kind and with a default, never to ``Waiting``, whose fields
come before those of all kinds; a tag is never given again.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, ClassVar, Final, Literal

from msgspec import Struct

from postcart.events import shop
from postcart.events.event import time_ms


class Waiting(Struct, frozen=True, gc=False, array_like=True):
    """What all of them have; see ``events.event.Event``.

    Attributes:
        time: Milliseconds since the epoch, UTC.
    """

    RANK: ClassVar[int] = 99
    OF_CART: ClassVar[bool] = False
    """Whether it came from the carts' topic, else from the sessions'."""

    time: int
    sequence: int
    id: str
    session_id: str | None
    device: str | None


class Identified(Waiting, frozen=True, gc=False, tag=0):
    """The visitor is this person."""

    RANK: ClassVar[int] = shop.Identified.RANK
    person_id: str


class Started(Waiting, frozen=True, gc=False, tag=1):
    """A visit began."""

    RANK: ClassVar[int] = shop.SessionStarted.RANK


class Viewed(Waiting, frozen=True, gc=False, tag=2):
    """Something was looked at."""

    RANK: ClassVar[int] = shop.ProductViewed.RANK


class LineSet(Waiting, frozen=True, gc=False, tag=3):
    """A line is in the cart as it says here."""

    RANK: ClassVar[int] = shop.LineAdded.RANK
    OF_CART: ClassVar[bool] = True
    variant_id: str
    quantity: int
    unit_price: Decimal
    currency: str | None
    product: shop.Product | None


class LineRemoved(Waiting, frozen=True, gc=False, tag=4):
    """A line was taken out."""

    RANK: ClassVar[int] = shop.LineRemoved.RANK
    OF_CART: ClassVar[bool] = True
    variant_id: str


class CheckoutStep(Waiting, frozen=True, gc=False, tag=5):
    """The checkout began or went on."""

    RANK: ClassVar[int] = shop.CheckoutStep.RANK


class Heartbeat(Waiting, frozen=True, gc=False, tag=6):
    """The page is still open."""

    RANK: ClassVar[int] = shop.Heartbeat.RANK


class CartCleared(Waiting, frozen=True, gc=False, tag=7):
    """The cart is empty now."""

    RANK: ClassVar[int] = shop.CartCleared.RANK
    OF_CART: ClassVar[bool] = True
    reason: Literal["ordered", "emptied"]


class PageExited(Waiting, frozen=True, gc=False, tag=8):
    """The page was left."""

    RANK: ClassVar[int] = shop.PageExited.RANK


class SessionEnded(Waiting, frozen=True, gc=False, tag=9):
    """The session was ended."""

    RANK: ClassVar[int] = shop.SessionEnded.RANK
    reason: Literal["explicit", "logout"]


class CartSnapshot(Waiting, frozen=True, gc=False, tag=10):
    """All that is in the cart."""

    RANK: ClassVar[int] = shop.CartSnapshot.RANK
    OF_CART: ClassVar[bool] = True
    lines: tuple[shop.CartLine, ...]


class CouponApplied(Waiting, frozen=True, gc=False, tag=11):
    """A coupon was entered."""

    RANK: ClassVar[int] = shop.CouponApplied.RANK
    OF_CART: ClassVar[bool] = True


AnyWaiting = (
    Identified
    | Started
    | Viewed
    | LineSet
    | LineRemoved
    | CheckoutStep
    | Heartbeat
    | CartCleared
    | PageExited
    | SessionEnded
    | CartSnapshot
    | CouponApplied
)


def kept(event: shop.SessionEvents | shop.CartEvents) -> AnyWaiting:
    """What is kept of an event until it is folded."""
    time = event.time
    return _KEPT[event.__class__](event, time if time.__class__ is int else time_ms(event))


def _line(event: shop.LineAdded | shop.LineChanged, at_ms: int) -> LineSet:
    line = event.line
    return LineSet(
        at_ms,
        event.sequence,
        event.id,
        event.session_id,
        event.device,
        line.variant_id,
        line.quantity,
        line.unit_price,
        line.currency,
        line.product,
    )


def _as(kind: Callable[..., AnyWaiting]) -> Callable[[shop.VisitorEvent, int], AnyWaiting]:
    return lambda event, at_ms: kind(at_ms, event.sequence, event.id, event.session_id, event.device)


def _with(kind: Callable[..., AnyWaiting], field: str) -> Callable[[shop.VisitorEvent, int], AnyWaiting]:
    return lambda event, at_ms: kind(
        at_ms, event.sequence, event.id, event.session_id, event.device, getattr(event, field)
    )


_KEPT: Final[dict[type[shop.VisitorEvent], Callable[[Any, int], AnyWaiting]]] = {
    shop.Identified: _with(Identified, "person_id"),
    shop.SessionStarted: _as(Started),
    shop.ProductViewed: _as(Viewed),
    shop.LineAdded: _line,
    shop.LineChanged: _line,
    shop.CartSnapshot: _with(CartSnapshot, "lines"),
    shop.LineRemoved: _with(LineRemoved, "variant_id"),
    shop.CouponApplied: _as(CouponApplied),
    shop.CheckoutStep: _as(CheckoutStep),
    shop.Heartbeat: _as(Heartbeat),
    shop.CartCleared: _with(CartCleared, "reason"),
    shop.PageExited: _as(PageExited),
    shop.SessionEnded: _with(SessionEnded, "reason"),
}
