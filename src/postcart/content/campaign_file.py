"""The form of a campaign file: its keys, and what each may hold.

Owns: the pydantic models and their messages. Must not: read files, or know lines (content.campaigns does).
"""

import re
from datetime import date, time
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from postcart.domain.campaign import Campaign, HighValue, Journey, Mobile, Peak, QuietHours, Step
from postcart.events.jobs import Incentive, Purpose
from postcart.events.times import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS

MOST_COOL_OFF_MS = 31 * DAY_MS
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_CURRENCY = re.compile(r"[A-Z]{3}")


def duration_ms(value: object) -> int:
    """Milliseconds of a text such as ``30m``, ``1h``, ``1h30m``, ``3d``.

    Raises:
        ValueError: It is no such text.
    """
    match = _DURATION.fullmatch(value) if isinstance(value, str) and value else None
    if match is None:
        raise ValueError(f"{value!r} is no duration; write for example 30m, 1h, 24h or 3d")
    units = (DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS)
    return sum(int(count) * unit for count, unit in zip(match.groups(), units, strict=True) if count)


def _local_time(value: object) -> time:
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f'{value!r} is no time of day; write for example "21:00"')
    return time(int(match[1]), int(match[2]))


def _day(value: object) -> date:
    try:
        return date.fromisoformat(value)  # type: ignore[arg-type]  # anything else is the TypeError below
    except (TypeError, ValueError):
        raise ValueError(f"{value!r} is no date; write for example 2026-11-23") from None


def _positive(value: int) -> int:
    if value <= 0:
        raise ValueError("it must be longer than nothing; write for example 24h")
    return value


def _remembered(value: int) -> int:
    if value > MOST_COOL_OFF_MS:
        raise ValueError("what was sent is remembered for 31 days; write 31d or less")
    return value


def _currency(value: object) -> str:
    if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
        raise ValueError(f"{value!r} is no currency; write three capital letters, for example USD")
    return value


def _amount(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("write an amount, for example 500")  # noqa: TRY004 -- pydantic reports ValueError, not TypeError
    return value


def _quiet_hours(value: object) -> object:
    if value is None:
        raise ValueError('write "off" or {start: "21:00", end: "08:00"}')
    return None if value == "off" else value


Duration = Annotated[int, BeforeValidator(duration_ms)]
PositiveDuration = Annotated[Duration, AfterValidator(_positive)]
LocalTime = Annotated[time, BeforeValidator(_local_time)]
Day = Annotated[date, BeforeValidator(_day)]
Currency = Annotated[str, BeforeValidator(_currency)]
Amount = Annotated[Decimal, BeforeValidator(_amount), Field(gt=0)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,60}$")]


class Part(BaseModel):
    """Base of all: unknown keys are errors, nothing changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class IncentiveFile(Part):
    """What a step offers: one of percent, amount, free_shipping."""

    percent: Annotated[Decimal, Field(gt=0, le=100)] | None = None
    amount: Amount | None = None
    currency: Currency | None = None
    free_shipping: bool = False
    code: Annotated[str, StringConstraints(min_length=1, max_length=40)] | None = None
    valid: PositiveDuration = 3 * DAY_MS

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if sum((self.percent is not None, self.amount is not None, self.free_shipping)) != 1:
            raise ValueError("an incentive is one of percent: 10, amount: 5, free_shipping: true")
        return self

    def build(self) -> Incentive:
        """The domain's incentive."""
        kind: Literal["free_shipping", "percent", "amount"] = (
            "percent" if self.percent is not None else "amount" if self.amount is not None else "free_shipping"
        )
        return Incentive(
            kind=kind,
            value=self.percent or self.amount or Decimal(0),
            currency=self.currency,
            code=self.code,
            valid_ms=self.valid,
        )


class StepFile(Part):
    """One message."""

    after: PositiveDuration
    template: str
    channel: str = "email"
    purpose: Purpose = "marketing"
    incentive: IncentiveFile | None = None
    fallback: Annotated[tuple[str, ...], Field(max_length=4)] = ()

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len({self.channel, *self.fallback}) != len(self.fallback) + 1:
            raise ValueError("a channel is named twice in channel and fallback; name each once")
        return self

    def build(self) -> Step:
        """The domain's step."""
        return Step(
            after_ms=self.after,
            template=self.template,
            channel=self.channel,
            purpose=self.purpose,
            incentive=self.incentive.build() if self.incentive else None,
            fallback=self.fallback,
        )


Steps = Annotated[tuple[StepFile, ...], Field(min_length=1, max_length=20)]


class QuietHoursFile(Part):
    """Local hours without marketing."""

    start: LocalTime
    end: LocalTime

    @model_validator(mode="after")
    def _some_hours_left(self) -> Self:
        if self.start == self.end:
            raise ValueError("start and end are the same, which would be quiet all day; change one, or write off")
        return self


class HighValueFile(Part):
    """Steps of valuable carts."""

    threshold: Annotated[dict[Currency, Amount], Field(min_length=1)]
    steps: Steps
    priority: Annotated[int, Field(ge=0, le=100)] = 10

    def build(self) -> HighValue:
        """The domain's high-value journey."""
        return HighValue(threshold=dict(self.threshold), journey=_journey("high-value", self.steps, self.priority))


class SeasonFile(Part):
    """First and last day, both included, UTC."""

    from_: Annotated[Day, Field(alias="from")]
    to: Day

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.to < self.from_:
            raise ValueError(f"the season ends ({self.to}) before it begins ({self.from_}); exchange them")
        return self


class PeakFile(Part):
    """Steps of peak seasons."""

    seasons: Annotated[tuple[SeasonFile, ...], Field(min_length=1)]
    steps: Steps
    priority: Annotated[int, Field(ge=0, le=100)] = 0

    def build(self) -> Peak:
        """The domain's peak journey."""
        return Peak(
            seasons=tuple((season.from_, season.to) for season in self.seasons),
            journey=_journey("peak", self.steps, self.priority),
        )


class MobileFile(Part):
    """One more channel for carts left by a mobile session that ended abruptly."""

    channels: Annotated[tuple[str, ...], Field(min_length=1, max_length=4)]
    steps: Annotated[tuple[Annotated[int, Field(ge=1, le=20)], ...], Field(min_length=1)] = (1,)

    def build(self) -> Mobile:
        """The domain's rule."""
        return Mobile(channels=self.channels, steps=self.steps)


class CampaignFile(Part):
    """A campaign file."""

    name: Name
    steps: Steps
    quiet_hours: Annotated[QuietHoursFile | None, BeforeValidator(_quiet_hours)] = QuietHoursFile.model_validate(
        {"start": "21:00", "end": "08:00"}
    )
    cool_off: Annotated[Duration, AfterValidator(_remembered)] = 7 * DAY_MS
    last_step_until: PositiveDuration = DAY_MS
    priority: Annotated[int, Field(ge=0, le=100)] = 0
    high_value: HighValueFile | None = None
    peak: PeakFile | None = None
    mobile: MobileFile | None = None

    def build(self, version: str) -> Campaign:
        """The domain's campaign."""
        quiet = self.quiet_hours
        return Campaign(
            name=self.name,
            version=version,
            journey=_journey("standard", self.steps, self.priority),
            quiet_hours=QuietHours(start=quiet.start, end=quiet.end) if quiet else None,
            cool_off_ms=self.cool_off,
            last_step_ms=self.last_step_until,
            high_value=self.high_value.build() if self.high_value else None,
            peak=self.peak.build() if self.peak else None,
            mobile=self.mobile.build() if self.mobile else None,
        )


def _journey(name: str, steps: tuple[StepFile, ...], priority: int) -> Journey:
    return Journey(name=name, steps=tuple(step.build() for step in steps), priority=priority)


def known_keys(path: tuple[Any, ...]) -> tuple[str, ...]:
    """The keys that may stand at ``path`` of a campaign file, for suggestions."""
    names = tuple(part for part in path if isinstance(part, str))
    models: dict[tuple[str, ...], type[Part]] = {
        (): CampaignFile,
        ("steps",): StepFile,
        ("steps", "incentive"): IncentiveFile,
        ("quiet_hours",): QuietHoursFile,
        ("high_value",): HighValueFile,
        ("high_value", "steps"): StepFile,
        ("high_value", "steps", "incentive"): IncentiveFile,
        ("mobile",): MobileFile,
        ("peak",): PeakFile,
        ("peak", "seasons"): SeasonFile,
        ("peak", "steps"): StepFile,
        ("peak", "steps", "incentive"): IncentiveFile,
    }
    model = models.get(names)
    return tuple(field.alias or key for key, field in model.model_fields.items()) if model else ()
