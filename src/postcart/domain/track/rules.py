"""The numbers of tracking.

Owns: durations, the levels of a delay; their defaults are those of docs/tracking.md. Must not: decide, or know a
calendar: what a business day is comes as a function.
"""

from collections.abc import Callable
from typing import TypeAlias

from msgspec import Struct

from postcart.events.milestones import Audience
from postcart.events.times import DAY_MS, HOUR_MS, MINUTE_MS

Countries: TypeAlias = tuple[str, ...]
BusinessDays: TypeAlias = Callable[[int, int, Countries], int]
"""(moment in ms, n, countries) → the same time of day, n business days later, in ms; a day counts if it is one in all
these countries; without countries Monday to Friday. n = 0: the moment itself if its day is one, else the next."""


class Level(Struct, frozen=True, gc=False, kw_only=True):
    """A delay is told to these ``after`` so many business days, counted from when it was found."""

    after: int
    audiences: tuple[Audience, ...]


class Polling(Struct, frozen=True, gc=False, kw_only=True):
    """Carriers that push nothing are asked.

    Attributes:
        carriers: Which; ``every``: all of them.
        interval_ms: Between two rounds about a parcel while something is new; also before the first.
        longest_ms: To which that grows while nothing is.
    """

    carriers: frozenset[str]
    every: bool = False
    interval_ms: int = 30 * MINUTE_MS
    longest_ms: int = 4 * HOUR_MS

    def covers(self, carrier: str) -> bool:
        """Whether this one is asked."""
        return self.every or carrier in self.carriers


class Rules(Struct, frozen=True, gc=False, kw_only=True):
    """What a shop may set. Durations in milliseconds.

    Attributes:
        pickup_ms: From when the parcel was ready until its pickup is missed.
        scan_days, scan_days_abroad: Business days without a scan, within a country and across a border.
        levels: Of every delay; the first after 0 business days, each later than the one before.
        known_ms: Scans wait so long for the registration of their parcel.
        recycled_ms: A registration later than this after the last one is another parcel's.
        forget_ms: A row dies this long after its last event, or the last delay told.
        polling: None: no carrier is asked.
    """

    pickup_ms: int = 72 * HOUR_MS
    scan_days: int = 3
    scan_days_abroad: int = 5
    levels: tuple[Level, ...] = (
        Level(after=0, audiences=("customer", "operations")),
        Level(after=2, audiences=("operations",)),
        Level(after=5, audiences=("customer", "operations")),
    )
    known_ms: int = 30 * DAY_MS
    recycled_ms: int = 60 * DAY_MS
    forget_ms: int = 120 * DAY_MS
    polling: Polling | None = None
