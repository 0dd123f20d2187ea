"""Ends a sender whose partitions stand still although there is something to read: a stalled fetcher is silent.

Owns: that judgement. Must not: seek, or look at partitions that are paused on purpose.
"""

import asyncio

from postcart.adapters.rdkafka.offsets import Offsets
from postcart.errors import Fenced
from postcart.senders.config import SenderConfig
from postcart.senders.elapsed import elapsed_s
from postcart.senders.state import SenderState

_LOOK_EVERY_S = 5.0

TopicPartition = tuple[str, int]


class Watchdog:
    """Looks every few seconds.

    Args:
        config: Of the sender.
        state: Shared with the other parts.
        offsets: Asked where partitions end.
    """

    def __init__(self, config: SenderConfig, state: SenderState, *, offsets: Offsets) -> None:
        self._config = config
        self._state = state
        self._offsets = offsets
        self._since: dict[TopicPartition, tuple[int, float]] = {}

    async def run(self) -> None:
        """Watch until cancelled.

        Raises:
            Fenced: A partition stands still: the process must end and start again.
        """
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            ends = await self._offsets.ends(self._positions(), stable=True)
            self.look(ends, now_s=elapsed_s())

    def look(self, ends: dict[TopicPartition, int], *, now_s: float) -> None:
        """Compare positions with where a reader must stop now.

        Args:
            ends: Per topic-partition; those that could not be told are absent and count as read.
            now_s: On the elapsed-time clock.

        Raises:
            Fenced: One has stood still for too long.
        """
        positions = self._positions()
        behind = {tp: position for tp, position in positions.items() if position < ends.get(tp, 0)}
        former = self._since
        self._since = {
            tp: former[tp] if tp in former and former[tp][0] == position else (position, now_s)
            for tp, position in behind.items()
        }
        stalled = sorted(tp for tp, (_, since) in self._since.items() if now_s - since > self._config.limits.stall_s)
        if stalled:
            raise Fenced(f"standing still although there are jobs to read: {stalled}")

    def _positions(self) -> dict[TopicPartition, int]:
        return {
            (topic, desk.number): positions.next
            for desk in self._state.desks.values()
            for topic, positions in desk.positions.items()
            if topic not in desk.paused and not desk.leaving
        }
