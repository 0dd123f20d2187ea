"""How a worker that has its process to itself uses Python's garbage collector.

Owns: the process's thresholds and what the collector no longer walks. Must not: be used by what shares its
process, for example with tests: what is frozen is never collected, clients of Kafka with their threads included.
"""

import gc

_YOUNG_OBJECTS = 100_000
"""Allocations between two young collections: with rows at rest untracked, and little that refers to itself, garbage is
rare."""


def collect_rarely() -> None:
    """Before a worker begins."""
    gc.set_threshold(_YOUNG_OBJECTS, 50, 100)


def keep_restored() -> None:
    """Restored rows live long: the collector need not walk them."""
    gc.collect()
    gc.freeze()
