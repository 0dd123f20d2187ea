"""What must hold of a shop event and its key beyond the types of its fields.

Owns: the bounds of times and amounts, and the keys that name nobody. Must not: decode,
or know where an event came from.

Without these bounds one record could end a worker again and again: ``NaN`` as a price or a time in the year 9999 pass
every type check and fail only when they are compared or added to.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from postcart.events.event import moment_ms
from postcart.events.shipments import ParcelEstimate, ParcelRegistered, ParcelStatus, ShipmentEvent, normalised
from postcart.events.shop import (
    CartLine,
    CartSnapshot,
    LineAdded,
    LineChanged,
    OrderPlaced,
    OrderRefunded,
    ProductViewed,
    ProfileUpdated,
    ShopEvent,
    VariantUpdated,
)
from postcart.events.times import EPOCH, to_ms

SENTINEL_KEYS: Final = frozenset({"guest", "null", "0", "undefined", "none", "anonymous"})
"""Keys, in lower case, that sources write when they mean nobody: all nobodies would become one visitor."""

LONGEST_SENTINEL: Final = 20
"""A longer key is no sentinel, blanks included: callers on the hot path need not even ask."""

LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)
"""Event times are from 1970 up to this moment, excluded."""

_LATEST_MS: Final = to_ms(LATEST)
_FIRST_YEAR: Final = 1970
_LATEST_YEAR: Final = LATEST.year
_LONGEST_CONTACT: Final = 1_000
_MOST_DIGITS: Final = 24
_MOST_PLACES: Final = 12


def is_sentinel(key: str) -> bool:
    """Whether this key stands for nobody; letter case and surrounding blanks do not matter."""
    return len(key) <= LONGEST_SENTINEL and key.strip().lower() in SENTINEL_KEYS


def problem_of(event: ShopEvent) -> str | None:
    """What is wrong with the event's time or amounts, for people; None if nothing is. Called for every record."""
    time = event.time
    if time.__class__ is int:
        if not 0 <= time < _LATEST_MS:
            return "time is not in 1970 to 2199, in milliseconds"
    elif time.tzinfo is not UTC or not _FIRST_YEAR <= time.year < _LATEST_YEAR:  # type: ignore[union-attr]  # a datetime
        problem = _datetime_problem(time)  # type: ignore[arg-type]  # a datetime: the only other type
        if problem:
            return problem
    check = _money_of(event.__class__)
    return None if check is None else check(event)


def _datetime_problem(time: datetime) -> str | None:
    """What is rare goes the long way: another zone than UTC, or a year out of bounds."""
    if time.tzinfo is None:
        return "time has no zone; write it like 2022-10-01T00:15:00Z"
    return None if EPOCH <= time < LATEST else "time is not in 1970 to 2199"


def _amount(amount: Decimal | None, field: str) -> str | None:
    if amount is None:
        return None
    if -_MOST_PLACES <= amount.adjusted() <= _MOST_PLACES and amount.is_finite() and len(str(amount)) <= _MOST_DIGITS:
        return None
    return f"{field} is no amount of at most {_MOST_PLACES} places before and after the point"


def _viewed(event: ProductViewed) -> str | None:
    # As _amount, without the call: of all records most are views.
    amount = event.unit_price
    if amount is None or (
        -_MOST_PLACES <= amount.adjusted() <= _MOST_PLACES and amount.is_finite() and len(str(amount)) <= _MOST_DIGITS
    ):
        return None
    return _amount(amount, "unit_price")


def _line(line: CartLine) -> str | None:
    return _amount(line.unit_price, "unit_price")


def _lines(lines: tuple[CartLine, ...]) -> str | None:
    for line in lines:
        problem = _line(line)
        if problem:
            return problem
    return None


def _number(event: ShipmentEvent) -> str | None:
    return "tracking_number means no parcel" if is_sentinel(normalised(event.tracking_number)) else None


def _moments(event: ShipmentEvent, *names: str) -> str | None:
    problems = (_moment(getattr(event, name), name) for name in names)
    return next(filter(None, problems), None) or _number(event)


def _moment(moment: int | datetime | None, name: str) -> str | None:
    if moment is None:
        return None
    if isinstance(moment, datetime) and moment.tzinfo is None:
        return f"{name} has no zone; write it like 2022-10-01T00:15:00Z"
    return None if 0 <= moment_ms(moment) < _LATEST_MS else f"{name} is not in 1970 to 2199"


def _profile(event: ProfileUpdated) -> str | None:
    """Contact points are kept sealed, which is longer, in the same fields."""
    for name, text in (("email", event.email), ("phone", event.phone), ("name", event.name)):
        if text is not None and len(text.encode()) > _LONGEST_CONTACT:
            return f"{name} is longer than {_LONGEST_CONTACT} bytes"
    for one in event.push:
        if len(one.token.encode()) > _LONGEST_CONTACT:
            return f"push.token is longer than {_LONGEST_CONTACT} bytes"
        problem = _moment(one.since, "push.since")
        if problem:
            return problem
    return None


def _registered(event: ParcelRegistered) -> str | None:
    return _amount(event.freight, "freight") or _moments(event, "ordered_at", "ready_at", "promised_at")


# One look-up by class costs less than any chain of isinstance, and most events have no money in them.
_MONEY: Final[dict[type, Callable[[Any], str | None]]] = {
    ProductViewed: _viewed,
    LineAdded: lambda event: _line(event.line),
    LineChanged: lambda event: _line(event.line),
    CartSnapshot: lambda event: _lines(event.lines),
    OrderPlaced: lambda event: _lines(event.lines) or _amount(event.total, "total"),
    OrderRefunded: lambda event: _amount(event.amount, "amount"),
    VariantUpdated: lambda event: _amount(event.unit_price, "unit_price"),
    ParcelRegistered: _registered,
    ParcelEstimate: lambda event: _moments(event, "estimated_at", "until"),
    ParcelStatus: _number,
    ProfileUpdated: _profile,
}
_money_of: Final = _MONEY.get
