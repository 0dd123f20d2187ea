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
    ProviderBusy,
    RecipientRejected,
    RenderError,
)
from postcart.events.jobs import Job, Purpose
from postcart.senders.backoff import DEFAULT_RETRIES, Retries
from postcart.senders.item import Ending, GiveBack, Release, Settle
from postcart.senders.metrics import SendResult
from postcart.senders.provider import Accepted

ProviderWord = Literal["works", "failed", "refused", "held"]
"""What an answer says about the provider: it works, it failed, it refuses our credentials, it wants a pause."""

_DETAIL_MOST = 200
_HOLD_S = 5.0
"""A provider that is busy and does not say for how long."""
_HOLD_MOST_S = 3600.0
"""A longer pause than this is asked for again: somebody may have looked at it meanwhile."""
_GONE = "5.2.1"
"""Enhanced status of an endpoint that counts as gone: disabled, not accepting messages (RFC 3463, 3.3)."""
_RETRY_FIRST_S = 0.5
_RETRY_MOST_S = 30.0


class Meaning(NamedTuple):
    """What follows from an answer."""

    ending: Ending
    result: SendResult
    provider: ProviderWord | None
    said: str = ""
    """The error's text, without addresses."""
    hold_s: float = 0.0
    """Of ``held``: for how long nothing may be asked of the provider."""


def of_acceptance(accepted: Accepted) -> Meaning:
    """The provider took it."""
    ending = Settle(
        "accepted",
        status=accepted.status,
        detail=accepted.detail[:_DETAIL_MOST],
        reached=accepted.contact_id,
        gone=accepted.gone,
    )
    return Meaning(ending, "accepted", "works")


def of_error(
    error: DeliveryError | RenderError,
    job: Job,
    *,
    now_ms: int,
    resent: bool,
    failures: int,
    deferred_s: float = 0.0,
    failing_s: float = 0.0,
    retries: Retries = DEFAULT_RETRIES,
) -> Meaning:
    """What an error of preparing or sending means.

    Args:
        error: As raised by the channel's adapter.
        job: The job.
        now_ms: On the worker's clock: ``not_before_ms`` is on it.
        resent: An earlier send of the job ended without an answer.
        failures: How often in a row the channel did not take this job up.
        deferred_s: For how long a provider has been deferring it; 0 the first time.
        failing_s: For how long the channel's endpoint has taken nothing.
        retries: How the channel tries again.
    """
    meaning = _of_error(
        error,
        job,
        now_ms=now_ms,
        resent=resent,
        failures=failures,
        deferred_s=deferred_s,
        failing_s=failing_s,
        retries=retries,
    )
    gone = error.gone if isinstance(error, DeliveryError) else ()
    if gone and isinstance(meaning.ending, Settle | GiveBack):
        return meaning._replace(ending=meaning.ending._replace(gone=gone))
    return meaning


def _of_error(
    error: DeliveryError | RenderError,
    job: Job,
    *,
    now_ms: int,
    resent: bool,
    failures: int,
    deferred_s: float,
    failing_s: float,
    retries: Retries,
) -> Meaning:
    detail = str(error)[:_DETAIL_MOST]
    if isinstance(error, RenderError):
        return Meaning(Settle("rejected", status="render", detail=detail, dead=detail), "render", None)
    if isinstance(error, RecipientRejected):
        result: SendResult = "policy" if is_policy(error.status) else "rejected"
        return Meaning(Settle("rejected", status=error.status, detail=detail), result, "works")
    if isinstance(error, DeliveryUncertain):
        return _uncertain(job.purpose, status=error.status, detail=detail, resent=resent)
    if isinstance(error, CredentialsRejected | ChannelUnavailable):
        return _of_provider(error, failures)
    blocked = _blocked(error, deferred_s=deferred_s, failing_s=failing_s, retries=retries)
    return blocked or _deferred(error, job, now_ms=now_ms, failures=failures, retries=retries)


def _of_provider(error: CredentialsRejected | ChannelUnavailable, failures: int) -> Meaning:
    """Trouble of the provider: the job was handed to nobody, and stays first in line."""
    detail = str(error)[:_DETAIL_MOST]
    if isinstance(error, CredentialsRejected):
        return Meaning(Release(), "credentials", "refused", str(error))
    if isinstance(error, ProviderBusy):
        hold_s = _HOLD_S if error.retry_after_ms is None else min(_HOLD_MOST_S, error.retry_after_ms / 1000)
        return Meaning(Release(), "throttled", "held", detail, hold_s)
    wait_s = min(_RETRY_MOST_S, _RETRY_FIRST_S * 2.0 ** min(failures, 20))
    return Meaning(Release(wait_s), "unavailable", "failed", detail)


def _blocked(error: DeliveryError, *, deferred_s: float, failing_s: float, retries: Retries) -> Meaning | None:
    """Deferred for too long, the job or all of the endpoint's."""
    detail = str(error)
    if retries.endpoint_s is not None and failing_s > retries.endpoint_s:
        said = f"its endpoint has taken nothing for {failing_s / 86_400:.1f} days: {detail}"[:_DETAIL_MOST]
        return Meaning(Settle("rejected", status=_joined(error.status, _GONE), detail=said), "rejected", "works")
    if deferred_s > retries.block_s:
        said = f"deferred for {deferred_s / 3600:.0f} h, which counts as a block: {detail}"[:_DETAIL_MOST]
        return Meaning(Settle("rejected", status=error.status, detail=said), "rejected", "works")
    return None


def _deferred(error: DeliveryError, job: Job, *, now_ms: int, failures: int, retries: Retries) -> Meaning:
    """Not before the server's own wish, nor before the backoff.

    JOURNEY sends the next attempt; a redriven job it does not know any more: that one waits in its line.
    """
    detail = str(error)[:_DETAIL_MOST]
    asked_ms = error.retry_after_ms or 0 if isinstance(error, DeliveryDeferred) else 0
    backoff_ms = retries.wait_ms(job.job_id, job.attempt + (failures if job.revision else 0))
    if backoff_ms is None:
        said = f"no further attempt after {job.attempt}: {detail}"[:_DETAIL_MOST]
        return Meaning(Settle("rejected", status=error.status, detail=said), "rejected", "works")
    wait_ms = max(asked_ms, backoff_ms)
    if job.revision:
        return Meaning(Release(wait_ms / 1000), "deferred", "works", detail)
    return Meaning(GiveBack(now_ms + wait_ms, status=error.status, detail=detail), "deferred", "works")


def is_policy(status: str | None) -> bool:
    """Whether a refusal is about us, not about the recipient: an enhanced code of 5.7.x (RFC 3463, 3.8)."""
    return any(code.startswith("5.7.") for code in (status or "").split())


def _joined(*codes: str | None) -> str:
    return " ".join(code for code in codes if code)


def of_silence(purpose: Purpose, *, resent: bool) -> Ending:
    """A claim whose sender is gone: nobody knows whether it was sent."""
    return _uncertain(purpose, status=None, detail="claimed; no answer is known", resent=resent).ending


def _uncertain(purpose: Purpose, *, status: str | None, detail: str, resent: bool) -> Meaning:
    """A cart is not sent again; a transactional message once, under the same Message-ID."""
    if purpose == "transactional" and not resent:
        return Meaning(Release(resent=True), "uncertain", "failed", detail)
    return Meaning(Settle("uncertain", status=status, detail=detail), "uncertain", "failed", detail)
