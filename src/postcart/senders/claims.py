"""What a sender knows of the claims of one partition: the memory that keeps a job from being sent twice.

Owns: the state machine of a claim, and the bound of what is remembered. Must not: read a clock, or do I/O.

A job is *free* until a claim for it is committed, *claimed* until that claim is settled or released, and *spent* once
it has its final outcome. A released claim frees either the same attempt (nothing was handed to a provider; the job is
still in line) or the next one (``not_accepted``; JOURNEY sends the job again). The next one may come *early*, while the
claim is still open here: JOURNEY has read the receipt before this sender heard that it is written. A job that ended
without having been handed over (rejected, suppressed) is free once more for a later *revision*, an edited redrive;
never after accepted or uncertain.
"""

from typing import Literal, NamedTuple
from uuid import UUID

from postcart.events.jobs import Claim, Job, Outcome

Standing = Literal["free", "early", "claimed", "spent"]

_AGAIN: frozenset[Outcome | None] = frozenset({"rejected", "suppressed"})
"""Outcomes after which nobody can have the message."""


class _Released(NamedTuple):
    revision: int
    attempt: int
    """The lowest attempt of that revision that may be claimed."""
    resent: bool
    since_ms: int | None
    """When a provider first deferred it, real wall time."""
    bound: str | None
    """The provider that may have it: of a send that ended without an answer."""


class ClaimBook:
    """Claims of one partition, from its claims topic and from this sender's own commits alike.

    Args:
        remember: How many settled jobs are remembered, about 150 bytes each; beyond that the oldest are forgotten.
    """

    def __init__(self, remember: int) -> None:
        self._remember = remember
        self._settled: dict[bytes, int] = {}
        self._released: dict[bytes, _Released] = {}
        self.open: dict[str, Claim] = {}
        """Claimed and neither released nor settled, by job id."""
        self.accepted_ms = 0
        """When a provider last took a job, real wall time."""
        self.failed_ms: tuple[int, int] | None = None
        """When providers first and last deferred a job since then, real wall time."""

    def __len__(self) -> int:
        return len(self.open) + len(self._released) + len(self._settled)

    def standing(self, job_id: str, attempt: int, revision: int = 0) -> Standing:
        """Whether this attempt of the job may be claimed now."""
        key = _compact(job_id)
        settled = self._settled.get(key)
        if settled is not None:
            return "free" if revision >= settled else "spent"
        claimed = self.open.get(job_id)
        if claimed is not None:
            return "early" if revision == claimed.revision and attempt > claimed.attempt else "claimed"
        released = self._released.get(key)
        if released is None:
            return "free"
        return "free" if revision == released.revision and attempt >= released.attempt else "spent"

    def resent(self, job_id: str) -> bool:
        """Whether an earlier send of the job ended without an answer: the next one is the last."""
        released = self._released.get(_compact(job_id))
        return released is not None and released.resent

    def bound(self, job_id: str) -> str | None:
        """The provider that may have the job already; None if none may, or if it is not known."""
        released = self._released.get(_compact(job_id))
        return None if released is None else released.bound

    def deferred_since_ms(self, job_id: str) -> int | None:
        """When a provider first deferred this job, real wall time; None if none has."""
        released = self._released.get(_compact(job_id))
        return None if released is None else released.since_ms

    def fold(self, claim: Claim) -> None:
        """Take note of a committed claim record. Idempotent.

        A settled job stays settled whatever comes after, but for a later revision of one that was handed to nobody.
        """
        key = _compact(claim.job_id)
        taken = claim.state == "settled" and claim.outcome not in _AGAIN
        if not taken and claim.revision < max(self._settled.get(key, 0), self._living(claim.job_id, key)):
            return
        self._note(claim)
        if claim.state == "settled":
            self.open.pop(claim.job_id, None)
            self._released.pop(key, None)
            self._settled.pop(key, None)  # the order of the dict is the age of what is in it
            self._settled[key] = _NEVER if taken else claim.revision + 1
            if len(self._settled) > self._remember:
                del self._settled[next(iter(self._settled))]
            return
        self._settled.pop(key, None)
        if claim.state == "claimed":
            self.open[claim.job_id] = claim
            return
        self.open.pop(claim.job_id, None)
        former = self._released.get(key)
        since_ms = former.since_ms if former is not None and former.revision == claim.revision else None
        bound = claim.provider if claim.resent else None
        if claim.outcome != "not_accepted":
            self._released[key] = _Released(claim.revision, claim.attempt, claim.resent, since_ms, bound)
        else:
            since_ms = claim.at_ms if since_ms is None else since_ms
            self._released[key] = _Released(claim.revision, claim.attempt + 1, claim.resent, since_ms, bound)

    def _note(self, claim: Claim) -> None:
        """How the provider's side does: what it took, and what it deferred (the gate's own deferrals are unclaimed)."""
        if claim.outcome == "accepted":
            self.accepted_ms = max(self.accepted_ms, claim.at_ms)
            self.failed_ms = None
        elif claim.outcome == "not_accepted" and claim.job_id in self.open:
            first = claim.at_ms if self.failed_ms is None else self.failed_ms[0]
            self.failed_ms = first, claim.at_ms

    def _living(self, job_id: str, key: bytes) -> int:
        """The revision that is claimed or released now; 0 for none."""
        claimed, released = self.open.get(job_id), self._released.get(key)
        return max(claimed.revision if claimed else 0, released.revision if released else 0)


_NEVER = 1 << 60
"""The revision that may be claimed again where none may."""


def claim_of(job: Job, *, offset: int, at_ms: int, resent: bool = False, provider: str | None = None) -> Claim:
    """The claim that must be committed before the socket opens.

    Args:
        job: What is about to be sent.
        offset: Of the job's record in its topic.
        at_ms: Real wall time.
        resent: An earlier send ended without an answer.
        provider: Which is to be asked.
    """
    return Claim(
        job_id=job.job_id,
        person_id=job.person_id,
        episode_id=job.episode_id,
        step=job.step,
        attempt=job.attempt,
        revision=job.revision,
        state="claimed",
        at_ms=at_ms,
        purpose=job.purpose,
        offset=offset,
        resent=resent,
        provider=provider,
    )


def _compact(job_id: str) -> bytes:
    """16 bytes instead of 85 where the id is a UUID, as all of ours are."""
    try:
        return UUID(job_id).bytes
    except ValueError:
        return job_id.encode()
