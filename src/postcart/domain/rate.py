"""How often a provider may be asked: a bucket of tokens.

Owns: that arithmetic. Must not: read a clock: the time is an argument.
"""

import math

_BURST_S = 0.25
"""Besides one token a bucket holds what a quarter of a second brings: a sender looks ten times a second at least, so
none is lost between two looks."""


class TokenBucket:
    """In any time of T seconds at most ``burst + rate * T`` tokens are given. Full at the beginning.

    Args:
        rate_per_s: Tokens that come each second, above 0.
        burst: Most that are kept; at least 1.
    """

    def __init__(self, rate_per_s: float, *, burst: float | None = None) -> None:
        self._rate = rate_per_s
        self._burst = 1.0 + rate_per_s * _BURST_S if burst is None else max(1.0, burst)
        self._tokens = self._burst
        self._at_s: float | None = None

    def available(self, now_s: float) -> int:
        """How many may be taken now. ``now_s``: any clock in seconds; where it goes back, it counts as standing."""
        if self._at_s is None or now_s > self._at_s:
            if self._at_s is not None:
                self._tokens = min(self._burst, self._tokens + (now_s - self._at_s) * self._rate)
            self._at_s = now_s
        return math.floor(self._tokens + 1e-9)

    def take(self, now_s: float) -> bool:
        """Take one; False if there is none."""
        if not self.available(now_s):
            return False
        self._tokens = max(0.0, self._tokens - 1.0)
        return True
