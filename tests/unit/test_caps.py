"""How often: never more than the caps allow, never later than they ask for, and what did not go out does not count."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from postcart.domain.caps import Caps, Reserved, allowed_ms
from postcart.domain.journey.outcome import Decided
from postcart.domain.journey.person import EPISODE_LIFE_MS
from postcart.events.decisions import Judged, StepCancelled, StepDue
from postcart.events.times import DAY_MS, HOUR_MS, to_ms
from rounds import NINE, Cart, campaign

CAPS = Caps(between_ms={"email": 16, "sms": 24}, day_most=0)
moments = st.lists(st.builds(Reserved, st.sampled_from(["email", "sms"]), st.integers(0, 3 * DAY_MS)), max_size=12)


def test_exactly_so_long_is_long_enough() -> None:
    """And only messages of the same channel keep it waiting."""
    sent = [Reserved("email", 100), Reserved("sms", 110)]
    assert allowed_ms(115, "email", sent, CAPS) == 116
    assert allowed_ms(116, "email", sent, CAPS) == 116
    assert allowed_ms(116, "sms", sent, CAPS) == 134
    assert allowed_ms(116, "push", sent, CAPS) == 116


def test_so_many_a_day_over_all_channels() -> None:
    """In any 24 hours: the next one has to wait until the first of them is a day old."""
    caps = Caps(between_ms={}, day_most=3)
    sent = [Reserved(channel, at_ms) for channel, at_ms in (("email", 5), ("sms", 7), ("push", 9))]
    assert allowed_ms(10, "email", sent, caps) == 5 + DAY_MS
    assert allowed_ms(10, "email", sent[1:], caps) == 10


@given(moments, st.integers(0, 3 * DAY_MS), st.integers(1, 20 * HOUR_MS), st.integers(1, 4))
def test_laws(sent: Sequence[Reserved], at_ms: int, between_ms: int, most: int) -> None:
    """What is allowed keeps every cap, asking again changes nothing, and one millisecond earlier was too early."""
    caps = Caps(between_ms={"email": between_ms}, day_most=most)
    sent = [one for one in sent if one.at_ms <= at_ms]
    allowed = allowed_ms(at_ms, "email", sent, caps)
    assert allowed >= at_ms
    assert allowed_ms(allowed, "email", sent, caps) == allowed
    assert keeps(allowed, sent, between_ms, most)
    assert allowed == at_ms or not keeps(allowed - 1, sent, between_ms, most)


def keeps(at_ms: int, sent: Sequence[Reserved], between_ms: int, most: int) -> bool:
    """The caps, said otherwise."""
    apart = all(at_ms - one.at_ms >= between_ms for one in sent if one.channel == "email")
    return apart and sum(at_ms - DAY_MS < one.at_ms <= at_ms for one in sent) < most


def dues(out: Decided) -> list[int]:
    return [to_ms(one.at) for one in out.decisions if isinstance(one, StepDue)]


def test_a_step_that_would_come_too_soon_waits() -> None:
    """The second one, 23 hours after the first, were it not for another message in between."""
    cart = Cart(campaign(channel="email"))
    cart.at(NINE + HOUR_MS)
    cart.person.reserved["another campaign's"] = Reserved("email", NINE + 20 * HOUR_MS)
    assert cart.at(NINE + 24 * HOUR_MS) == []
    (judged,) = [one for one in cart.out.records if isinstance(one, Judged) and one.outcome == "deferred"]
    assert judged.rules[1].rule == "frequency"
    assert judged.rules[1].inputs["last_day"] == "2"
    (job,) = cart.at(NINE + 36 * HOUR_MS)
    assert (job.planned_ms, job.due_ms) == (NINE + 24 * HOUR_MS, NINE + 36 * HOUR_MS)
    assert dues(cart.out) == [NINE + HOUR_MS, NINE + 36 * HOUR_MS]


def test_a_step_that_would_have_to_wait_too_long_expires() -> None:
    """The last one's time is a day."""
    cart = Cart(campaign(channel="email"))
    cart.at(NINE + HOUR_MS)
    for number in range(7):
        cart.person.reserved[f"another campaign's {number}"] = Reserved("push", NINE + 24 * HOUR_MS + 1)
    cart.at(NINE + 24 * HOUR_MS)
    (cancelled,) = [one for one in cart.out.decisions if isinstance(one, StepCancelled)]
    assert cancelled.reason == "not_after"


def test_what_did_not_go_out_does_not_count() -> None:
    """Given back with the receipt; kept if it is uncertain."""
    for outcome, kept in (("accepted", True), ("uncertain", True), ("rejected", False), ("suppressed", False)):
        cart = Cart(campaign(channel="email"))
        (job,) = cart.at(NINE + HOUR_MS)
        assert cart.person.reserved == {job.job_id: Reserved("email", NINE + HOUR_MS)}
        cart.answer(job, outcome, **({"reason": "no_consent"} if outcome == "suppressed" else {}))
        assert bool(cart.person.reserved) is kept, outcome


def test_what_was_rejected_counts_once_a_redriven_revision_went_out() -> None:
    """From the moment at which it did, for the caps and the cool-off; a second receipt changes nothing."""
    for outcome in ("accepted", "uncertain"):
        cart = Cart(campaign(channel="sms"))
        person = cart.person
        (job,) = cart.at(NINE + HOUR_MS)
        cart.answer(job, "rejected")
        assert not person.sent
        assert not person.reserved
        assert person.episode is not None
        assert not person.episode.texted
        cart.answer(job, "rejected", at_ms=NINE + 2 * HOUR_MS)
        cart.answer(job, outcome, at_ms=NINE + 3 * HOUR_MS)
        assert person.sent == {job.job_id: NINE + 3 * HOUR_MS}
        assert person.reserved == {job.job_id: Reserved("sms", NINE + 3 * HOUR_MS)}
        assert person.episode.texted
        cart.answer(job, outcome, at_ms=NINE + 4 * HOUR_MS)
        assert person.sent == {job.job_id: NINE + 3 * HOUR_MS}


def test_what_was_rejected_is_forgotten_after_a_month() -> None:
    """A revision that goes out later than that is no part of any window."""
    cart = Cart(campaign(channel="email"))
    (job,) = cart.at(NINE + HOUR_MS)
    cart.answer(job, "rejected")
    assert cart.person.rejected == {job.job_id: NINE + HOUR_MS}
    cart.at(NINE + HOUR_MS + EPISODE_LIFE_MS)
    assert not cart.person.rejected


def test_a_replacement_counts_on_its_own_channel_and_is_left_out_if_it_would_be_too_soon() -> None:
    """Falling back is no way around the caps."""
    for last_ms, replaced in ((NINE, False), (NINE - DAY_MS, True)):
        cart = Cart(campaign("email"))
        cart.person.reserved["yesterday's"] = Reserved("email", last_ms)
        (first,) = cart.at(NINE + HOUR_MS)
        cart.answer(first)
        after = cart.wait(NINE + HOUR_MS + 10 * 60_000)
        assert [job.channel for job in after] == (["email"] if replaced else [])
        assert ("email", NINE + HOUR_MS + 600_000) in [
            (one.channel, one.at_ms) for one in cart.person.reserved.values()
        ] or not replaced


def test_it_is_forgotten_after_a_month() -> None:
    """No window is longer."""
    cart = Cart(campaign(channel="email"))
    cart.at(NINE + 24 * HOUR_MS)
    assert cart.person.reserved
    cart.at(NINE + 24 * HOUR_MS + 31 * DAY_MS)
    assert not cart.person.reserved
