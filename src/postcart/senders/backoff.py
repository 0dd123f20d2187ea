"""How long until the next try: growing, with jitter that a job's id decides.

Owns: the two formulas. Must not: use randomness or a clock: the same job and attempt always wait equally long.
"""

from hashlib import sha256

JOB_FIRST_MS = 30_000
JOB_MOST_MS = 3_600_000
"""A single job's trouble: 30 s, doubling to 1 h (delivery rules, "Retries of a send")."""

_JITTER = 0.4


def job_backoff_ms(job_id: str, attempt: int) -> int:
    """How long to wait after attempt ``attempt`` (from 1) was deferred, in milliseconds: 30 s to 1 h.

    Up to 40 % more than the plain doubling, never less; also at the longest wait jobs don't come back together.
    """
    plain = min(JOB_FIRST_MS << min(attempt - 1, 20), JOB_MOST_MS / (1 + _JITTER))
    return round(plain * (1 + _JITTER * _share(f"{job_id}/{attempt}")))


def probe_backoff_s(failures: int, *, first_s: float, most_s: float) -> float:
    """How long a paused channel waits before its next probe, after that many failures (from 1), in seconds."""
    return min(most_s, first_s * 2.0 ** min(failures - 1, 30))


def _share(text: str) -> float:
    """A number in [0, 1) that the text alone decides."""
    return int.from_bytes(sha256(text.encode()).digest()[:6]) / 2**48
