"""What follows from a provider's answer; backoff; the channel's health."""

from hypothesis import given
from hypothesis import strategies as st

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
    """Law: deterministic, 30 s ± 20 % at first, never above 1 h."""
    wait = job_backoff_ms(str(job_id), attempt)
    assert wait == job_backoff_ms(str(job_id), attempt)
    plain = min(30_000 * 2 ** (attempt - 1), JOB_MOST_MS)
    assert 0.8 * plain - 1 <= wait <= min(1.2 * plain + 1, JOB_MOST_MS)


def test_jitter_spreads_jobs() -> None:
    """Jobs deferred together don't all come back together."""
    waits = {job_backoff_ms(f"job-{number}", 1) for number in range(100)}
    assert len(waits) > 90


def test_credentials_pause_at_once() -> None:
    """One probe at a time, further and further apart; an answer opens the channel."""
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
    health.probing()
    assert health.works()
    assert health.state == "open"
    assert not health.works()


def test_an_outage_pauses_after_five_in_a_row() -> None:
    """Single failures don't."""
    health = ChannelHealth()
    assert [health.failed(0.0) for _ in range(4)] == [False] * 4
    health.works()
    assert [health.failed(0.0) for _ in range(5)] == [False] * 4 + [True]
    assert not health.failed(0.0), "sends that were under way change nothing"
    assert health.wake_at() == 1.0


def test_a_probe_without_an_answer() -> None:
    """It was not sent at all: another may go at once."""
    health = ChannelHealth()
    health.failed(0.0, at_once=True)
    health.probing()
    health.given_up()
    assert health.allowance(1.0) == 1


def test_probe_backoff() -> None:
    """Doubles up to the most."""
    assert [probe_backoff_s(n, first_s=1.0, most_s=60.0) for n in (1, 2, 3, 7, 99)] == [1.0, 2.0, 4.0, 60.0, 60.0]
