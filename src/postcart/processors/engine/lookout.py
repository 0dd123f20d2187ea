"""Looks at the broker from time to time: how far inputs reach, and whether one of them stands still.

Owns: high watermarks, idleness and the watchdog. Must not: call tasks; end the process itself.
"""

import time
from collections.abc import Callable, Iterable

import structlog

from postcart.adapters.rdkafka.offsets import Offsets, Positions
from postcart.errors import Fenced
from postcart.processors.engine.metrics import EngineMetrics
from postcart.processors.engine.roster import Roster
from postcart.processors.engine.settings import EngineSettings
from postcart.processors.engine.slot import Slot
from postcart.processors.engine.task import Clock, Idle

log = structlog.get_logger(__name__)

_HELD_UP_S = 3.0  # between two looks: then the process stood, or the broker was away, and not the partitions


def standing_still(slots: Iterable[Slot], *, longer_than_s: float, now_s: float) -> list[tuple[str, int]]:
    """Partitions whose position has not moved for so long while the high watermark is beyond it."""
    return [
        (topic, slot.number)
        for slot in slots
        if slot.phase == "running"
        for topic, tide in slot.tides.items()
        if tide.lag and now_s - tide.moved_at > longer_than_s
    ]


def unread(slots: Iterable[Slot]) -> int:
    """Records that were there at the last look, on the way to the stage or not, and are not processed."""
    return sum(tide.lag or 0 for slot in slots for tide in slot.tides.values())


class Lookout:
    """Asks for watermarks and judges by them.

    A fetcher that stalls is silent, and a worker woken after a long stop sat on its partitions for ever in one of ten
    runs: so a partition that stands still before something readable is sought to its position once more, and if that
    does not help ends the process.

    Args:
        settings: Intervals.
        offsets: Asked.
        clock: Read before each question.
        metrics: Told of lag.
        seek: Seeks an input of a slot to its position.
    """

    def __init__(
        self,
        settings: EngineSettings,
        *,
        offsets: Offsets,
        clock: Clock,
        metrics: EngineMetrics,
        seek: Callable[[Slot, str], None],
    ) -> None:
        self._settings = settings
        self._offsets = offsets
        self._clock = clock
        self._metrics = metrics
        self._seek = seek
        self._looked_at = time.monotonic()

    async def ask(self, running: Iterable[Slot], inputs: Iterable[str]) -> tuple[Idle | None, Positions]:
        """What the clocks read, and the high watermarks fetched after that.

        In this order: what is appended after a clock was read may lie after the clock, never before it.
        """
        clock_ms, real_ms = self._clock.now_ms(), self._clock.real_ms()
        before = None if clock_ms is None else Idle(clock_ms, real_ms)
        topics = tuple(inputs)
        return before, await self._offsets.ends((topic, slot.number) for slot in running for topic in topics)

    def take_note(self, slot: Slot, before: Idle | None, ends: Positions) -> None:
        """Tell a running slot how far its inputs reach."""
        now = time.monotonic()
        for topic, tide in slot.tides.items():
            if (end := ends.get((topic, slot.number))) is not None:
                tide.sample(before, end, now)
                self._metrics.lag(topic, slot.number, tide.lag)

    async def watch(self, slots: Roster, *, waiting: int) -> None:
        """Seek partitions that stand still; ``waiting`` records on their way mean that the stage is busy instead.

        Raises:
            Fenced: One still stands after it was sought.
        """
        now = time.monotonic()
        held_up = now - self._looked_at > _HELD_UP_S + self._settings.watermark_interval_ms / 1000
        self._looked_at = now
        if held_up or waiting:
            for slot in slots:
                slot.excuse(now)
            return
        still = standing_still(slots, longer_than_s=self._settings.seek_after_ms / 1000, now_s=now)
        if not still:
            return
        readable = await self._offsets.ends(still, stable=True)  # behind an open transaction there is nothing to read
        for topic, number in still:
            present = slots.get(number)
            if present is not None and present.phase == "running":
                self._mend(present, topic, readable.get((topic, number)), now)

    def _mend(self, slot: Slot, topic: str, readable: int | None, now: float) -> None:
        tide = slot.tides[topic]
        if readable is None or readable <= tide.position:
            tide.moved_at = now
        elif now - tide.moved_at > self._settings.stalled_after_ms / 1000:
            raise Fenced(f"{topic}[{slot.number}] stands still at {tide.position}, before {readable}")
        elif not tide.sought:
            log.warning("partition_stands_still", topic=topic, partition=slot.number, position=tide.position)
            self._seek(slot, topic)
