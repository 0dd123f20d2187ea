"""Time that passes also while the process is stopped or the machine sleeps.

Owns: that clock. Must not: tell the time of day.
"""

import time

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Linux's monotonic clock stands still while the machine sleeps, this one doesn't."""


def elapsed_s() -> float:
    """Seconds since some fixed moment; only ever goes forward."""
    return time.clock_gettime(_CLOCK)
