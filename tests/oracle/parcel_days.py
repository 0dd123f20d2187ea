"""Days as docs/tracking.md counts them: business days, and the window in which a parcel is estimated to come."""

from datetime import UTC, datetime, timedelta
from typing import Any

Json = dict[str, Any]
DAY = 86_400_000


def business_days(at: int, days: int) -> int:
    """Monday to Friday, by UTC dates."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)
    if days == 0:
        while moment.weekday() >= 5:
            moment += timedelta(days=1)
    while days:
        moment += timedelta(days=1)
        if moment.weekday() < 5:
            days -= 1
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def window(event: Json) -> tuple[int, int]:
    begin = event["estimated_at"]
    if event.get("until") is not None:
        return begin, max(begin, event["until"])
    return begin, begin + DAY if begin % DAY == 0 else begin
