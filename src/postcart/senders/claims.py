"""What a sender knows of the claims of one partition: the memory that keeps a job from being sent twice.

Owns: the state machine of a claim, and the bound of what is remembered. Must not: read a clock, or do I/O.

A job is *free* until a claim for it is committed, *claimed* until that claim is settled or released, and *spent* once
it has its final outcome. A released claim frees either the same attempt (nothing was handed to a provider; the job is
still in line) or the next one (``not_accepted``; JOURNEY sends the job again).
"""

from typing import Literal, NamedTuple
from uuid import UUID

from postcart.events.jobs import Claim, Job

Standing = Literal["free", "claimed", "spent"]


class _Released(NamedTuple):
    attempt: int
    """The lowest attempt that may be claimed."""
    resent: bool


class ClaimBook:
    """Claims of one partition, from its claims topic and from this sender's own commits alike.

    Args:
        remember: How many settled jobs are remembered, about 150 bytes each; beyond that the oldest are forgotten.
    """

    def __init__(self, remember: int) -> None:
        self._remember = remember
        self._settled: dict[bytes, None] = {}
        self._released: dict[bytes, _Released] = {}
        self.open: dict[str, Claim] = {}
        """Claimed and neither released nor settled, by job id."""

    def __len__(self) -> int:
        return len(self.open) + len(self._released) + len(self._settled)

    def standing(self, job_id: str, attempt: int) -> Standing:
        """Whether this attempt of the job may be claimed now."""
        key = _compact(job_id)
        if key in self._settled:
            return "spent"
        if job_id in self.open:
            return "claimed"
        released = self._released.get(key)
        return "spent" if released is not None and attempt < released.attempt else "free"

    def resent(self, job_id: str) -> bool:
        """Whether an earlier send of the job ended without an answer: the next one is the last."""
        released = self._released.get(_compact(job_id))
        return released is not None and released.resent

    def fold(self, claim: Claim) -> None:
        """Take note of a committed claim record. Idempotent; a settled job stays settled whatever comes after."""
        key = _compact(claim.job_id)
        if claim.state == "settled":
            self.open.pop(claim.job_id, None)
            self._released.pop(key, None)
            self._settled[key] = None
            if len(self._settled) > self._remember:
                del self._settled[next(iter(self._settled))]
        elif key in self._settled:
            return
        elif claim.state == "claimed":
            self.open[claim.job_id] = claim
        else:
            self.open.pop(claim.job_id, None)
            following = claim.attempt + 1 if claim.outcome == "not_accepted" else claim.attempt
            self._released[key] = _Released(following, claim.resent)


def claim_of(job: Job, *, offset: int, at_ms: int, resent: bool = False) -> Claim:
    """The claim that must be committed before the socket opens.

    Args:
        job: What is about to be sent.
        offset: Of the job's record in its topic.
        at_ms: Real wall time.
        resent: An earlier send ended without an answer.
    """
    return Claim(
        job_id=job.job_id,
        person_id=job.person_id,
        episode_id=job.episode_id,
        step=job.step,
        attempt=job.attempt,
        state="claimed",
        at_ms=at_ms,
        purpose=job.purpose,
        offset=offset,
        resent=resent,
    )


def _compact(job_id: str) -> bytes:
    """16 bytes instead of 85 where the id is a UUID, as all of ours are."""
    try:
        return UUID(job_id).bytes
    except ValueError:
        return job_id.encode()
