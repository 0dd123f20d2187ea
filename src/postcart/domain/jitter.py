"""Chance that is none: a number that a text alone decides, so that what is repeated comes out the same.

Owns: that number, and what is added to waiting times by it. Must not: use randomness or a clock.
"""

from hashlib import sha256


def share_of(text: str) -> float:
    """A number in [0, 1) that the text alone decides."""
    return int.from_bytes(sha256(text.encode()).digest()[:6]) / 2**48


def jittered_ms(plain_ms: float, name: str, attempt: int, *, share: float) -> int:
    """``plain_ms`` and up to ``share`` of it more or less, as the name and the attempt decide."""
    return round(plain_ms * (1 + share * (2 * share_of(f"{name}/{attempt}") - 1)))
