"""What JOURNEY keeps of a person's orders, parcels and messages on their way: parts of the person's row.

Owns: these shapes, their bounds, and when they are forgotten or looked at. Must not: decide anything from them.

Their deadlines go by the *shipping clock*, that of orders, profiles, milestones and receipts: nothing about a parcel
waits for carts.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final, Literal, TypeVar

from msgspec import Struct, field

from postcart.events.jobs import Channel, Job
from postcart.events.milestones import DelayRule, Expected
from postcart.events.shop import CartLine
from postcart.events.times import DAY_MS

ORDER_LIFE_MS: Final = 31 * DAY_MS
"""After its last event an order is forgotten; an event older than that creates nothing."""
PARCEL_LIFE_MS: Final = 121 * DAY_MS
"""A day longer than TRACK's row: what unites several statuses is to be told once, however far they are apart."""
LINES_MOST: Final = 10
_ORDERS_MOST = 30
_PARCELS_MOST = 50
_TOLD_MOST = 60


class Errand(Struct, gc=False, kw_only=True, omit_defaults=True):
    """One message to one person, on its way over one channel after another.

    Attributes:
        job: As it was emitted last; before that a draft, whose channel and id are not its own yet.
        occurrence: Of its occasion.
        rest: Channels that may still be tried, in order.
        state: ``unknown``: no profile was read yet; ``held``: behind another; ``out``: with a sender, or to be sent
            again; ``leaving``: stopped, for the next channel; ``watched``: accepted, and nobody said that it arrived.
        due_ms: When it is looked at next; 0: never.
        former: Jobs on channels that were left.
        stopped: For good: by newer news.
        arrived: A provider said so, before its own receipt.
        delay: Of a delay and its clearing: which it is.
    """

    job: Job
    occurrence: str = ""
    rest: tuple[Channel, ...] = ()
    state: Literal["unknown", "held", "out", "leaving", "watched"] = "unknown"
    due_ms: int = 0
    former: tuple[str, ...] = ()
    stopped: bool = False
    arrived: bool = False
    delay: DelayRule | None = None

    @property
    def about(self) -> str:
        """The parcel, the order or the episode."""
        return self.job.episode_id


class ParcelState(Struct, gc=False, kw_only=True, omit_defaults=True):
    """A parcel's incarnation. ``told``: when what happened that was told, by "occasion/occurrence"."""

    seen_ms: int = 0
    told: dict[str, int] = field(default_factory=dict)


class OrderState(Struct, gc=False, kw_only=True, omit_defaults=True):
    """An order.

    Attributes:
        seen_ms: Time of its latest event.
        events: Ids of those taken in.
        lines: As to be shown; dropped once a parcel is known.
        expected: At the best of what was heard.
        placed_ms, paid_ms, cancelled_ms: 0: not heard of.
        unpaid_ms: When the payment is missed; ``unpacked_ms``: when the parcel is; 0: not waited for.
        parcels: There are some.
        told: As of a parcel.
    """

    seen_ms: int = 0
    events: list[str] = field(default_factory=list)
    lines: tuple[CartLine, ...] = ()
    more_lines: int = 0
    total: Decimal | None = None
    currency: str | None = None
    expected: Expected | None = None
    placed_ms: int = 0
    paid_ms: int = 0
    cancelled_ms: int = 0
    unpaid_ms: int = 0
    unpacked_ms: int = 0
    parcels: bool = False
    told: dict[str, int] = field(default_factory=dict)


S = TypeVar("S", OrderState, ParcelState)
Orders = dict[str, OrderState]
Parcels = dict[str, ParcelState]
Errands = dict[str, Errand]
"""By order, by parcel, and by "about/occasion/occurrence/lead channel"."""


def order_of(orders: Orders, order_id: str) -> OrderState:
    """The order's state, new if there was none; of too many the one goes that was heard of least recently."""
    return _of(orders, order_id, OrderState, _ORDERS_MOST)


def parcel_of(parcels: Parcels, parcel_id: str) -> ParcelState:
    """The parcel's state, likewise."""
    return _of(parcels, parcel_id, ParcelState, _PARCELS_MOST)


def remember_told(told: dict[str, int], key: str, at_ms: int) -> bool:
    """Take note that this is told now; False if it was before."""
    if key in told:
        return False
    told[key] = at_ms
    if len(told) > _TOLD_MOST:
        del told[next(iter(told))]
    return True


def forget(orders: Orders, parcels: Parcels, clock_ms: int) -> None:
    """Drop what is old enough."""
    for order_id in [key for key, order in orders.items() if order.seen_ms + ORDER_LIFE_MS <= clock_ms]:
        del orders[order_id]
    for parcel_id in [key for key, parcel in parcels.items() if parcel.seen_ms + PARCEL_LIFE_MS <= clock_ms]:
        del parcels[parcel_id]


def forgotten_ms(orders: Orders, parcels: Parcels) -> Iterable[int]:
    """When they may be."""
    yield from (order.seen_ms + ORDER_LIFE_MS for order in orders.values())
    yield from (parcel.seen_ms + PARCEL_LIFE_MS for parcel in parcels.values())


def deadlines_ms(orders: Mapping[str, Any], errands: Mapping[str, Any]) -> Iterable[int]:
    """When one of them is to be looked at, by the shipping clock. Takes outlines of them as well."""
    yield from (order.unpaid_ms for order in orders.values() if order.unpaid_ms)
    yield from (errand.due_ms for errand in errands.values() if errand.due_ms)


def unpacked_ms(orders: Mapping[str, Any]) -> Iterable[int]:
    """When an order should be packed at the latest, looked at once TRACK has told of all parcels up to then."""
    yield from (order.unpacked_ms for order in orders.values() if order.unpacked_ms)


def _of(states: dict[str, S], key: str, new: type[S], most: int) -> S:
    state = states.get(key)
    if state is None:
        state = states[key] = new()
        if len(states) > most:
            del states[min((one for one in states if one != key), key=lambda one: states[one].seen_ms)]
    return state
