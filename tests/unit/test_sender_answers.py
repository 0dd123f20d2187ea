"""What follows from a provider's answer; backoff; the channel's health."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from postcart.errors import (
    ChannelUnavailable,
    CredentialsRejected,
    DeliveryDeferred,
    DeliveryError,
    DeliveryUncertain,
    RecipientRejected,
    RenderError,
)
from postcart.events.jobs import Job, Purpose
from postcart.senders.answers import Meaning, of_acceptance, of_error, of_silence
from postcart.senders.backoff import JOB_MOST_MS, job_backoff_ms, probe_backoff_s
from postcart.senders.channel import ChannelHealth
from postcart.senders.item import GiveBack, Release, Settle
from postcart.senders.provider import Accepted


def job(purpose: Purpose = "marketing", attempt: int = 1) -> Job:
    return Job(
        job_id="j",
        person_id="p",
        episode_id="e",
        step=1,
        channel="email",
        purpose=purpose,
        campaign="c",
        campaign_version="1",
        journey="s",
        template="t",
        armed_ms=0,
        planned_ms=0,
        due_ms=0,
        not_after_ms=0,
        attempt=attempt,
    )


def meaning(
    error: DeliveryError | RenderError, purpose: Purpose = "marketing", *, resent: bool = False, failures: int = 0
) -> Meaning:
    return of_error(error, job(purpose), now_ms=1_000, resent=resent, failures=failures)


def test_every_delivery_error_has_a_meaning() -> None:
    """No class of the tree falls through to another's meaning unnoticed."""
    results = {cls: meaning(cls("x")).result for cls in DeliveryError.__subclasses__()}
    assert results == {
        RecipientRejected: "rejected",
        DeliveryDeferred: "deferred",
        ChannelUnavailable: "unavailable",
        CredentialsRejected: "credentials",
        DeliveryUncertain: "uncertain",
    }


def test_final_ones() -> None:
    """Accepted, rejected for good, and a template that failed, which is also a dead letter."""
    assert of_acceptance(Accepted("250", "queued")).ending == Settle("accepted", status="250", detail="queued")
    rejected = meaning(RecipientRejected("no such user", status="550 5.1.1"))
    assert rejected.ending == Settle("rejected", status="550 5.1.1", detail="no such user")
    rendered = meaning(RenderError("t.txt:3: unknown variable")).ending
    assert isinstance(rendered, Settle)
    assert (rendered.outcome, rendered.status) == ("rejected", "render")
    assert rendered.dead == "t.txt:3: unknown variable"


def test_trouble_of_the_job_goes_back() -> None:
    """Not before the backoff, nor before the server's own wish."""
    plain = meaning(DeliveryDeferred("greylisted", status="451")).ending
    assert plain == GiveBack(1_000 + job_backoff_ms("j", 1), status="451", detail="greylisted")
    asked = meaning(DeliveryDeferred("later", retry_after_ms=7_200_000)).ending
    assert isinstance(asked, GiveBack)
    assert asked.not_before_ms == 7_201_000


def test_trouble_of_the_channel_uses_no_attempt() -> None:
    """The job stays first in line; it waits longer each time."""
    assert meaning(ChannelUnavailable("down")) == Meaning(Release(0.5), "unavailable", "failed", "down")
    assert meaning(ChannelUnavailable("down"), failures=3).ending == Release(4.0)
    assert meaning(ChannelUnavailable("down"), failures=50).ending == Release(30.0)
    assert meaning(CredentialsRejected("535")) == Meaning(Release(), "credentials", "refused", "535")


def test_unanswered() -> None:
    """Carts are never sent again; shipping once."""
    lost = DeliveryUncertain("lost after the dot")
    assert meaning(lost).ending == Settle("uncertain", detail="lost after the dot")
    assert meaning(lost, "transactional").ending == Release(resent=True)
    again = meaning(lost, "transactional", resent=True).ending
    assert isinstance(again, Settle)
    assert again.outcome == "uncertain"
    assert isinstance(of_silence("marketing", resent=False), Settle)
    assert of_silence("transactional", resent=False) == Release(resent=True)
    assert isinstance(of_silence("transactional", resent=True), Settle)


@given(st.uuids(), st.integers(1, 50))
def test_backoff_grows_within_bounds(job_id: object, attempt: int) -> None:
    """Law: deterministic, 30 s and a little at first, doubling, never below 30 s nor above 1 h."""
    wait = job_backoff_ms(str(job_id), attempt)
    assert wait == job_backoff_ms(str(job_id), attempt)
    plain = min(30_000 * 2 ** (attempt - 1), JOB_MOST_MS / 1.4)
    assert plain - 1 <= wait <= min(1.4 * plain + 1, JOB_MOST_MS)


@pytest.mark.parametrize("attempt", [1, 30])
def test_jitter_spreads_jobs(attempt: int) -> None:
    """Jobs deferred together don't all come back together, at the longest wait neither."""
    waits = {job_backoff_ms(f"job-{number}", attempt) for number in range(100)}
    assert len(waits) > 90


def test_deferred_for_three_days_is_blocked() -> None:
    """Until then it goes back, however often; afterwards the job ends, with the server's own words."""
    error = DeliveryDeferred("greylisted", status="451 4.7.1")
    at_the_end = of_error(error, job(), now_ms=0, resent=False, failures=0, deferred_s=72 * 3600.0)
    assert isinstance(at_the_end.ending, GiveBack)
    blocked = of_error(error, job(), now_ms=0, resent=False, failures=0, deferred_s=72 * 3600.0 + 1)
    assert isinstance(blocked.ending, Settle)
    assert (blocked.ending.outcome, blocked.ending.status) == ("rejected", "451 4.7.1")
    assert "greylisted" in (blocked.ending.detail or "")


def test_a_redriven_job_waits_in_its_line() -> None:
    """JOURNEY has had its end and would not send it again: deferred, it stays with the sender."""
    redriven = structs.replace(job(), revision=1)
    error = DeliveryDeferred("greylisted", status="451", retry_after_ms=90_000)
    assert of_error(error, redriven, now_ms=0, resent=False, failures=0).ending == Release(90.0)
    later = of_error(error, redriven, now_ms=0, resent=False, failures=5).ending
    assert later == Release(job_backoff_ms("j", 6) / 1000)


def test_credentials_pause_at_once() -> None:
    """One probe at a time, further and further apart; an answer ends the pause."""
    health = ChannelHealth(first_probe_s=1.0, most_probe_s=3.0)
    assert health.allowance(0.0) is None
    assert health.failed(0.0, at_once=True)
    assert (health.allowance(0.9), health.allowance(1.0)) == (0, 1)
    health.probing()
    assert health.allowance(1.0) == 0
    assert not health.failed(1.0, at_once=True)
    assert (health.allowance(2.9), health.allowance(3.0)) == (0, 1)
    health.probing()
    health.failed(3.0)
    assert health.wake_at() == 6.0
    assert not health.works(), "an answer to what was under way before is no probe's"
    assert health.state == "paused"
    health.probing()
    assert health.works()
    assert health.state == "ramping"
    assert not health.works()


def test_one_probe_a_minute() -> None:
    """The first after a minute, and then one each minute."""
    health = ChannelHealth()
    health.failed(0.0, at_once=True)
    for minute in range(1, 5):
        assert health.allowance(60.0 * minute - 0.1) == 0
        assert health.allowance(60.0 * minute) == 1
        health.probing()
        health.failed(60.0 * minute)


def test_an_outage_pauses_after_five_in_a_row() -> None:
    """Single failures don't."""
    health = ChannelHealth()
    assert [health.failed(0.0) for _ in range(4)] == [False] * 4
    health.works()
    assert [health.failed(0.0) for _ in range(5)] == [False] * 4 + [True]
    assert not health.failed(0.0), "sends that were under way change nothing"
    assert health.wake_at() == 60.0


def test_a_probe_without_an_answer() -> None:
    """It was not sent at all: another may go at once."""
    health = ChannelHealth()
    health.failed(0.0, at_once=True)
    health.probing()
    health.given_up()
    assert health.allowance(60.0) == 1


def test_the_ramp_after_recovery() -> None:
    """2 in flight, then 4, then 8: each after as many answers; what is in flight counts; then without bound."""
    health = ChannelHealth(in_flight=12)
    health.failed(0.0, at_once=True)
    health.probing()
    health.works()
    allowed = []
    while health.state == "ramping":
        window = health.allowance(60.0)
        assert health.allowance(60.0, in_flight=window or 0) == 0
        assert health.allowance(60.0, in_flight=99) == 0
        allowed.append(window)
        for _ in range(window or 0):
            health.works()
    assert allowed == [2, 4, 8]
    assert health.allowance(60.0) is None


def test_a_failure_in_the_ramp_pauses_again() -> None:
    """One is enough, and the pauses go on growing until the channel has fully recovered."""
    health = ChannelHealth(first_probe_s=1.0, most_probe_s=60.0)
    health.failed(0.0, at_once=True)
    health.probing()
    health.works()
    assert health.failed(5.0)
    assert (health.state, health.wake_at()) == ("paused", 7.0)


@given(st.lists(st.sampled_from(["works", "failed", "refused", "take", "given_up"]), max_size=80))
def test_a_pause_lets_one_probe_out_at_a_time(steps: list[str]) -> None:
    """Law: from a pause on, nothing but a single probe is out until it was answered; the ramp ends at the limit."""
    health, now, out = ChannelHealth(in_flight=8), 0.0, 0
    for step in steps:
        now += 30.0
        if step == "take":
            room = health.allowance(now, in_flight=out)
            taken = 8 - out if room is None else min(room, 8 - out)
            if health.state == "paused":
                assert (room or 0) <= 1
            if health.state == "probing":
                assert room == 0
            if taken:
                health.probing()
            out += max(0, taken)
        elif step == "given_up":
            health.given_up()
        else:
            out = max(0, out - 1)
            if step == "works":
                health.works()
            else:
                health.failed(now, at_once=step == "refused")
        assert out <= 8


def test_probe_backoff() -> None:
    """Doubles up to the most."""
    assert [probe_backoff_s(n, first_s=1.0, most_s=60.0) for n in (1, 2, 3, 7, 99)] == [1.0, 2.0, 4.0, 60.0, 60.0]
