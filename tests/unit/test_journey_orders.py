"""What is told of an order: once, in whatever order its events come; and what is told when nothing happens."""

from decimal import Decimal
from random import Random
from typing import Any

from postcart.domain.journey import shipping
from postcart.domain.messages import default_message
from postcart.events.shop import CartLine, OrderCancelled, OrderPaid, OrderPlaced, OrderRefunded
from postcart.events.times import DAY_MS, HOUR_MS, from_ms
from rounds import MONDAY, Round, cleared, expected, hours, messages, milestone, on, profile, registration, told_of

LINE = CartLine(variant_id="shirt", quantity=2, unit_price=Decimal("24.90"))


def placed(at_ms: int = MONDAY, **fields: Any) -> OrderPlaced:
    known: dict[str, Any] = {"lines": (LINE,), "total": Decimal("49.80"), "currency": "EUR"}
    return OrderPlaced(id="e-placed", time=at_ms, person_id="p-1", order_id="o-1", **(known | fields))


def paid(at_ms: int) -> OrderPaid:
    return OrderPaid(id="e-paid", time=at_ms, person_id="p-1", order_id="o-1")


def cancelled(at_ms: int) -> OrderCancelled:
    return OrderCancelled(id="e-cancelled", time=at_ms, person_id="p-1", order_id="o-1")


def refunded(at_ms: int, amount: str = "49.80", name: str = "e-refunded") -> OrderRefunded:
    return OrderRefunded(id=name, time=at_ms, person_id="p-1", order_id="o-1", amount=Decimal(amount))


def test_an_order_is_confirmed_by_email_and_sms() -> None:
    """Each once, with what was ordered and when it is expected."""
    round_ = Round(messages({"placed": on(default_message("placed"), also=("sms",))}))
    jobs = round_.hear(placed(promised_at=hours(96)))
    assert told_of(jobs) == [("placed", "email"), ("placed", "sms")]
    assert {job.template for job in jobs} == {"order-confirmation"}
    facts = jobs[0].order
    assert facts is not None
    assert (facts.order_id, facts.placed_ms, facts.lines, facts.total) == ("o-1", MONDAY, (LINE,), Decimal("49.80"))
    assert facts.expected is not None
    assert (facts.expected.source, facts.expected.latest) == ("promised", from_ms(hours(120)))
    assert round_.hear(placed()) == []


def test_the_parcel_may_be_faster_than_the_order() -> None:
    """Then the confirmation has what the carrier, or the shop's own history, expects."""
    round_ = Round()
    round_.hear(registration(hours(-1), expected=expected(hours(50))))
    (job,) = round_.hear(placed(promised_at=hours(96)))
    assert job.order is not None
    assert job.order.expected == expected(hours(50))


def test_who_does_not_pay_is_reminded_once() -> None:
    """A day later, by the shipping clock."""
    round_ = Round()
    (confirmation,) = round_.hear(placed())
    round_.answer(confirmation)
    assert round_.wait(hours(24) - 1) == []
    (job,) = round_.wait(hours(24))
    assert (job.journey, job.template, job.due_ms) == ("unpaid", "payment-reminder", hours(24))
    round_.answer(job)
    assert round_.wait(hours(24 * 40)) == []
    assert round_.hear(placed()) == []


def test_who_pays_is_not_reminded() -> None:
    """Nor where the payment comes while the reminder is on its way, or before the order itself."""
    round_ = Round()
    round_.hear(placed(), paid(hours(1)))
    assert round_.wait(hours(48)) == []
    early = Round()
    early.hear(paid(hours(1)), placed())
    assert early.wait(hours(48)) == []
    close = Round()
    close.hear(placed())
    (reminder,) = close.wait(hours(24))
    close.hear(paid(hours(24.1)))
    assert close.stopped(reminder) == "paid"


def test_a_cancelled_order_is_said_to_be() -> None:
    """Whatever was on its way about it is taken back; a confirmation that comes afterwards is none."""
    round_ = Round()
    (confirmation,) = round_.hear(placed())
    (job,) = round_.hear(cancelled(hours(2)))
    assert (job.journey, round_.stopped(confirmation)) == ("cancelled", "cancelled")
    assert round_.wait(hours(100)) == []
    late = Round()
    assert told_of(late.hear(cancelled(hours(2)), placed())) == [("cancelled", "email")]


def test_each_refund_is_told_with_its_amount() -> None:
    """Two refunds are two messages; the same one again is none."""
    round_ = Round()
    jobs = round_.hear(refunded(hours(1), "9.90", "a"), refunded(hours(2), "40", "b"), refunded(hours(1), "9.90", "a"))
    assert [job.order.amount for job in jobs if job.order] == [Decimal("9.90"), Decimal(40)]
    assert len({job.job_id for job in jobs}) == 2


def test_a_paid_order_that_nobody_packs_is_an_alert() -> None:
    """72 hours after the payment, on a business day: paid on Thursday, missed on Monday."""

    def weekdays(at_ms: int, days: int, countries: tuple[str, ...]) -> int:
        del days, countries
        return at_ms + {5: 2, 6: 1}.get(from_ms(at_ms).weekday(), 0) * DAY_MS

    round_ = Round(business_days=weekdays)
    for job in round_.hear(placed(hours(72)), paid(hours(73))):
        round_.answer(job)
    monday = hours(7 * 24 + 1)
    assert from_ms(hours(73) + 72 * HOUR_MS).weekday() == 6
    assert round_.wait(monday - 1) == []
    assert told_of(round_.wait(monday)) == [("unpacked", "email")]
    (alert,) = round_.out.alerts
    assert (alert.kind, alert.cause, alert.order_id, alert.since) == (
        "fulfilment_delay",
        "not_handed_over",
        "o-1",
        from_ms(hours(73)),
    )
    assert round_.wait(monday + 30 * DAY_MS) == []


def test_a_parcel_is_what_the_order_waits_for() -> None:
    """Whatever is heard of it first; or the order's end."""
    for news in (registration(hours(5)), milestone("picked_up", hours(5)), cleared(hours(5))):
        round_ = Round()
        round_.hear(placed(), paid(hours(1)), news)
        assert not round_.person.orders["o-1"].unpacked_ms
        round_.wait(hours(500))
        assert round_.out.alerts == []
    round_ = Round()
    round_.hear(placed(), paid(hours(1)), cancelled(hours(2)))
    round_.wait(hours(500))
    assert round_.out.alerts == []


def test_order_and_repetition_of_events_change_nothing() -> None:
    """The same messages are told, with the same ids, whatever comes first and however often."""
    events = [placed(), paid(hours(3)), refunded(hours(30), "5", "a"), refunded(hours(31), "6", "b")]
    expected_ids: set[str] | None = None
    for seed in range(40):
        round_ = Round()
        round_.hear(*Random(seed).sample(events * 3, 3 * len(events)))
        ids = [job.job_id for job in round_.jobs]
        assert len(ids) == len(set(ids)) == 3, seed
        expected_ids = expected_ids or set(ids)
        assert set(ids) == expected_ids, seed
        assert round_.wait(hours(48)) == [], seed


def test_old_events_and_too_many_orders_leave_nothing_behind() -> None:
    """An event older than an order's life is late; of too many orders the oldest is forgotten."""
    round_ = Round()
    round_.out.shipping_ms = MONDAY + shipping.ORDER_LIFE_MS
    assert round_.hear(placed()) == []
    assert not round_.person.orders
    round_ = Round()
    for number in range(40):
        round_.hear(OrderPaid(id=f"e{number}", time=MONDAY + number, person_id="p-1", order_id=f"o{number}"))
    assert len(round_.person.orders) == 30
    assert "o39" in round_.person.orders
    assert "o0" not in round_.person.orders
    shipping.forget(round_.person.orders, round_.person.parcels, MONDAY + 39 + shipping.ORDER_LIFE_MS)
    assert not round_.person.orders


def test_without_configuration_nothing_is_told_or_kept() -> None:
    """A shop that only wants its carts looked after."""
    round_ = Round(messages())
    round_.context = type(round_.context)(campaign=round_.context.campaign, zones=round_.context.zones)
    round_.courier = type(round_.courier)(round_.person, round_.context, round_.out)
    assert round_.hear(placed(), paid(hours(1)), milestone("picked_up", hours(2))) == []
    assert not round_.person.orders


def test_long_orders_are_cut() -> None:
    """Ten lines are shown; how many more there are is known."""
    round_ = Round(None, profile())
    (job,) = round_.hear(placed(lines=(LINE,) * 13))
    assert job.order is not None
    assert (len(job.order.lines), job.order.more_lines) == (10, 3)
