"""Events of the shop, as they come on shop.sessions, shop.carts, shop.orders, shop.profiles and shop.catalog.

Owns: their fields, their JSON form (``type`` names the kind) and their order within a visitor. Must not:
know how a payload is framed, or what an event means for a session or a cart.

What all events have is in ``events.event``, parcels are in ``events.shipments``. Money is a decimal, in JSON a text.
Quantities are those that result, never differences.
"""

from decimal import Decimal
from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct

from postcart.events.event import Currency, Id, Quantity, Text
from postcart.events.event import Event as Event  # noqa: PLC0414 -- read as part of this module
from postcart.events.event import order_key as order_key  # noqa: PLC0414 -- the same
from postcart.events.event import time_ms as time_ms  # noqa: PLC0414 -- the same
from postcart.events.shipments import Moment, ShipmentEvents

ChannelName = Annotated[str, Meta(max_length=40)]


class VisitorEvent(Event, frozen=True, gc=False, kw_only=True):
    """An event of shop.sessions or shop.carts. Key: visitor_id. All but ``identified`` are activity."""

    visitor_id: Id
    session_id: Annotated[str, Meta(max_length=200)] | None = None
    device: Annotated[str, Meta(max_length=40)] | None = None


class Identified(VisitorEvent, frozen=True, gc=False, kw_only=True, tag="identified"):
    """The visitor turned out to be this person (login, or an address given)."""

    RANK: ClassVar[int] = 0
    person_id: Id


class SessionStarted(VisitorEvent, frozen=True, gc=False, kw_only=True, tag="started"):
    """The shop saw a visit begin."""

    RANK: ClassVar[int] = 1


class ProductViewed(VisitorEvent, frozen=True, gc=False, kw_only=True, tag="viewed"):
    """A product was looked at. Its price is that of the page and never becomes a cart's."""

    RANK: ClassVar[int] = 2
    variant_id: Id
    category: Text | None = None
    unit_price: Decimal | None = None


class Product(Struct, frozen=True, gc=False, kw_only=True):
    """What a message shows of a variant besides quantity and price."""

    title: Text | None = None
    category: Text | None = None
    picture_url: Text | None = None
    page_url: Text | None = None
    options: Text | None = None


class CartLine(Struct, frozen=True, gc=False, kw_only=True):
    """A variant in a cart with its resulting quantity (0: not in it) and its unit price."""

    variant_id: Id
    quantity: Quantity
    unit_price: Decimal
    currency: Currency | None = None
    product: Product | None = None


class LineAdded(VisitorEvent, frozen=True, gc=False, kw_only=True, tag="added"):
    """A variant was put into the cart; ``line.quantity`` is what is in it now."""

    RANK: ClassVar[int] = 3
    line: CartLine


class LineChanged(VisitorEvent, frozen=True, gc=False, kw_only=True, tag="changed"):
    """Quantity or price of a variant in the cart changed."""

    RANK: ClassVar[int] = 3
    line: CartLine


class CartSnapshot(VisitorEvent, frozen=True, gc=False, kw_only=True, tag="snapshot"):
    """The whole cart as it is now; variants that it does not name are not in it."""

    RANK: ClassVar[int] = 3
    lines: Annotated[tuple[CartLine, ...], Meta(max_length=500)]


class LineRemoved(VisitorEvent, frozen=True, gc=False, kw_only=True, tag="removed"):
    """A variant was taken out of the cart."""

    RANK: ClassVar[int] = 4
    variant_id: Id


class CouponApplied(VisitorEvent, frozen=True, gc=False, kw_only=True, tag="coupon"):
    """A coupon was entered. Ranks beside ``removed``: it touches no line."""

    RANK: ClassVar[int] = 4
    code: Text


class CheckoutStep(VisitorEvent, frozen=True, gc=False, kw_only=True, tag="checkout_step"):
    """A step of the checkout was reached, for example ``address`` or ``payment``."""

    RANK: ClassVar[int] = 5
    step: Text | None = None


class Heartbeat(VisitorEvent, frozen=True, gc=False, kw_only=True, tag="heartbeat"):
    """The page is still open."""

    RANK: ClassVar[int] = 6


class CartCleared(VisitorEvent, frozen=True, gc=False, kw_only=True, tag="cleared"):
    """The whole cart is empty now, because it was ordered or emptied."""

    RANK: ClassVar[int] = 7
    reason: Literal["ordered", "emptied"]


class PageExited(VisitorEvent, frozen=True, gc=False, kw_only=True, tag="exit"):
    """The page was left; the session may go on with the next page."""

    RANK: ClassVar[int] = 8


class SessionEnded(VisitorEvent, frozen=True, gc=False, kw_only=True, tag="ended"):
    """The session was ended explicitly, or by a logout."""

    RANK: ClassVar[int] = 9
    reason: Literal["explicit", "logout"] = "explicit"


class OrderEvent(Event, frozen=True, gc=False, kw_only=True):
    """An event of shop.orders. Key: person_id."""

    person_id: Id
    order_id: Id


class OrderPlaced(OrderEvent, frozen=True, gc=False, kw_only=True, tag="placed"):
    """The person ordered; ``total`` is what is to be paid.

    Attributes:
        promised_at: When the shop says it will arrive; at midnight UTC it is that whole day.
    """

    lines: tuple[CartLine, ...] = ()
    total: Decimal | None = None
    currency: Currency | None = None
    promised_at: Moment | None = None


class OrderPaid(OrderEvent, frozen=True, gc=False, kw_only=True, tag="paid"):
    """The order was paid."""


class OrderCancelled(OrderEvent, frozen=True, gc=False, kw_only=True, tag="cancelled"):
    """The order was cancelled; restores no cart."""


class OrderRefunded(OrderEvent, frozen=True, gc=False, kw_only=True, tag="refunded"):
    """Money of the order was given back."""

    amount: Decimal | None = None


class Consent(Struct, frozen=True, gc=False, kw_only=True):
    """Consent for one channel and purpose, as a profile tells it."""

    channel: Literal["email", "sms", "push", "inapp", "webhook"]
    purpose: Literal["marketing", "transactional"]
    given: bool


class PushSubscription(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """One browser or app of a person that takes push messages.

    Attributes:
        kind: ``web`` (Web Push), ``fcm`` (Firebase Cloud Messaging) or ``apns`` (Apple).
        token: The endpoint's URL of ``web``; the registration token; the device token in hexadecimal.
        p256dh: The user agent's public key of ``web``, ``auth`` its secret: base64url, as ``toJSON()`` has them.
        app: Topic of ``apns``, usually the app's bundle id; None: the configured one.
        since: When it was made. A subscription that was given up and is made again is another one if this differs.
    """

    kind: Literal["web", "fcm", "apns"]
    token: Annotated[str, Meta(min_length=1, max_length=2_000)]
    p256dh: Annotated[str, Meta(max_length=200)] | None = None
    auth: Annotated[str, Meta(max_length=100)] | None = None
    app: Annotated[str, Meta(max_length=200)] | None = None
    since: Moment | None = None


class ProfileUpdated(Event, frozen=True, gc=False, kw_only=True, tag="profile"):
    """All that the shop knows of a person now (shop.profiles, compacted). Key: person_id.

    Attributes:
        time_zone: IANA name; where unknown, the zones of ``country``, then of the shop's country.
        locale: BCP 47 tag, for example ``de-DE``.
        channels: Where the person would rather be written to, the dearest first; empty: no preference.
        push: All browsers and apps that take push messages now.
    """

    person_id: Id
    email: Text | None = None
    phone: Text | None = None
    name: Text | None = None
    locale: Text | None = None
    time_zone: Text | None = None
    country: Annotated[str, Meta(pattern="^[A-Z]{2}$")] | None = None
    tags: tuple[Text, ...] = ()
    consents: tuple[Consent, ...] = ()
    channels: tuple[ChannelName, ...] = ()
    push: Annotated[tuple[PushSubscription, ...], Meta(max_length=20)] = ()


class VariantUpdated(Event, frozen=True, gc=False, kw_only=True, tag="variant"):
    """A variant as the shop sells it now (shop.catalog, compacted). Key: variant_id; the last record counts.

    Attributes:
        currency: Of ``unit_price``; None: the shop's own.
        stock: Pieces that can be sold; 0 is sold out, None is unknown and counts as available.
    """

    variant_id: Id
    unit_price: Decimal
    currency: Currency | None = None
    stock: Quantity | None = None
    product: Product | None = None


SessionEvents = Identified | SessionStarted | ProductViewed | CheckoutStep | Heartbeat | PageExited | SessionEnded
CartEvents = LineAdded | LineChanged | CartSnapshot | LineRemoved | CouponApplied | CartCleared
OrderEvents = OrderPlaced | OrderPaid | OrderCancelled | OrderRefunded
ShopEvent = SessionEvents | CartEvents | OrderEvents | ProfileUpdated | VariantUpdated | ShipmentEvents
"""Every event of the shop: what the importer writes as JSON lines and ``simulate`` and ``replay`` read."""
