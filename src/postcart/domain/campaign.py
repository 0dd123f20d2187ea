"""What a campaign is: its sequence of steps, its faster and its high-value journey, its quiet hours.

Owns: the model and the choice of the journey that an episode pins. Must not: read files (content.campaigns does).
"""

from datetime import date, time
from decimal import Decimal

from msgspec import Struct

from postcart.events.jobs import Channel, Incentive, Purpose
from postcart.events.times import DAY_MS, HOUR_MS, from_ms


class Step(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """One message of a sequence, ``after_ms`` after the episode was armed.

    Attributes:
        fallback: Channels besides ``channel``: which of all is taken, the person's preference and what is possible say;
            the others have their turn if that one fails.
    """

    after_ms: int
    template: str
    channel: Channel = "email"
    purpose: Purpose = "marketing"
    incentive: Incentive | None = None
    fallback: tuple[Channel, ...] = ()


class Journey(Struct, frozen=True, gc=False, kw_only=True):
    """A sequence of steps with growing ``after_ms``. An episode pins a copy of it when it opens."""

    name: str
    steps: tuple[Step, ...]
    priority: int = 0


class QuietHours(Struct, frozen=True, gc=False, kw_only=True):
    """Local hours in which no marketing goes out: from ``start``, included, to ``end``, excluded. May span midnight."""

    start: time = time(21)
    end: time = time(8)


class HighValue(Struct, frozen=True, gc=False, kw_only=True):
    """Carts of at least ``threshold`` (by currency) take their own journey."""

    threshold: dict[str, Decimal]
    journey: Journey


class Peak(Struct, frozen=True, gc=False, kw_only=True):
    """In these seasons (first and last day, UTC, both included) a faster journey is taken."""

    seasons: tuple[tuple[date, date], ...]
    journey: Journey


class Mobile(Struct, frozen=True, gc=False, kw_only=True):
    """Carts left by a mobile session that ended abruptly (page exit, inactivity): over one more channel besides.

    Attributes:
        channels: One of these, by preference and possibility.
        steps: Numbers (from 1) of the steps that go there, too.
    """

    channels: tuple[Channel, ...]
    steps: tuple[int, ...] = (1,)


class Campaign(Struct, frozen=True, gc=False, kw_only=True):
    """A cart campaign. ``version`` is a digest of its text: another text is another version.

    Attributes:
        quiet_hours: None switches them off.
        cool_off_ms: After the last sent step, before another episode of that person starts a sequence.
        last_step_ms: How long after its planned time the last step may still go out.
    """

    name: str
    version: str
    journey: Journey
    quiet_hours: QuietHours | None = QuietHours()
    cool_off_ms: int = 7 * DAY_MS
    last_step_ms: int = DAY_MS
    high_value: HighValue | None = None
    peak: Peak | None = None
    mobile: Mobile | None = None

    def choose(self, *, value: Decimal | None, currency: str | None, opened_ms: int) -> Journey:
        """The journey that an episode pins at its opening: high value before peak before the ordinary one."""
        if self.high_value and value is not None and currency is not None:
            threshold = self.high_value.threshold.get(currency)
            if threshold is not None and value >= threshold:
                return self.high_value.journey
        if self.peak and in_season(self.peak.seasons, opened_ms):
            return self.peak.journey
        return self.journey


def in_season(seasons: tuple[tuple[date, date], ...], at_ms: int) -> bool:
    """Whether the UTC day of ``at_ms`` lies in one of the seasons."""
    day = from_ms(at_ms).date()
    return any(first <= day <= last for first, last in seasons)


DEFAULT = Campaign(
    name="cart-reminder",
    version="default",
    journey=Journey(
        name="standard",
        steps=(
            Step(after_ms=HOUR_MS, template="cart-reminder"),
            Step(after_ms=24 * HOUR_MS, template="cart-reminder-2"),
            Step(after_ms=72 * HOUR_MS, template="cart-reminder-incentive"),
        ),
    ),
)
"""Spec 2.5's sequence, for where no campaign file is named."""
