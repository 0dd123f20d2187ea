"""The numbers of session and abandonment detection.

Owns: durations, value bands, seasons; their defaults are those of docs/decisions.md. Must not: decide.
"""

from datetime import date
from decimal import Decimal

from msgspec import Struct

from postcart.events.times import DAY_MS, HOUR_MS, MINUTE_MS


class Rules(Struct, frozen=True, gc=False, kw_only=True):
    """What a shop may set. Durations in milliseconds.

    Attributes:
        inactivity_ms: A session ends this long after the last event of its last session id.
        checkout_ms: Once a checkout has begun: this long after its last step.
        exit_ms: After a page exit that nothing follows.
        forget_ms: A visitor is forgotten this long after its last event.
        recover_ms: An anonymous abandonment is recovered by an identification up to this long after it.
        bands: Upper bounds (excluded) with their names, rising; ``top_band`` is above all.
        seasons: Peak seasons, first and last UTC day included.
    """

    inactivity_ms: int = 15 * MINUTE_MS
    checkout_ms: int = 10 * MINUTE_MS
    exit_ms: int = MINUTE_MS
    forget_ms: int = 31 * DAY_MS
    recover_ms: int = 72 * HOUR_MS
    currency: str = "USD"
    bands: tuple[tuple[Decimal, str], ...] = ((Decimal(50), "low"), (Decimal(200), "medium"))
    top_band: str = "high"
    seasons: tuple[tuple[date, date], ...] = ()

    def band(self, value: Decimal) -> str:
        """The name of the band that ``value`` lies in."""
        return next((name for bound, name in self.bands if value < bound), self.top_band)
