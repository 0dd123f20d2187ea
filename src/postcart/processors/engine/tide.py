"""Whether a partition is idle, and since when: positions against high watermarks.

Owns: that rule for one input partition. Must not: fetch watermarks or read a clock.
"""

from collections import deque

from postcart.processors.engine.task import Idle

_SAMPLES = 32  # the oldest are the ones that can be reached; beyond that the newest gives way


class Tide:
    """Compares how far a partition was processed with how far it reached.

    A sample (T, end) says: the clocks read T before the high watermark ``end`` was fetched. Once the position reaches
    ``end``, nothing that was appended before T is still unread, and the partition may use the clock's value.
    """

    __slots__ = ("_samples", "end", "idle", "moved_at", "position", "sought")

    def __init__(self, position: int, now_s: float) -> None:
        self.position = position
        """Next position to process."""
        self.end: int | None = None
        """Latest known high watermark."""
        self.idle: Idle | None = None
        """T of the newest sample that was reached, if nothing newer is known to be unread."""
        self.moved_at = now_s
        """When the position last moved, or had no reason to; monotonic seconds."""
        self.sought = False
        """Whether a seek to ``position`` is under way."""
        self._samples: deque[tuple[Idle, int]] = deque()

    def move(self, position: int, now_s: float) -> None:
        """Take note that everything before ``position`` is processed."""
        self.position = position
        self.moved_at = now_s
        self.sought = False
        self._settle()

    def sample(self, before: Idle | None, end: int, now_s: float) -> None:
        """Take note of a high watermark, and of what the clocks read before it was fetched, if they are known."""
        self.end = end
        if self.position >= end:
            self.moved_at = now_s
        else:
            self.idle = None
        if before is not None:
            if len(self._samples) >= _SAMPLES:
                self._samples.pop()
            self._samples.append((before, end))
        self._settle()

    @property
    def lag(self) -> int | None:
        """Positions between here and the last known high watermark."""
        return None if self.end is None else max(0, self.end - self.position)

    def _settle(self) -> None:
        while self._samples and self._samples[0][1] <= self.position:
            self.idle = self._samples.popleft()[0]
