"""Business days by the public holidays and weekends of countries (the library ``holidays``).

Owns: that calendar as a function. Must not: know what waits for a day.
"""

from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from postcart.events.times import DAY_MS, EPOCH

if TYPE_CHECKING:
    from holidays import HolidayBase

_WEEKEND: Final = (5, 6)
_ANYWHERE: Final = ""


def business_days(at_ms: int, days: int, countries: tuple[str, ...]) -> int:
    """The same time of day, ``days`` business days after ``at_ms``; with 0 the moment itself, or the next such day.

    Args:
        at_ms: Milliseconds since 1970; days are those of UTC.
        days: How many, from 0.
        countries: ISO 3166; a day counts if it is a business day in all of them. One that is not known, or none at all,
            has weeks from Monday to Friday without holidays.
    """
    day = at_ms // DAY_MS
    return at_ms + (_nth(day, days, countries) - day) * DAY_MS


@lru_cache(maxsize=20_000)
def _nth(day: int, days: int, countries: tuple[str, ...]) -> int:
    """The number (since 1970) of that day. Most parcels of a day have the same answer."""
    if days == 0:
        while not _is_business_day(day, countries):
            day += 1
        return day
    while days:
        day += 1
        days -= _is_business_day(day, countries)
    return day


@lru_cache(maxsize=20_000)
def _is_business_day(day: int, countries: tuple[str, ...]) -> bool:
    moment = EPOCH.date() + timedelta(days=day)
    return all(_is_one_in(country, moment) for country in countries or (_ANYWHERE,))


def _is_one_in(country: str, day: date) -> bool:
    calendar = _calendar(country) if country else None
    return day.weekday() not in _WEEKEND if calendar is None else bool(calendar.is_working_day(day))


@lru_cache(maxsize=300)
def _calendar(country: str) -> "HolidayBase | None":
    import holidays  # noqa: PLC0415 -- slow to import, and only TRACK needs it

    try:
        return holidays.country_holidays(country)
    except NotImplementedError:
        return None
