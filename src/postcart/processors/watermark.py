"""The clock of a task: up to which event time everything has come.

Owns: design's "Time" for the inputs of one partition number. Must not: read a wall clock, or fire anything.

A clock of T says that every event with time up to and including T has been processed, as far as disorder is allowed.
"""

from collections.abc import Iterable, Mapping

from postcart.processors.engine.task import Idle


class Watermark:
    """The clocks of a task's input topics.

    Args:
        topics: Inputs that move the clock; others (receipts, for example) don't.
        disorder_ms: How much later than younger events of its partition an event may come.
        exact_idle: In a replay the clock is told only once everything up to it is there, so an idle partition may
            use it as it is; the wall clock counts less the disorder.
    """

    def __init__(self, topics: Iterable[str], *, disorder_ms: int, exact_idle: bool) -> None:
        self._clocks: dict[str, int | None] = dict.fromkeys(topics)
        self._disorder_ms = disorder_ms
        self._exact_idle = exact_idle

    def saw(self, topic: str, latest_ms: int) -> None:
        """Records were processed; ``latest_ms`` is the highest of their min(event time, append time)."""
        self._raise(topic, latest_ms - self._disorder_ms - 1)

    def idle(self, idle: Mapping[str, Idle]) -> None:
        """Topics that were read up to a high watermark fetched after these times were read from the clocks."""
        for topic, (at_ms, _) in idle.items():
            if topic in self._clocks:
                self._raise(topic, at_ms if self._exact_idle else at_ms - self._disorder_ms - 1)

    def _raise(self, topic: str, clock_ms: int) -> None:
        known = self._clocks[topic]
        if known is None or clock_ms > known:
            self._clocks[topic] = clock_ms

    @property
    def clock_ms(self) -> int | None:
        """The least over all inputs; None until each has one."""
        least: int | None = None
        for clock in self._clocks.values():
            if clock is None:
                return None
            if least is None or clock < least:
                least = clock
        return least
