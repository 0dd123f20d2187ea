"""What is told of orders and parcels: on which occasion, over which channels, and how long it stays news.

Owns: the model of that configuration, its defaults, and which news makes which older news pointless. Must not: read
files (content.message_file does), or follow an order or a parcel (domain.journey does).
"""

from collections.abc import Mapping
from typing import Final, Literal, get_args

from msgspec import Struct

from postcart.events.jobs import Channel
from postcart.events.milestones import Status
from postcart.events.times import DAY_MS, HOUR_MS, MINUTE_MS

OrderOccasion = Literal["placed", "unpaid", "cancelled", "refunded", "unpacked"]
"""``unpacked``: paid long ago, and no parcel is known."""
ParcelOccasion = Literal[
    "shipped",
    "out_for_delivery",
    "attempt_failed",
    "available_for_pickup",
    "delivered",
    "exception",
    "returned",
    "estimate_changed",
    "delayed",
    "delay_cleared",
]
Occasion = Literal[OrderOccasion, ParcelOccasion]
ORDERS: Final[tuple[OrderOccasion, ...]] = get_args(OrderOccasion)
PARCELS: Final[tuple[ParcelOccasion, ...]] = get_args(ParcelOccasion)

OF_STATUS: Final[Mapping[Status, Occasion]] = {
    "picked_up": "shipped",
    "in_transit": "shipped",
    "out_for_delivery": "out_for_delivery",
    "attempt_failed": "attempt_failed",
    "available_for_pickup": "available_for_pickup",
    "delivered": "delivered",
    "exception": "exception",
    "expired": "exception",
    "returned": "returned",
}
"""Of a parcel that left, carriers say picked up, in transit or both: it is one message."""

TEMPLATES: Final[Mapping[Occasion, str]] = {
    "placed": "order-confirmation",
    "unpaid": "payment-reminder",
    "cancelled": "cancellation",
    "refunded": "refund",
    "unpacked": "delayed",
    "returned": "exception",
}
"""Where the template has another name than the occasion (with hyphens)."""

TOLD_WITHIN_MS: Final[Mapping[Occasion, int]] = {
    "placed": DAY_MS,
    "unpaid": 2 * DAY_MS,
    "cancelled": 3 * DAY_MS,
    "refunded": 7 * DAY_MS,
    "unpacked": 3 * DAY_MS,
    "shipped": 2 * DAY_MS,
    "out_for_delivery": 0,
    "attempt_failed": DAY_MS,
    "available_for_pickup": 5 * DAY_MS,
    "delivered": 3 * DAY_MS,
    "exception": 2 * DAY_MS,
    "returned": 7 * DAY_MS,
    "estimate_changed": DAY_MS,
    "delayed": DAY_MS,
    "delay_cleared": DAY_MS,
}
"""How long it is worth telling; 0: until the end of that day where the recipient lives."""


class Message(Struct, frozen=True, gc=False, kw_only=True):
    """What is told on one occasion.

    Attributes:
        channels: Over one of them: by the person's preference, else in this order.
        also: Over each of these besides, where it is possible.
        until_ms: Not told later than this after it happened; 0: until the end of that day.
        after_ms: Of what falls due when nothing happens: how long nothing has to happen.
        priority: Who goes first where messages queue up.
    """

    template: str
    channels: tuple[Channel, ...] = ("email",)
    also: tuple[Channel, ...] = ()
    until_ms: int = DAY_MS
    after_ms: int = 0
    priority: int = 50


class Messages(Struct, frozen=True, gc=False, kw_only=True):
    """All that is told of orders and parcels. ``version`` is a digest of its text.

    Attributes:
        by_occasion: What is not in it is not told.
        reporting: Channels whose providers say that a message arrived.
        fallback_ms: After ``accepted``, without word that it arrived: the next channel's turn; 0: never.
        leave_ms: Not accepted for so long: the next channel's turn; 0: never.
    """

    name: str
    version: str
    by_occasion: Mapping[Occasion, Message]
    reporting: tuple[Channel, ...] = ("sms",)
    fallback_ms: int = 10 * MINUTE_MS
    leave_ms: int = 30 * MINUTE_MS


SILENT: Final = Messages(name="messages", version="none", by_occasion={})
"""Nothing is told: where no file says what is."""

_AFTER_MS: Final[Mapping[Occasion, int]] = {"unpaid": DAY_MS, "unpacked": 72 * HOUR_MS}


def default_message(occasion: Occasion) -> Message:
    """What an occasion has where its entry names nothing."""
    return Message(
        template=TEMPLATES.get(occasion, occasion.replace("_", "-")),
        until_ms=TOLD_WITHIN_MS[occasion],
        after_ms=_AFTER_MS.get(occasion, 0),
    )


_MILESTONES: Final = frozenset(OF_STATUS.values())
SUPERSEDES: Final[Mapping[Occasion, frozenset[Occasion]]] = {
    **{occasion: _MILESTONES | {"estimate_changed", "delayed", "delay_cleared"} for occasion in _MILESTONES},
    "estimate_changed": frozenset({"estimate_changed", "delay_cleared"}),
    "delayed": frozenset({"delayed", "delay_cleared"}),
    "delay_cleared": frozenset({"delayed", "delay_cleared"}),
    "cancelled": frozenset({"placed", "unpaid", "unpacked"}),
}
"""News of the same parcel or order that this makes pointless, as far as no sender has begun to send it."""
