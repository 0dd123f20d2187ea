"""Receipts as senders write them.

Owns: what of a receipt is the job's. Must not: decide what became of it.
"""

from typing import Any

from postcart.events.jobs import Job, Receipt


def receipt_of(job: Job, outcome: str = "accepted", *, at_ms: int, **fields: Any) -> Receipt:
    """What became of the job's latest attempt; ``fields`` say what else."""
    return Receipt(
        job_id=job.job_id,
        person_id=job.person_id,
        episode_id=job.episode_id,
        step=job.step,
        channel=job.channel,
        purpose=job.purpose,
        attempt=job.attempt,
        outcome=outcome,  # type: ignore[arg-type]  # spelt out by the tests
        at_ms=at_ms,
        **fields,
    )
