"""Notices partitions that stand still although there is something to read.

Owns: that judgement. Must not: seek or end anything itself.

A fetcher that stalls is silent, and a worker woken after a long stop sat on its partitions for ever in one of ten runs.
"""

from collections.abc import Iterable

from postcart.processors.engine.slot import Slot


def standing_still(slots: Iterable[Slot], *, longer_than_s: float, now_s: float) -> list[tuple[str, int]]:
    """Partitions whose position has not moved for so long while the high watermark is beyond it."""
    return [
        (topic, slot.number)
        for slot in slots
        if slot.phase == "running"
        for topic, tide in slot.tides.items()
        if tide.lag and now_s - tide.moved_at > longer_than_s
    ]
