"""When the next channel has its turn: nobody gets a message twice, nobody misses it."""

from typing import Any

import pytest
from msgspec import structs

from postcart.domain.campaign import Journey, Step
from postcart.domain.messages import default_message
from postcart.events.shop import OrderPlaced
from postcart.events.signals import VisitEnded, VisitStarted
from postcart.events.times import DAY_MS, HOUR_MS, MINUTE_MS
from rounds import NINE, Cart, Round, campaign, messages, milestone, on, over, profile, shipped, told_of


def test_without_word_of_its_arrival_the_next_channel_has_its_turn() -> None:
    """600 s after it was accepted, not after it was due."""
    round_ = over("sms", "email")
    first = shipped(round_)
    round_.answer(first, at_ms=NINE + 5 * MINUTE_MS)
    assert round_.wait(NINE + 15 * MINUTE_MS - 1) == []
    (second,) = round_.wait(NINE + 15 * MINUTE_MS)
    assert (second.channel, second.journey, second.parcel) == ("email", "shipped", first.parcel)
    assert second.job_id != first.job_id
    assert round_.answer(second) == []
    assert round_.wait(NINE + DAY_MS) == []
    assert not round_.person.errands


def test_what_arrived_is_done() -> None:
    """Also where the report is faster than the receipt."""
    round_ = over("sms", "email")
    round_.answer(first := shipped(round_))
    round_.report(first, at_ms=NINE + MINUTE_MS)
    assert round_.wait(NINE + DAY_MS) == []
    fast = over("sms", "email")
    fast.report(first := shipped(fast), at_ms=NINE + MINUTE_MS)
    fast.answer(first)
    assert fast.wait(NINE + DAY_MS) == []
    assert not fast.person.errands


def test_a_late_report_takes_the_replacement_back() -> None:
    """Through the gate, where a sender may have been faster."""
    round_ = over("sms", "email")
    round_.answer(first := shipped(round_))
    (second,) = round_.wait(NINE + 10 * MINUTE_MS)
    assert round_.report(first, at_ms=NINE + 11 * MINUTE_MS) == []
    assert round_.stopped(second) == "superseded"
    assert round_.answer(second, "suppressed", reason="superseded") == []
    assert not round_.person.errands


def test_a_channel_that_does_not_report_is_not_waited_for() -> None:
    """An email that was accepted is done."""
    round_ = over("email", "sms")
    round_.answer(shipped(round_))
    assert not round_.person.errands
    assert round_.wait(NINE + DAY_MS) == []


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [("rejected", None), ("suppressed", "suppressed_address"), ("suppressed", "no_contact"), ("uncertain", None)],
)
def test_where_it_did_not_go_out_the_next_channel_has_its_turn_at_once(outcome: str, reason: str | None) -> None:
    """Refused, or stopped for the contact point's sake; uncertain is neither: that is waited for."""
    round_ = over("sms", "email")
    fields: dict[str, Any] = {"reason": reason} if reason else {}
    after = round_.answer(shipped(round_), outcome, **fields)
    if outcome == "uncertain":
        assert after == []
        after = round_.wait(NINE + 10 * MINUTE_MS)
    assert told_of(after) == [("shipped", "email")]


def test_one_that_came_back_is_not_waited_for() -> None:
    """A hard report says all there is to say."""
    round_ = over("sms", "email")
    round_.answer(first := shipped(round_))
    assert told_of(round_.report(first, "hard", at_ms=NINE + MINUTE_MS)) == [("shipped", "email")]


def test_leaving_a_channel_that_does_not_take_it() -> None:
    """The job is stopped at the gate first; only its receipt lets the other one go."""
    round_ = over("sms", "email")
    first = shipped(round_)
    round_.answer(first, "not_accepted", not_before_ms=NINE + 2 * HOUR_MS)
    (again,) = round_.wait(NINE + 30 * MINUTE_MS)
    assert (again.job_id, again.attempt, again.channel) == (first.job_id, 2, "sms")
    assert round_.stopped(first) == "superseded"
    assert round_.wait(NINE + 3 * HOUR_MS) == []
    assert told_of(round_.answer(again, "suppressed", reason="superseded")) == [("shipped", "email")]


def test_leaving_too_late() -> None:
    """The sender had taken it in the meantime: then it is waited for, and nothing goes twice."""
    round_ = over("sms", "email")
    first = shipped(round_)
    assert round_.wait(NINE + 30 * MINUTE_MS) == [], "it is with its sender: only the gate is told"
    assert round_.stopped(first) == "superseded"
    assert round_.answer(first, at_ms=NINE + 31 * MINUTE_MS) == []
    round_.report(first, at_ms=NINE + 32 * MINUTE_MS)
    assert round_.wait(NINE + DAY_MS) == []


def test_nothing_is_left_for_a_channel_that_is_not_possible() -> None:
    """It stays where it is, and is tried again."""
    round_ = over("sms", "email")
    round_.know(profile(2, email=None))
    first = shipped(round_)
    round_.answer(first, "not_accepted", not_before_ms=NINE + 2 * HOUR_MS)
    assert round_.wait(NINE + HOUR_MS) == []
    (again,) = round_.wait(NINE + 2 * HOUR_MS)
    assert (again.job_id, round_.stopped(again)) == (first.job_id, None)
    round_.answer(again)
    assert round_.wait(NINE + DAY_MS) == []
    assert ("shipped", "cancelled", "no_contact") not in round_.judged()


def test_newer_news_ends_the_waiting() -> None:
    """Nobody falls back on what is old."""
    round_ = over("sms", "email")
    round_.answer(shipped(round_))
    told = round_.hear(milestone("delivered", NINE + MINUTE_MS))
    assert told_of(told) == [("delivered", "email")]
    assert round_.wait(NINE + DAY_MS) == []


def test_fallback_can_be_switched_off() -> None:
    """As it is in a replay, where providers' reports come by another time."""
    told = messages({"shipped": on(default_message("shipped"), channels=("sms", "email"))}, fallback_ms=0, leave_ms=0)
    round_ = Round(told)
    round_.answer(shipped(round_))
    assert round_.wait(NINE + DAY_MS) == []
    assert not round_.person.errands


# -- carts ------------------------------------------------------------------------------------------------------------


def test_a_reminder_falls_back_as_well() -> None:
    """It stays one step: due once, sent once as far as the cool-off is concerned."""
    cart = Cart(campaign("email"))
    (first,) = cart.at(NINE + HOUR_MS)
    assert (first.channel, first.step) == ("sms", 1)
    cart.answer(first)
    (second,) = cart.wait(NINE + HOUR_MS + 10 * MINUTE_MS)
    assert (second.channel, second.step, second.lines) == ("email", 1, first.lines)
    cart.answer(second)
    (third,) = cart.at(NINE + 24 * HOUR_MS)
    assert (third.channel, third.step) == ("email", 2)
    assert [decision.step for decision in cart.out.decisions if type(decision).__name__ == "StepDue"] == [1, 2]
    assert set(cart.person.sent.values()) == {NINE + HOUR_MS, NINE + 24 * HOUR_MS}


def test_an_uncertain_reminder_does_not_fall_back() -> None:
    """It may have been sent: carts are never sent twice."""
    cart = Cart(campaign("email"))
    (first,) = cart.at(NINE + HOUR_MS)
    assert cart.answer(first, "uncertain") == []
    assert cart.wait(NINE + DAY_MS - 1) == []
    assert not cart.person.errands


def test_a_reminder_that_was_stopped_does_not_fall_back() -> None:
    """Who came back, or ordered, is not reminded over another channel; an order stops the replacement."""
    cart = Cart(campaign("email"))
    (first,) = cart.at(NINE + HOUR_MS)
    assert cart.answer(first, "suppressed", reason="returned") == []
    assert not cart.person.errands
    cart = Cart(campaign("email"))
    (first,) = cart.at(NINE + HOUR_MS)
    cart.answer(first)
    (second,) = cart.wait(NINE + HOUR_MS + 10 * MINUTE_MS)
    cart.take(OrderPlaced(id="o", time=NINE + 2 * HOUR_MS, person_id="p-1", order_id="o"))
    cart.at(NINE + 2 * HOUR_MS)
    assert cart.stopped(second) == "ordered"


def test_a_cart_gets_one_text_message_within_48_hours() -> None:
    """As a fallback neither a second one, nor a late one."""
    steps = tuple(
        Step(after_ms=hour * HOUR_MS, template="a", channel="email", fallback=("sms",)) for hour in (1, 24, 72)
    )
    chosen = structs.replace(campaign(), journey=Journey(name="standard", steps=steps))
    cart = Cart(chosen)
    cart.person.suppressed["email:id-of-a@shop.example"] = "soft"
    (first,) = cart.at(NINE + HOUR_MS)
    assert first.channel == "sms"
    assert cart.at(NINE + 24 * HOUR_MS) == []
    late = Cart(structs.replace(chosen, journey=Journey(name="standard", steps=steps[2:])))
    late.person.suppressed["email:id-of-a@shop.example"] = "soft"
    (only,) = late.at(NINE + 72 * HOUR_MS)
    assert only.not_after_ms == NINE + 48 * HOUR_MS, "the gate will end it"


def test_a_step_that_was_planned_anew_is_not_sent_over_another_channel_as_well() -> None:
    """Left for another channel, and the person came back and left again: the step comes by itself."""
    cart = Cart(campaign("email"))
    (first,) = cart.at(NINE + HOUR_MS)
    cart.answer(first, "not_accepted", not_before_ms=NINE + 3 * HOUR_MS)
    (again,) = cart.wait(NINE + HOUR_MS + 30 * MINUTE_MS)
    known: dict[str, Any] = {"person_id": "p-1", "visitor_id": "v"}
    back = NINE + HOUR_MS + 31 * MINUTE_MS
    cart.take(
        VisitStarted(at_ms=back, **known), VisitEnded(at_ms=back + MINUTE_MS, end_id="e2", trigger="exit", **known)
    )
    cart.at(back + MINUTE_MS)
    assert cart.answer(again, "suppressed", reason="superseded") == []
    (planned,) = cart.at(back + MINUTE_MS + HOUR_MS)
    assert (planned.step, planned.channel) == (1, "sms"), "the first text message never went out"
    assert planned.job_id != first.job_id
