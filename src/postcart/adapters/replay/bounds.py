"""Up to which event time everything is on the brokers, and which event time it is by now.

Owns: the bound that unread, unsent and unacknowledged events set to the clock, and the pace. Must not: produce.
"""

import heapq
import time
from collections import deque
from collections.abc import Iterator
from typing import Final

from postcart.errors import ConfigurationError
from postcart.events.shop import ShopEvent, time_ms
from postcart.events.times import iso

READ_AHEAD: Final = 200_000
"""No more events are held than this; with more in the allowed disorder the clock merely lags."""


class OpenEvents:
    """Events that are not acknowledged yet, and the bound that they and the unread ones set to the clock."""

    def __init__(self, events: Iterator[ShopEvent], disorder_ms: int) -> None:
        self._events = events
        self._disorder_ms = disorder_ms
        self._heap: list[tuple[int, int]] = []
        self._done: set[int] = set()
        self._read = 0
        self._exhausted = False
        self.unsent: deque[tuple[int, int, ShopEvent]] = deque()
        """Time, number and event, in the order given."""
        self.youngest_ms: int | None = None

    def read_ahead(self) -> None:
        """Read until what is unread is younger than the next event to send, or there is nothing more."""
        while not self._exhausted and len(self.unsent) < READ_AHEAD:
            if (
                self.unsent
                and self.youngest_ms is not None
                and self.youngest_ms - self._disorder_ms > self.unsent[0][0]
            ):
                return
            event = next(self._events, None)
            if event is None:
                self._exhausted = True
                return
            self._admit(event)

    def _admit(self, event: ShopEvent) -> None:
        at_ms = time_ms(event)
        if self.youngest_ms is not None and at_ms < self.youngest_ms - self._disorder_ms:
            raise ConfigurationError(
                f"event {event.id} of {iso(at_ms)} comes after one of {iso(self.youngest_ms)}: more than the "
                f"{self._disorder_ms // 1000} s that are allowed; sort the events by time"
            )
        if self.youngest_ms is None or at_ms > self.youngest_ms:
            self.youngest_ms = at_ms
        self._read += 1
        heapq.heappush(self._heap, (at_ms, self._read))
        self.unsent.append((at_ms, self._read, event))

    def acknowledge(self, number: int) -> None:
        """The event of this number is on the brokers."""
        self._done.add(number)
        while self._heap and self._heap[0][1] in self._done:
            self._done.discard(heapq.heappop(self._heap)[1])

    @property
    def finished(self) -> bool:
        """Whether every event was acknowledged."""
        return self._exhausted and not self._heap

    @property
    def bound_ms(self) -> int | None:
        """The greatest T such that no event with a time up to T is unread or unacknowledged; None: no bound."""
        bounds = []
        if self._heap:
            bounds.append(self._heap[0][0] - 1)
        if not self._exhausted and self.youngest_ms is not None:
            bounds.append(self.youngest_ms - self._disorder_ms - 1)
        return min(bounds, default=None)


class Pace:
    """Which event time it is by now: as fast as asked, from the moment at which it was set."""

    def __init__(self, speed: float | None, from_ms: int) -> None:
        self._speed = speed
        self._from_ms = from_ms
        self._since = time.monotonic()

    def now_ms(self) -> float:
        """Event time, milliseconds; infinite without a pace."""
        if self._speed is None:
            return float("inf")
        return self._from_ms + (time.monotonic() - self._since) * 1000 * self._speed

    def seconds_until(self, at_ms: int) -> float:
        """Real seconds from now."""
        return 0.0 if self._speed is None else max(0.0, (at_ms - self.now_ms()) / 1000 / self._speed)
