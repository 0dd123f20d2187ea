"""A wall clock that does not jump: what a wrong NTP server or an operator's slip must not do to anybody's reminders.

Owns: when a jump of the machine's clock is believed. Must not: read a clock.

A clock that leaps ahead by an hour would end visits too soon and send reminders an hour early, and after it is put
right everything of that hour would be late. So small steps are followed at once, a jump only once it has lasted.
"""

from typing import Final

import structlog

log = structlog.get_logger(__name__)

SMALL_MS: Final = 2_000
"""NTP slews by less than this between two looks."""
BELIEVED_AFTER_MS: Final = 15 * 60_000
"""So long a jump must last: NTP's daemons put a wrong step right within minutes."""


class SteadyTime:
    """Made of two clocks: one that tells the time of day, and one that only ever passes."""

    def __init__(self) -> None:
        self._offset_ms: int | None = None
        self._jumped_at_ms: int | None = None

    def at(self, *, wall_ms: int, elapsed_ms: int) -> int:
        """The time of day, milliseconds since the epoch.

        Args:
            wall_ms: As the machine's clock has it.
            elapsed_ms: Of a clock that only goes forward, at the same pace.
        """
        if self._offset_ms is None:
            self._offset_ms = wall_ms - elapsed_ms
        step_ms = wall_ms - elapsed_ms - self._offset_ms
        if abs(step_ms) <= SMALL_MS:
            self._offset_ms += step_ms
            self._jumped_at_ms = None
        elif self._jumped_at_ms is None:
            self._jumped_at_ms = elapsed_ms
            log.warning("clock_jumped", by_ms=step_ms, believed_after_s=BELIEVED_AFTER_MS // 1_000)
        elif elapsed_ms - self._jumped_at_ms >= BELIEVED_AFTER_MS:
            self._offset_ms += step_ms
            self._jumped_at_ms = None
            log.warning("clock_jump_believed", by_ms=step_ms)
        return elapsed_ms + self._offset_ms
