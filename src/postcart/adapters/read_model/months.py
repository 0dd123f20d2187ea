"""Months, by which the read model is partitioned and forgets.

Owns: their bounds. Must not: read a clock.
"""

from datetime import UTC, datetime
from typing import NamedTuple

from postcart.events.times import from_ms, to_ms

_DECEMBER = 12


class Month(NamedTuple):
    """A calendar month, UTC."""

    year: int
    number: int

    @property
    def begin_ms(self) -> int:
        """Its first millisecond."""
        return to_ms(datetime(self.year, self.number, 1, tzinfo=UTC))

    @property
    def end_ms(self) -> int:
        """The first millisecond after it."""
        return self.later(1).begin_ms

    @property
    def text(self) -> str:
        """``2026_11``."""
        return f"{self.year:04d}_{self.number:02d}"

    def later(self, count: int) -> "Month":
        """The month so many later, or earlier."""
        index = self.year * _DECEMBER + self.number - 1 + count
        return Month(index // _DECEMBER, index % _DECEMBER + 1)


def month_of(at_ms: int) -> Month:
    """The month of a moment."""
    moment = from_ms(at_ms)
    return Month(moment.year, moment.month)


def month_named(text: str) -> Month:
    """The month of a text as ``Month.text`` writes it."""
    year, _, number = text.partition("_")
    return Month(int(year), int(number))


def kept_from_ms(now_ms: int, months: int) -> int:
    """From when on facts are kept: the present month and so many before it."""
    return month_of(now_ms).later(-months).begin_ms
