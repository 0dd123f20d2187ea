"""What a provider's answer means for the job and for the channel.

Owns: that map, complete over the error tree. Must not: do I/O, or read a clock.
"""

from typing import Literal, NamedTuple

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
from postcart.senders.backoff import job_backoff_ms
from postcart.senders.item import Ending, GiveBack, Release, Settle
from postcart.senders.metrics import SendResult
from postcart.senders.provider import Accepted

ChannelWord = Literal["works", "failed", "refused"]
"""What an answer says about the channel: it works, it failed, it refuses our credentials."""

BLOCK_S = 72 * 3600.0
"""Deferred for longer than this, a job counts as blocked (delivery rules, "Retries of a send")."""

_DETAIL_MOST = 200
_RETRY_FIRST_S = 0.5
_RETRY_MOST_S = 30.0


class Meaning(NamedTuple):
    """What follows from an answer."""

    ending: Ending
    result: SendResult
    channel: ChannelWord | None
    said: str = ""
    """The error's text, without addresses."""


def of_acceptance(accepted: Accepted) -> Meaning:
    """The provider took it."""
    ending = Settle("accepted", status=accepted.status, detail=accepted.detail[:_DETAIL_MOST])
    return Meaning(ending, "accepted", "works")


def of_error(
    error: DeliveryError | RenderError,
    job: Job,
    *,
    now_ms: int,
    resent: bool,
    failures: int,
    deferred_s: float = 0.0,
) -> Meaning:
    """What an error of preparing or sending means.

    Args:
        error: As raised by the channel's adapter.
        job: The job.
        now_ms: On the worker's clock: ``not_before_ms`` is on it.
        resent: An earlier send of the job ended without an answer.
        failures: How often in a row the channel did not take this job up.
        deferred_s: For how long a provider has been deferring it; 0 the first time.
    """
    detail = str(error)[:_DETAIL_MOST]
    if isinstance(error, RenderError):
        return Meaning(Settle("rejected", status="render", detail=detail, dead=detail), "render", None)
    if isinstance(error, RecipientRejected):
        result: SendResult = "policy" if is_policy(error.status) else "rejected"
        return Meaning(Settle("rejected", status=error.status, detail=detail), result, "works")
    if isinstance(error, DeliveryUncertain):
        return _uncertain(job.purpose, status=error.status, detail=detail, resent=resent)
    if isinstance(error, CredentialsRejected):
        return Meaning(Release(), "credentials", "refused", str(error))
    if isinstance(error, ChannelUnavailable):
        wait_s = min(_RETRY_MOST_S, _RETRY_FIRST_S * 2.0 ** min(failures, 20))
        return Meaning(Release(wait_s), "unavailable", "failed", detail)
    return _deferred(error, job, now_ms=now_ms, failures=failures, deferred_s=deferred_s)


def _deferred(error: DeliveryError, job: Job, *, now_ms: int, failures: int, deferred_s: float) -> Meaning:
    """Not before the server's own wish, nor before the backoff; after 72 h it counts as a block.

    JOURNEY sends the next attempt; a redriven job it does not know any more: that one waits in its line.
    """
    detail = str(error)[:_DETAIL_MOST]
    if deferred_s > BLOCK_S:
        said = f"deferred for {deferred_s / 3600:.0f} h, which counts as a block: {detail}"[:_DETAIL_MOST]
        return Meaning(Settle("rejected", status=error.status, detail=said), "rejected", "works")
    asked_ms = error.retry_after_ms or 0 if isinstance(error, DeliveryDeferred) else 0
    if job.revision:
        wait_ms = max(asked_ms, job_backoff_ms(job.job_id, job.attempt + failures))
        return Meaning(Release(wait_ms / 1000), "deferred", "works", detail)
    not_before_ms = now_ms + max(asked_ms, job_backoff_ms(job.job_id, job.attempt))
    return Meaning(GiveBack(not_before_ms, status=error.status, detail=detail), "deferred", "works")


def is_policy(status: str | None) -> bool:
    """Whether a refusal is about us, not about the recipient: an enhanced code of 5.7.x (RFC 3463, 3.8)."""
    return any(code.startswith("5.7.") for code in (status or "").split())


def of_silence(purpose: Purpose, *, resent: bool) -> Ending:
    """A claim whose sender is gone: nobody knows whether it was sent."""
    return _uncertain(purpose, status=None, detail="claimed; no answer is known", resent=resent).ending


def _uncertain(purpose: Purpose, *, status: str | None, detail: str, resent: bool) -> Meaning:
    """A cart is not sent again; a transactional message once, under the same Message-ID."""
    if purpose == "transactional" and not resent:
        return Meaning(Release(resent=True), "uncertain", "failed", detail)
    return Meaning(Settle("uncertain", status=status, detail=detail), "uncertain", "failed", detail)
