"""When a job that died may be sent again: never after accepted or uncertain, whatever order the words came in."""

from itertools import permutations
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from postcart.domain.revisions import REFUSED, Standing, after_claim, after_receipt, refusal
from postcart.events.jobs import Claim, Outcome, Receipt

OUTCOMES: tuple[Outcome, ...] = ("accepted", "not_accepted", "rejected", "uncertain", "suppressed")


def claim(state: Any, outcome: Any = None) -> Claim:
    return Claim(job_id="j", person_id="p", episode_id="e", step=1, attempt=1, state=state, at_ms=1, outcome=outcome)


def receipt(outcome: Any) -> Receipt:
    return Receipt(
        job_id="j", person_id="p", episode_id="e", step=1, channel="email", purpose="marketing", attempt=1,
        outcome=outcome, at_ms=1,
    )  # fmt: skip


WORDS = (
    claim("claimed"), claim("released"), claim("released", "not_accepted"),
    *(claim("settled", outcome) for outcome in OUTCOMES if outcome != "not_accepted"),
    *(receipt(outcome) for outcome in OUTCOMES),
)  # fmt: skip


def standing(words: Any) -> Standing:
    now: Standing = "unheard"
    for word in words:
        now = after_claim(now, word) if isinstance(word, Claim) else after_receipt(now, word)
    return now


def test_a_rejected_job_may_be_sent_again() -> None:
    """As one that nobody has heard of, or that was suppressed; not one on its way."""
    rejected = (claim("claimed"), claim("settled", "rejected"), receipt("rejected"))
    assert refusal(standing(rejected)) is None
    assert refusal(standing(())) is None
    assert refusal(standing((claim("settled", "suppressed"),))) is None
    assert standing((*rejected, claim("claimed"))) == "claimed"
    assert standing((claim("claimed"), claim("released", "not_accepted"))) == "in_line"
    assert standing((receipt("not_accepted"),)) == "in_line"


def test_an_earlier_send_without_an_answer_counts() -> None:
    """A job that was resent and then rejected may have been taken the first time."""
    resent = structs.replace(claim("settled", "rejected"), resent=True)
    assert standing((claim("claimed"), resent, receipt("rejected"))) == "uncertain"


def test_what_is_refused_is_told() -> None:
    """For every standing that could mean a second message."""
    assert set(REFUSED) == {"accepted", "uncertain", "claimed", "in_line"}


@given(st.lists(st.sampled_from(WORDS), max_size=6))
def test_accepted_and_uncertain_are_for_good(words: list[Any]) -> None:
    """Once either was said anywhere, no revision is sent; ``accepted`` is the stronger word."""
    said = {word.outcome for word in words if isinstance(word, Receipt) or word.state == "settled"}
    if "accepted" in said:
        assert standing(words) == "accepted"
    elif "uncertain" in said:
        assert standing(words) == "uncertain"


def test_the_order_of_receipts_does_not_matter_for_refusal() -> None:
    """Between partitions there is none."""
    for words in permutations((receipt("rejected"), receipt("accepted"), claim("claimed"))):
        assert refusal(standing(words)) is not None
