"""Business days by countries' calendars."""

from datetime import UTC, datetime

import pytest

from parcels import weekdays
from postcart.adapters.business_days import business_days
from postcart.events.times import from_ms, to_ms


def after(start: str, days: int, *countries: str) -> str:
    """The moment so many business days later."""
    at_ms = business_days(to_ms(datetime.fromisoformat(start).replace(tzinfo=UTC)), days, countries)
    return f"{from_ms(at_ms):%Y-%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("start", "days", "countries", "end"),
    [
        ("2022-10-03 09:30", 3, ("DE",), "2022-10-06 09:30"),
        ("2022-09-30 09:30", 1, ("DE",), "2022-10-04 09:30"),  # a weekend, then German Unity Day
        ("2022-09-30 09:30", 1, ("BR",), "2022-10-03 09:30"),
        ("2022-11-14 12:00", 1, ("BR", "DE"), "2022-11-16 12:00"),  # the Republic's day is no day between the two
        ("2022-12-23 08:00", 3, ("DE", "US"), "2022-12-29 08:00"),  # the 26th here and there, one in lieu of the 25th
        ("2022-10-08 08:00", 0, (), "2022-10-10 08:00"),
        ("2022-10-10 08:00", 0, (), "2022-10-10 08:00"),
        ("2023-06-02 08:00", 1, ("IL",), "2023-06-04 08:00"),  # a Friday; the week begins on Sunday
        ("2022-10-07 08:00", 1, ("XX",), "2022-10-10 08:00"),
    ],
)
def test_next(start: str, days: int, countries: tuple[str, ...], end: str) -> None:
    """Weekends and holidays of every country count; of an unknown one only weekends."""
    assert after(start, days, *countries) == end


def test_without_a_country() -> None:
    """Monday to Friday, as the tests of tracking count."""
    for hour in range(0, 24 * 14, 5):
        at_ms = 1_664_755_200_000 + hour * 3_600_000
        assert [business_days(at_ms, days, ()) for days in range(8)] == [weekdays(at_ms, days, ()) for days in range(8)]
