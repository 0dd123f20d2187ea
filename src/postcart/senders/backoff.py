"""How long until the next try: growing, with jitter that a job's id decides.

Owns: the formulas. Must not: use randomness or a clock: the same job and attempt always wait equally long.
"""

from collections.abc import Callable
from typing import NamedTuple

from postcart.domain.jitter import share_of

JOB_FIRST_MS = 30_000
JOB_MOST_MS = 3_600_000
"""A single job's trouble: 30 s, doubling to 1 h (delivery rules, "Retries of a send")."""

_JITTER = 0.4
_BLOCK_S = 72 * 3600.0
"""Deferred for longer than this, a job counts as blocked (delivery rules, "Retries of a send")."""


def job_backoff_ms(job_id: str, attempt: int) -> int:
    """How long to wait after attempt ``attempt`` (from 1) was deferred, in milliseconds: 30 s to 1 h.

    Up to 40 % more than the plain doubling, never less; also at the longest wait jobs don't come back together.
    """
    plain = min(JOB_FIRST_MS << min(attempt - 1, 20), JOB_MOST_MS / (1 + _JITTER))
    return round(plain * (1 + _JITTER * share_of(f"{job_id}/{attempt}")))


class Retries(NamedTuple):
    """How a channel tries again what a provider deferred."""

    wait_ms: Callable[[str, int], int | None] = job_backoff_ms
    """From the job's id and the attempt (from 1) that was deferred; None: there is no further attempt."""
    block_s: float = _BLOCK_S
    """Deferred for longer than this, the job is rejected."""
    endpoint_s: float | None = None
    """Of a channel with one endpoint for everybody: failing for so long, it counts as gone."""


DEFAULT_RETRIES = Retries()


def probe_backoff_s(failures: int, *, first_s: float, most_s: float) -> float:
    """How long a paused channel waits before its next probe, after that many failures (from 1), in seconds."""
    return min(most_s, first_s * 2.0 ** min(failures - 1, 30))
