"""A webhook that failed: when it is tried again, when it is given up, and which refusals end more than that."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postcart.content import sample
from postcart.domain.journey.outcome import Decided
from postcart.domain.journey.person import Person
from postcart.domain.journey.suppressions import receipt_came
from postcart.errors import DeliveryDeferred, DeliveryError
from postcart.events.jobs import Receipt
from postcart.senders.answers import of_error
from postcart.senders.claims import ClaimBook, claim_of
from postcart.senders.item import GiveBack, Settle
from postcart.senders.records import Stamp, entry_of
from postcart.senders.webhook import RETRIES, webhook_wait_ms

DAY_MS = 86_400_000


@given(job_id=st.uuids())
def test_ten_attempts_over_three_days(job_id: object) -> None:
    """0, 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h, each 20 % more or less, as the job's id decides."""
    plain = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400]
    waits = [webhook_wait_ms(str(job_id), attempt) for attempt in range(1, 11)]
    assert waits[9] is None
    for wait, seconds in zip(waits, plain, strict=False):
        assert wait is not None
        assert 0.8 * seconds <= wait / 1_000 <= 1.2 * seconds
    assert waits == [webhook_wait_ms(str(job_id), attempt) for attempt in range(1, 11)]


def meaning(error: DeliveryError, *, attempt: int = 1, failing_s: float = 0.0) -> Any:
    job = sample.sample_job("cart-reminder", channel="webhook", attempt=attempt, purpose="transactional")
    return of_error(error, job, now_ms=0, resent=False, failures=0, failing_s=failing_s, retries=RETRIES).ending


def test_attempts_go_back_to_journey() -> None:
    """No sooner than the endpoint asks for; after the tenth the job is over."""
    first = meaning(DeliveryDeferred("500"))
    assert isinstance(first, GiveBack)
    assert 4_000 <= first.not_before_ms <= 6_000
    assert meaning(DeliveryDeferred("429", retry_after_ms=900_000)).not_before_ms == 900_000
    last = meaning(DeliveryDeferred("500", status="500"), attempt=10)
    assert isinstance(last, Settle)
    assert (last.outcome, last.status) == ("rejected", "500")


def test_an_endpoint_that_fails_for_five_days_is_disabled() -> None:
    """The receipt then says so in RFC 3463's words, by which JOURNEY suppresses the endpoint for everybody."""
    assert isinstance(meaning(DeliveryDeferred("500", status="500"), failing_s=431_000), GiveBack)
    found = meaning(DeliveryDeferred("500", status="500"), failing_s=433_000)
    assert isinstance(found, Settle)
    assert (found.outcome, found.status) == ("rejected", "500 5.2.1")


def test_claims_tell_since_when_it_fails() -> None:
    """Over restarts, as they are kept; the gate's own deferrals are no failures, an acceptance ends the row."""
    book, job = ClaimBook(100), sample.sample_job("cart-reminder")
    stamp = Stamp(0, 0, "webhook", "endpoint")

    def attempt(at_ms: int, ending: Any, *, claimed: bool = True) -> None:
        claim = claim_of(job, offset=1, at_ms=at_ms)
        if claimed:
            book.fold(claim)
        book.fold(entry_of(claim, ending, partition=0, stamp=stamp._replace(real_ms=at_ms)).claim)

    attempt(1 * DAY_MS, GiveBack(0), claimed=False)
    assert book.failed_ms is None
    attempt(2 * DAY_MS, GiveBack(0))
    attempt(3 * DAY_MS, GiveBack(0))
    assert book.failed_ms == (2 * DAY_MS, 3 * DAY_MS)
    attempt(4 * DAY_MS, Settle("accepted"))
    assert (book.failed_ms, book.accepted_ms) == (None, 4 * DAY_MS)


@pytest.mark.parametrize(
    ("channel", "status", "suppressed"),
    [
        ("webhook", "410 5.1.6", True),
        ("webhook", "500 5.2.1", True),
        ("webhook", "500", False),
        ("sms", "21614 5.1.1", True),
        ("sms", "21211 5.1.3", True),
        ("sms", "21610 5.2.1", True),
        ("sms", "21408 5.7.1", False),
        ("sms", "21612 5.4.4", False),
        ("sms", "21617 5.3.4", False),
    ],
)
def test_which_refusals_suppress(channel: str, status: str, suppressed: bool) -> None:  # noqa: FBT001 -- of the table
    """JOURNEY knows no provider: it reads the enhanced code beside the provider's own."""
    person, out = Person(person_id="p"), Decided()
    receipt = Receipt(
        job_id="j", person_id="p", episode_id="e", step=1, channel=channel, purpose="marketing", attempt=1,
        outcome="rejected", at_ms=7, contact_id="c", status=status,
    )  # fmt: skip
    receipt_came(person, receipt, out)
    assert [(one.contact_id, one.channel, one.reason) for one in out.suppressed] == (
        [("c", channel, "hard")] if suppressed else []
    )
