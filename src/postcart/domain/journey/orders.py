"""What becomes of an order: messages when something happens to it, and when something does not.

Owns: which event and which deadline of an order is told, and what it says. Must not: know carts (an order's effect on
them is fold's), choose channels or hold messages up (errands).

Events count as they come, in any order: what an order is, is the union of what was heard of it.
"""

from decimal import Decimal

from msgspec import structs

from postcart.domain.journey.drafts import draft, end_of_telling
from postcart.domain.journey.errands import Courier
from postcart.domain.journey.outcome import Context
from postcart.domain.journey.person import Person
from postcart.domain.journey.shipping import LINES_MOST, ORDER_LIFE_MS, OrderState, order_of, remember_told
from postcart.domain.messages import SUPERSEDES, Occasion
from postcart.events.alerts import Alert, alert_id
from postcart.events.event import moment_ms, time_ms
from postcart.events.ids import namespace_of
from postcart.events.jobs import OrderFacts
from postcart.events.milestones import Cleared, Expected, MilestoneRecord, Registered
from postcart.events.shop import OrderCancelled, OrderEvents, OrderPaid, OrderPlaced, OrderRefunded
from postcart.events.times import DAY_MS, from_ms, to_ms

_EVENTS_MOST = 40


def arrive(courier: Courier, event: OrderEvents) -> None:
    """One event of an order, as it comes. Idempotent. One that is older than an order's life changes nothing."""
    at_ms, context = time_ms(event), courier.context
    if not context.messages.by_occasion or at_ms + ORDER_LIFE_MS <= courier.out.shipping_ms:
        return
    order = order_of(courier.person.orders, event.order_id)
    if event.id in order.events:
        return
    order.events = [*order.events, event.id][-_EVENTS_MOST:]
    order.seen_ms = max(order.seen_ms, at_ms)
    match event:
        case OrderPlaced():
            _placed(courier, order, event)
        case OrderPaid():
            order.paid_ms, order.unpaid_ms = order.paid_ms or at_ms, 0
            courier.supersede(event.order_id, ("unpaid",), at_ms=at_ms, reason="paid")
        case OrderCancelled():
            order.cancelled_ms, order.unpaid_ms, order.unpacked_ms = order.cancelled_ms or at_ms, 0, 0
            courier.supersede(event.order_id, SUPERSEDES["cancelled"], at_ms=at_ms, reason="cancelled")
            _tell(courier, event.order_id, "cancelled", at_ms=at_ms)
        case OrderRefunded():
            _tell(courier, event.order_id, "refunded", event.id, at_ms=at_ms, amount=event.amount)
    _wait_for_parcel(order, context)


def parcel_known(courier: Courier, news: MilestoneRecord) -> None:
    """The order was packed, and is expected at some time."""
    if not courier.context.messages.by_occasion:
        return
    order = order_of(courier.person.orders, news.order_id)
    at_ms = to_ms(news.at)
    order.seen_ms = max(order.seen_ms, at_ms)
    if not isinstance(news, Cleared) and news.expected is not None:
        order.expected = news.expected
    if not isinstance(news, Registered):
        order.lines = ()
    if not order.parcels:
        order.parcels, order.unpacked_ms = True, 0
        courier.supersede(news.order_id, ("unpacked",), at_ms=at_ms)


def fire(courier: Courier, clock_ms: int, *, parcels_ms: int) -> None:
    """What did not happen up to ``clock_ms``, on the shipping clock: no payment, no parcel.

    ``parcels_ms``: TRACK has told of all parcels up to then.
    """
    for order_id, order in courier.person.orders.items():
        if order.unpaid_ms and order.unpaid_ms <= clock_ms:
            due_ms, order.unpaid_ms = order.unpaid_ms, 0
            _tell(courier, order_id, "unpaid", at_ms=due_ms)
        if order.unpacked_ms and order.unpacked_ms <= parcels_ms:
            due_ms, order.unpacked_ms = order.unpacked_ms, 0
            courier.out.alerts.append(_nobody_packs(courier.person, order, order_id, due_ms))
            _tell(courier, order_id, "unpacked", at_ms=due_ms)


def _placed(courier: Courier, order: OrderState, event: OrderPlaced) -> None:
    order.placed_ms = time_ms(event)
    if not order.parcels:
        order.lines, order.more_lines = event.lines[:LINES_MOST], max(0, len(event.lines) - LINES_MOST)
    order.total, order.currency = event.total, event.currency
    order.expected = order.expected or _promised(event)
    if order.cancelled_ms:
        return
    _tell(courier, event.order_id, "placed", at_ms=order.placed_ms)
    unpaid = courier.context.messages.by_occasion.get("unpaid")
    if unpaid is not None and not order.paid_ms:
        order.unpaid_ms = order.placed_ms + unpaid.after_ms


def _wait_for_parcel(order: OrderState, context: Context) -> None:
    """From the payment on there should be a parcel soon."""
    unpacked = context.messages.by_occasion.get("unpacked")
    if unpacked is None or order.parcels or order.cancelled_ms or not order.paid_ms or "unpacked/" in order.told:
        return
    order.unpacked_ms = context.business_days(order.paid_ms + unpacked.after_ms, 0, ())


def _tell(
    courier: Courier,
    order_id: str,
    occasion: Occasion,
    occurrence: str = "",
    *,
    at_ms: int,
    amount: Decimal | None = None,
) -> None:
    """Once for each occurrence, if it is told at all."""
    person, context = courier.person, courier.context
    order = person.orders[order_id]
    message = context.messages.by_occasion.get(occasion)
    if not remember_told(order.told, f"{occasion}/{occurrence}", at_ms) or message is None:
        return
    until_ms = end_of_telling(person, message, at_ms, context)
    job = draft(person, order_id, occasion, message, context, at_ms=at_ms, until_ms=until_ms)
    job = structs.replace(job, order=_facts(order_id, order, context, amount), currency=order.currency)
    courier.begin(message, job, occurrence)


def _facts(order_id: str, order: OrderState, context: Context, amount: Decimal | None) -> OrderFacts:
    return OrderFacts(
        order_id=order_id,
        placed_ms=order.placed_ms or None,
        lines=order.lines,
        more_lines=order.more_lines if order.lines else 0,
        total=order.total,
        amount=amount,
        currency=order.currency or context.currency,
        expected=order.expected,
    )


def _promised(event: OrderPlaced) -> Expected | None:
    if event.promised_at is None:
        return None
    begin_ms = moment_ms(event.promised_at)
    end = from_ms(begin_ms if begin_ms % DAY_MS else begin_ms + DAY_MS)
    return Expected(at=end, earliest=from_ms(begin_ms), latest=end, source="promised")


def _nobody_packs(person: Person, order: OrderState, order_id: str, at_ms: int) -> Alert:
    return Alert(
        alert_id=alert_id(namespace_of(order_id), "not_handed_over"),
        kind="fulfilment_delay",
        dedup_key=f"{order_id}/not_handed_over",
        at=from_ms(at_ms),
        cause="not_handed_over",
        order_id=order_id,
        since=from_ms(order.paid_ms),
        person_id=person.person_id,
    )
