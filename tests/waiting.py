"""Waiting for a condition: the only way in which tests let time pass.

Owns: how often it is asked. Must not: wait for a time.
"""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
PATIENCE_S = 180.0
"""How long a condition is waited for before the test fails: far longer than it takes on a slow machine."""
_SOONEST_S, _LATEST_S = 0.02, 0.4


def wait_for(condition: Callable[[], T], what: str | Callable[[], str], *, seconds: float = PATIENCE_S) -> T:
    """Ask until the condition holds, more rarely the longer it lasts; what it returned then.

    Args:
        condition: Holds when what it returns is true.
        what: What is missing until then, or what tells it.
        seconds: The bound; it only ends a test that would hang.

    Raises:
        AssertionError: It did not come.
    """
    began = time.monotonic()
    while not (result := condition()):
        waited = time.monotonic() - began
        if waited > seconds:
            raise AssertionError(f"waited {seconds:.0f} s in vain: {what() if callable(what) else what}")
        time.sleep(min(_LATEST_S, max(_SOONEST_S, waited / 20)))
    return result
