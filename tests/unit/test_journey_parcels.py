"""What is told of a parcel: once, forward, not what is old news; held and taken back as it must be."""

from random import Random

import pytest

from postcart.domain.journey.shipping import PARCEL_LIFE_MS
from postcart.domain.messages import PARCELS, default_message
from postcart.events.ids import message_id
from postcart.events.times import DAY_MS, HOUR_MS, MINUTE_MS, from_ms
from rounds import (
    OTHER_PARCEL,
    PARCEL,
    Round,
    cleared,
    delay,
    estimate,
    hours,
    messages,
    milestone,
    profile,
    refusing,
    told_of,
)

LINE = (
    milestone("info_received", hours(1)),
    milestone("picked_up", hours(10)),
    milestone("in_transit", hours(20)),
    milestone("out_for_delivery", hours(56)),
    milestone("delivered", hours(60)),
)


def test_a_parcel_goes_its_way() -> None:
    """Shipped once, whichever status says so; the label is nobody's news."""
    round_ = Round()
    for news in LINE:
        for job in round_.hear(news):
            round_.answer(job)
    assert told_of(round_.jobs) == [("shipped", "email"), ("out_for_delivery", "email"), ("delivered", "email")]
    shipped = round_.jobs[0]
    assert (shipped.job_id, shipped.episode_id, shipped.step) == (
        message_id(PARCEL, "shipped", "", "email"),
        PARCEL,
        0,
    )
    assert (shipped.purpose, shipped.template, shipped.due_ms) == ("transactional", "shipped", hours(10))
    assert shipped.parcel is not None
    assert (shipped.parcel.carrier, shipped.parcel.status) == ("dhl", "picked_up")
    assert not round_.person.errands
    assert not round_.person.outstanding


def test_news_that_comes_again_is_not_told_again() -> None:
    """However often, and in whatever order: the ids are those of what happened."""
    for seed in range(30):
        round_, random = Round(), Random(seed)
        for news in random.sample([*LINE, *LINE, *LINE], 15):
            round_.hear(news)
        first_attempts = [job.job_id for job in round_.jobs if job.attempt == 1]
        assert len(first_attempts) == len(set(first_attempts)) == 3, seed


def test_several_parcels_are_several() -> None:
    """Neither hides what happened to the other."""
    round_ = Round()
    round_.hear(milestone("picked_up", hours(1)), milestone("picked_up", hours(1), OTHER_PARCEL))
    assert [job.episode_id for job in round_.jobs] == [PARCEL, OTHER_PARCEL]
    round_.hear(milestone("delivered", hours(2), OTHER_PARCEL))
    assert [round_.stopped(job) for job in round_.jobs] == [None, "superseded", None]


def test_out_for_delivery_is_news_until_the_day_ends() -> None:
    """Where the recipient lives: in October Berlin is two hours ahead."""
    (job,) = Round().hear(milestone("out_for_delivery", hours(8)))
    assert job.not_after_ms == hours(22) - 1
    (late,) = Round().hear(milestone("out_for_delivery", hours(22.5)))
    assert late.not_after_ms == hours(46) - 1
    everywhere = Round(None, profile(time_zone=None, country="US"))
    (job,) = everywhere.hear(milestone("out_for_delivery", hours(20)))
    assert job.not_after_ms == hours(34) - 1, "in Honolulu the day is longest"
    (job,) = Round().hear(milestone("delivered", hours(8)))
    assert job.not_after_ms == hours(8) + 3 * DAY_MS


def test_a_newer_milestone_takes_the_place_of_one_that_nobody_began_to_send() -> None:
    """It is stopped at the gate, and follows it in the same topic: so it is known which of the two goes out."""
    round_ = Round()
    (shipped,) = round_.hear(milestone("picked_up", hours(1)))
    (delivered,) = round_.hear(milestone("delivered", hours(2)))
    assert round_.stopped(shipped) == "superseded"
    assert round_.person.cancelled[shipped.job_id].at_ms == hours(2)
    assert "p-1" in round_.out.gate
    assert round_.answer(shipped, "suppressed", reason="superseded") == []
    assert round_.stopped(shipped) is None, "what has its end needs no stop"
    round_.answer(delivered)
    assert not round_.person.errands


def test_a_sender_that_was_faster_wins() -> None:
    """The stop comes too late; nothing is sent twice, and nothing is missing."""
    round_ = Round()
    (shipped,) = round_.hear(milestone("picked_up", hours(1)))
    (delivered,) = round_.hear(milestone("delivered", hours(2)))
    assert [round_.answer(job) for job in (shipped, delivered)] == [[], []]
    assert not round_.person.errands


def test_what_is_tried_again_is_taken_back_through_the_gate() -> None:
    """The next attempt goes out at once, to find its end there."""
    round_ = Round()
    (shipped,) = round_.hear(milestone("picked_up", hours(1)))
    round_.answer(shipped, "not_accepted", not_before_ms=hours(3))
    again, delivered = round_.hear(milestone("delivered", hours(2)))
    assert (again.job_id, again.attempt, round_.stopped(again)) == (shipped.job_id, 2, "superseded")
    assert delivered.journey == "delivered"
    assert round_.wait(hours(4)) == []


def test_it_is_tried_again_when_its_time_has_come() -> None:
    """By the shipping clock, whatever carts wait for."""
    round_ = Round()
    (shipped,) = round_.hear(milestone("picked_up", hours(1)))
    round_.answer(shipped, "not_accepted", not_before_ms=hours(3))
    assert round_.person.due_ms() > hours(1_000), "the clock of carts has nothing to do with it"
    assert round_.wait(hours(3) - 1) == []
    (again,) = round_.wait(hours(3))
    assert (again.job_id, again.attempt) == (shipped.job_id, 2)


def test_later_news_waits_behind_one_that_is_tried_again() -> None:
    """News that does not replace it: told in order, or both are when the first has its end."""
    round_ = Round()
    (shipped,) = round_.hear(milestone("picked_up", hours(1)))
    round_.answer(shipped, "not_accepted", not_before_ms=hours(2))
    assert round_.hear(estimate(hours(90), hours(1.5))) == []
    other = round_.hear(milestone("picked_up", hours(1), OTHER_PARCEL))
    assert [job.episode_id for job in other] == [OTHER_PARCEL], "another parcel's does not wait"
    (again,) = round_.wait(hours(2))
    assert round_.wait(hours(3)) == []
    (changed,) = round_.answer(again)
    assert changed.journey == "estimate_changed"
    assert ("estimate_changed", "deferred", None) in round_.judged()


def test_news_that_waited_in_vain_is_replaced_without_having_been_a_job() -> None:
    """A second estimate takes the first one's place in the line."""
    round_ = Round()
    (shipped,) = round_.hear(milestone("picked_up", hours(1)))
    round_.answer(shipped, "not_accepted", not_before_ms=hours(9))
    round_.hear(estimate(hours(90), hours(2)), estimate(hours(120), hours(3)))
    assert round_.judged()[-2:] == [
        ("estimate_changed", "cancelled", "superseded"),
        ("estimate_changed", "deferred", None),
    ]
    (again,) = round_.wait(hours(9))
    (changed,) = round_.answer(again, "rejected")
    assert changed.parcel is not None
    assert changed.parcel.expected is not None
    assert changed.parcel.expected.latest == from_ms(hours(120))


def test_a_delay_is_told_to_whom_it_concerns() -> None:
    """A message to the customer, an alert to operations, each at the levels that are theirs."""
    round_ = Round()
    first = round_.hear(delay(hours(1)))
    assert [round_.answer(job) for job in first] == [[]]
    assert round_.hear(delay(hours(48), 2, ("operations",))) == []
    third = round_.hear(delay(hours(120), 3))
    assert told_of([*first, *third]) == [("delayed", "email")] * 2
    assert [(one.level, one.resolved, one.kind) for one in round_.out.alerts] == [
        (level, False, "delivery_trouble") for level in (1, 2, 3)
    ]
    assert {one.dedup_key for one in round_.out.alerts} == {f"{PARCEL}/no_scan"}
    assert first[0].parcel is not None
    assert (first[0].parcel.rule, first[0].parcel.level) == ("no_scan", 1)


def test_the_all_clear_follows_a_delay_that_was_told() -> None:
    """Also where the delay's end is known only after it."""
    round_ = Round()
    (late,) = round_.hear(delay(hours(1)))
    assert round_.hear(cleared(hours(2))) == [], "nobody knows yet whether the delay was told"
    assert round_.stopped(late) == "superseded"
    (good,) = round_.answer(late)
    assert (good.journey, good.template) == ("delay_cleared", "delay-cleared")


def test_nobody_hears_of_the_end_of_a_delay_that_nobody_heard_of() -> None:
    """It was stopped at the gate in time: then there is nothing to tell at all."""
    round_ = Round()
    (late,) = round_.hear(delay(hours(1)))
    round_.hear(cleared(hours(2), audiences=("customer", "operations")))
    assert round_.answer(late, "suppressed", reason="superseded") == []
    assert round_.judged()[-1] == ("delay_cleared", "cancelled", "superseded")
    assert not round_.person.errands
    assert [one.resolved for one in round_.out.alerts] == [False, True]


def test_the_milestone_says_it_all() -> None:
    """A delay that ends with a milestone that is told needs no message of its own."""
    round_ = Round()
    (late,) = round_.hear(delay(hours(1)))
    round_.answer(late)
    jobs = round_.hear(milestone("out_for_delivery", hours(5)), cleared(hours(5), "out_for_delivery"))
    assert told_of(jobs) == [("out_for_delivery", "email")]
    silent = Round()
    silent.hear(milestone("picked_up", hours(1)))
    assert told_of(silent.hear(delay(hours(2)), cleared(hours(5)))) == [("delayed", "email")]


def test_exceptions_are_told_by_reason_and_employees_hear_of_them() -> None:
    """Customs, later the weather: two troubles."""
    round_ = Round()
    for number, reason in enumerate(("customs", "weather", "customs")):
        for job in round_.hear(milestone("exception", hours(number), reason=reason)):
            round_.answer(job)
    assert [job.parcel.reason for job in round_.jobs if job.parcel] == ["customs", "weather"]
    assert [one.reason for one in round_.out.alerts] == ["customs", "weather"]
    assert told_of(round_.hear(milestone("returned", hours(9)))) == [("returned", "email")]
    assert [one.cause for one in round_.out.alerts] == ["exception", "exception", "returned"]


def test_what_is_switched_off_is_not_told_and_still_replaces_what_is_older() -> None:
    """Nobody wants to hear that a parcel was shipped once it is there."""
    told = messages()
    told.by_occasion.pop("delivered")  # type: ignore[attr-defined]  # a dict
    round_ = Round(told)
    (shipped,) = round_.hear(milestone("picked_up", hours(1)))
    assert round_.hear(milestone("delivered", hours(2))) == []
    assert round_.stopped(shipped) == "superseded"


def test_a_transactional_refusal_counts_a_marketing_one_does_not() -> None:
    """An opt-out from reminders keeps nobody's parcel a secret."""
    round_ = Round(None, profile(consents=refusing("email")[:1]))
    assert len(round_.hear(milestone("picked_up", hours(1)))) == 1
    round_ = Round(None, profile(consents=refusing("email")))
    assert round_.hear(milestone("picked_up", hours(1))) == []
    assert round_.judged() == [("shipped", "cancelled", "no_consent")]
    round_ = Round(None, profile(email=None))
    round_.hear(milestone("picked_up", hours(1)))
    assert round_.judged() == [("shipped", "cancelled", "no_contact")]


@pytest.mark.parametrize("comes", [True, False])
def test_who_is_unknown_yet_is_waited_for(comes: bool) -> None:  # noqa: FBT001 -- a parameter of the test
    """News may be faster than the profile; it waits as long as it is news."""
    round_ = Round()
    round_.person.profile = None
    assert round_.hear(milestone("picked_up", hours(1))) == []
    if comes:
        round_.know(profile())
        assert told_of(round_.jobs) == [("shipped", "email")]
    assert round_.wait(hours(1) + 2 * DAY_MS) == []
    assert round_.judged() == [("shipped", *(("due", None) if comes else ("cancelled", "no_contact")))]


def test_what_was_told_is_remembered_as_long_as_the_parcel() -> None:
    """A scan a hundred days later is no new shipment; what is remembered has an end."""
    round_ = Round()
    round_.hear(milestone("picked_up", hours(1)))
    state = round_.person.parcels[PARCEL]
    assert round_.person.deadline_ms() == min(state.seen_ms + PARCEL_LIFE_MS, hours(1) + 31 * DAY_MS)
    assert round_.hear(milestone("in_transit", hours(1) + 100 * DAY_MS)) == []


def test_every_occasion_of_a_parcel_has_its_template_and_its_time() -> None:
    """And the end of the day is the only one without a duration."""
    for occasion in PARCELS:
        message = default_message(occasion)
        assert message.template
        assert message.until_ms >= HOUR_MS or occasion == "out_for_delivery"
    assert messages().leave_ms > messages().fallback_ms > MINUTE_MS
