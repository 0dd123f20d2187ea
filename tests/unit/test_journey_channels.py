"""Which channel a message takes, and which ones a reminder takes besides."""

import pytest

from postcart.domain.campaign import Mobile
from postcart.domain.journey.channels import choose
from postcart.domain.journey.mailing import Mailing
from postcart.events.shop import Consent, PushSubscription
from postcart.events.times import HOUR_MS, MINUTE_MS
from rounds import NINE, Cart, Round, campaign, over, profile, refusing, shipped

BOTH = tuple(Consent(channel=channel, purpose="marketing", given=True) for channel in ("email", "push"))


def test_the_first_that_is_possible() -> None:
    """In the order of the configuration, where the person says nothing."""
    assert shipped(over("sms", "email")).channel == "sms"
    round_ = over("sms", "email")
    round_.know(profile(2, phone=None))
    assert shipped(round_).channel == "email"
    round_.person.suppressed["email:id-of-a@shop.example"] = "hard"
    assert choose(round_.person, ("sms", "email"), "transactional").reason == "suppressed_address"
    assert choose(round_.person, ("sms",), "transactional").reason == "no_contact"
    assert choose(round_.person, ("webhook", "email"), "transactional", {"webhook"}).channels == ("webhook",)


def test_the_persons_wish_goes_first() -> None:
    """As far as it is possible; what is not named comes after."""
    round_ = over("email", "sms")
    round_.know(profile(2, channels=("push", "sms")))
    assert shipped(round_).channel == "sms"
    (judged,) = [record for record in round_.out.records if getattr(record, "message", None) == "shipped"]
    (said,) = judged.rules  # type: ignore[union-attr]  # Judged
    assert said.inputs == {"chosen": "sms", "preference": "push, sms"}


def test_a_complaint_stops_marketing_alone() -> None:
    """Parcels are still told."""
    round_ = over("email")
    round_.person.suppressed["email:id-of-a@shop.example"] = "complaint"
    assert choose(round_.person, ("email",), "marketing").reason == "no_consent"
    round_.know(profile(2, consents=BOTH))
    assert choose(round_.person, ("email",), "marketing").reason == "suppressed_address"
    assert choose(round_.person, ("email",), "transactional").channels == ("email",)


def test_several_browsers_are_one_channel() -> None:
    """It is possible while one of them is left, and silent if the last message to any of them failed."""
    browsers = tuple(PushSubscription(kind="fcm", token=name) for name in ("one", "two"))
    round_ = Round(None, profile(push=browsers))
    person = round_.person
    person.contact_ids[f"{person.profile.id}/push"] = "id-a id-b"  # type: ignore[union-attr]  # it was folded
    person.suppressed["push:id-a"] = "hard"
    assert choose(person, ("push", "email"), "transactional").channels == ("push", "email")
    person.mailed["job"] = Mailing(contact_id="id-b", channel="push", at_ms=1, accepted=True, fate="failed")
    assert choose(person, ("push", "email"), "transactional").channels == ("email", "push")
    person.suppressed["push:id-b"] = "hard"
    assert choose(person, ("push",), "transactional").reason == "suppressed_address"


def test_a_profile_is_no_double_opt_in() -> None:
    """Reminders by text message need a consent record that says so."""
    round_ = Round(None, profile(consents=(Consent(channel="sms", purpose="marketing", given=True),)))
    assert choose(round_.person, ("sms",), "marketing").reason == "no_consent"
    round_.person.consents["sms/marketing"] = True
    assert choose(round_.person, ("sms",), "marketing").channels == ("sms",)


def test_a_channel_that_did_not_answer_comes_last() -> None:
    """Until something arrives over it."""
    round_ = over("sms", "email")
    first = shipped(round_)
    round_.answer(first)
    (second,) = round_.wait(NINE + 10 * MINUTE_MS)
    assert (first.channel, second.channel) == ("sms", "email")
    round_.answer(second)
    assert choose(round_.person, ("sms", "email"), "transactional").channels == ("email", "sms")
    round_.report(first, at_ms=NINE + HOUR_MS)
    assert choose(round_.person, ("sms", "email"), "transactional").channels == ("sms", "email")


def test_an_address_that_bounced_comes_last() -> None:
    """A soft bounce suppresses nothing yet, but another channel is worth a try."""
    round_ = over("email", "sms")
    job = shipped(round_)
    round_.person.contact_ids = {"profile/1/email": "id-of-email", "profile/1/sms": "id-of-sms"}
    round_.answer(job)
    round_.report(job, "soft", at_ms=NINE + HOUR_MS)
    assert choose(round_.person, ("email", "sms"), "transactional").channels == ("sms", "email")


@pytest.mark.parametrize(
    ("device", "trigger", "besides"),
    [
        ("mobile", "exit", True),
        ("mobile", "inactivity", True),
        ("mobile", "checkout", False),
        ("desktop", "exit", False),
    ],
)
def test_mobile_sessions_that_end_abruptly(device: str, trigger: str, besides: bool) -> None:  # noqa: FBT001 -- a case
    """They go to one more channel besides email, in the steps that say so."""
    mobile = Mobile(channels=("push", "sms"), steps=(1,))
    cart = Cart(campaign(channel="email", mobile=mobile), device=device, trigger=trigger)
    jobs = cart.at(NINE + HOUR_MS)
    assert sorted(job.channel for job in jobs) == (["email", "sms"] if besides else ["email"])
    assert len({job.job_id for job in jobs}) == len(jobs)
    assert [job.channel for job in cart.at(NINE + 24 * HOUR_MS)] == ["email"]
    assert all(cart.answer(job) == [] for job in jobs)


def test_besides_means_with_consent() -> None:
    """Without it the email goes alone."""
    mobile = Mobile(channels=("sms",), steps=(1,))
    cart = Cart(campaign(channel="email", mobile=mobile), device="mobile")
    cart.person.consents["sms/marketing"] = False
    assert [job.channel for job in cart.at(NINE + HOUR_MS)] == ["email"]
    assert refusing("sms")[0].given is False
