"""Time as Postcart counts it: whole milliseconds since 1970-01-01T00:00:00Z, always UTC.

Owns: conversion between that count and the forms that people and payloads use. Must not: read a clock.
"""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
_MILLISECOND = timedelta(milliseconds=1)


def to_ms(moment: datetime) -> int:
    """Milliseconds of ``moment``, which must carry a zone; a part of a millisecond is cut off."""
    return (moment - EPOCH) // _MILLISECOND


def from_ms(at_ms: int) -> datetime:
    """The UTC moment of ``at_ms``."""
    return EPOCH + timedelta(milliseconds=at_ms)


def iso(at_ms: int) -> str:
    """ISO 8601 in UTC, ``2022-10-01T00:15:00Z``, with milliseconds only where there are any."""
    text = from_ms(at_ms).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{at_ms % 1000:03d}Z" if at_ms % 1000 else f"{text}Z"


def parse_iso(text: str) -> int:
    """Milliseconds of an ISO 8601 text; without a zone it is UTC.

    Raises:
        ValueError: The text is no ISO 8601 date and time.
    """
    moment = datetime.fromisoformat(text)
    return to_ms(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
