"""The clocks that another stage's tasks tell through its topic, as one JOURNEY partition has read them.

Owns: their least, and the changelog record that keeps them over restarts. Must not: read a wall clock.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from postcart.errors import StateError
from postcart.events.signals import TaskClock
from postcart.processors.engine.own_row import own_row
from postcart.processors.engine.task import Row

DETECT_KEY: Final = b"!clocks"
TRACK_KEY: Final = b"!track-clocks"
"""No person's id begins with an exclamation mark."""


class TaskClocks:
    """Clock per task. ``tasks``: their number, that of the partitions; ``key``: of the changelog record."""

    def __init__(self, tasks: int, key: bytes = DETECT_KEY) -> None:
        self._tasks = tasks
        self._key = key
        self._clocks: dict[int, int] = {}
        self._changed = False

    @property
    def clock_ms(self) -> int | None:
        """The least over all tasks; None until each has told one."""
        return min(self._clocks.values()) if len(self._clocks) >= self._tasks else None

    def saw(self, record: TaskClock) -> None:
        """A task told its clock; after a restart of that task it may be behind what it told before."""
        if record.clock_ms > self._clocks.get(record.task, -1):
            self._clocks[record.task] = record.clock_ms
            self._changed = True

    def restore(self, rows: Sequence[Row]) -> Sequence[Row]:
        """Take ours of these changelog records; returns the others."""
        found, others = own_row(rows, self._key)
        if found is not None:
            try:
                self._clocks = msgspec.json.decode(found[1] or b"{}", type=dict[int, int])
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise StateError(f"the clocks in the changelog can't be read: {error}") from error
        return others

    def take_changed(self) -> list[Row]:
        """The changelog record if a clock moved since the last call."""
        if not self._changed:
            return []
        self._changed = False
        return [(self._key, msgspec.json.encode(self._clocks))]
