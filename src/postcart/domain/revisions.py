"""Whether a job that died may be sent again, as a new revision, without the customer being told twice.

Owns: what a job's claims and receipts say together, and what that forbids. Must not: read a topic.

``accepted`` and ``uncertain`` are for good. While a claim is open, or the job still stands in line somewhere, it may
yet be accepted: then it is not the time to send another.
"""

from typing import Final, Literal

from postcart.events.jobs import Claim, Receipt

Standing = Literal["unheard", "claimed", "in_line", "accepted", "uncertain", "rejected", "suppressed"]

REFUSED: Final[dict[Standing, str]] = {
    "accepted": "it was accepted by the provider: the customer has it",
    "uncertain": "it is uncertain whether the provider accepted it: the customer may have it",
    "claimed": "a sender has claimed it and no answer is known yet: look again in a minute",
    "in_line": "it was not accepted and waits for its next attempt: it is sent by itself",
}
"""Standing → why no revision is sent."""


def refusal(standing: Standing) -> str | None:
    """Why a job of this standing is not sent again; None if it may be."""
    return REFUSED.get(standing)


def after_claim(standing: Standing, claim: Claim) -> Standing:
    """The standing once this claim is known too. Claims of a job come in their order; idempotent."""
    if standing == "accepted" or (claim.state == "settled" and claim.outcome == "accepted"):
        return "accepted"
    if standing == "uncertain" or (claim.state == "settled" and (claim.outcome == "uncertain" or claim.resent)):
        return "uncertain"  # whatever ended it: an earlier send of it has no answer
    if claim.state == "claimed":
        return "claimed"
    if claim.state == "released":
        return "in_line"
    return "suppressed" if claim.outcome == "suppressed" else "rejected"


def after_receipt(standing: Standing, receipt: Receipt) -> Standing:
    """The standing once this receipt is known too. Claims know best but of acceptance, so they are folded first."""
    if standing == "accepted" or receipt.outcome == "accepted":
        return "accepted"
    if standing == "uncertain" or receipt.outcome == "uncertain":
        return "uncertain"
    if standing != "unheard":
        return standing
    return "in_line" if receipt.outcome == "not_accepted" else receipt.outcome
