"""What a marketer may set, as plain values.

Owns: the knobs that decisions depend on, with the defaults of the rules. Must not: read campaign files.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

EXIT_AFTER = 60 * SECOND
INACTIVE_AFTER = 15 * MINUTE
CHECKOUT_AFTER = 10 * MINUTE
FORGET_AFTER = 31 * DAY
ORDER_KEPT = 31 * DAY
EPISODE_LIFE = 31 * DAY
RECOVER_WITHIN = 72 * HOUR
COLLAPSED_INTO = 5 * MINUTE
LAST_STEP_LIFE = 24 * HOUR


@dataclass(frozen=True)
class Campaign:
    """A cart campaign. Offsets are seconds after the arming; quiet hours are local hours of the day.

    Attributes:
        high_value_from: United lines worth this much or more at opening take ``high_value_offsets``; None: never.
        peaks: First and last day (UTC) of each peak season, in which an opening takes ``peak_offsets``.
        currency: Of lines that name none.
        apart: Hours between two messages of the campaign's channel to one person; exactly so many is enough.
        daily: Messages to one person within 24 hours, at most.
        bands: Upper bounds (excluded) of the value bands below the highest.
    """

    offsets: tuple[int, ...] = (3_600, 86_400, 259_200)
    quiet_from: int = 21
    quiet_to: int = 8
    channel: str = "email"
    purpose: str = "marketing"
    cool_off_days: int = 7
    high_value_from: Decimal | None = None
    high_value_offsets: tuple[int, ...] = ()
    peaks: tuple[tuple[date, date], ...] = ()
    peak_offsets: tuple[int, ...] = ()
    bands: tuple[tuple[str, Decimal], ...] = (("low", Decimal(50)), ("medium", Decimal(200)))
    top_band: str = "high"
    currency: str = "USD"
    apart: int = 16
    daily: int = 7

    def is_peak(self, day: date) -> bool:
        """Whether a peak season names the day."""
        return any(first <= day <= last for first, last in self.peaks)

    def band(self, value: Decimal | None) -> str | None:
        """The value band; None where the value is unknown."""
        if value is None:
            return None
        return next((name for name, below in self.bands if value < below), self.top_band)

    def offsets_ms(self, *, value: Decimal | None, day: date) -> list[int]:
        """The offsets that an episode pins when it opens on ``day`` with united lines worth ``value``."""
        chosen = self.offsets
        if self.peak_offsets and self.is_peak(day):
            chosen = self.peak_offsets
        if self.high_value_from is not None and value is not None and value >= self.high_value_from:
            chosen = self.high_value_offsets or chosen
        return [offset * SECOND for offset in chosen]
