"""Parcels for tests: a shorthand for events, made-up histories at the edges of the rules, weekdays as a calendar.

Owns: making events. Must not: know what is to be told.
"""

from collections.abc import Iterable, Sequence
from random import Random
from typing import Any

from postcart.domain.track.parcel import ParcelEvent, Scan
from postcart.events.milestones import Reason, Status
from postcart.events.shipments import ParcelEstimate, ParcelRegistered, Place
from postcart.events.times import DAY_MS, HOUR_MS, MINUTE_MS, from_ms

MONDAY = 1_664_755_200_000
"""2022-10-03T00:00:00Z."""
KEY = "dhl:JD0146"
COMMON: dict[str, Any] = {"carrier": "dhl", "tracking_number": "JD 0146"}
LINE: tuple[Status, ...] = (
    "pending",
    "info_received",
    "picked_up",
    "in_transit",
    "out_for_delivery",
    "attempt_failed",
    "available_for_pickup",
    "delivered",
    "returned",
)


def weekdays(at_ms: int, days: int, countries: tuple[str, ...]) -> int:
    """Monday to Friday, whatever the country."""
    del countries
    weekday = from_ms(at_ms).weekday()
    if weekday > 4:  # from Friday on, or from Monday if no day is to be counted
        at_ms += (4 - weekday if days else 7 - weekday) * DAY_MS
        weekday = 4 if days else 0
    weeks, rest = divmod(weekday + days, 5)
    return at_ms + (weeks * 7 + rest - weekday) * DAY_MS


def hours(count: float) -> int:
    """So many hours after that Monday began."""
    return MONDAY + round(count * HOUR_MS)


def registered(at_ms: int = MONDAY, name: str = "r1", **fields: Any) -> ParcelRegistered:
    """The number is this order's."""
    return ParcelRegistered(id=name, time=at_ms, **COMMON, **{"order_id": "o1", "person_id": "p1", **fields})


def scan(at_ms: int, status: Status, name: str | None = None, reason: Reason | None = None) -> Scan:
    """The carrier says so."""
    return Scan(id=name or f"{status}@{at_ms}", time=at_ms, status=status, reason=reason)


def estimate(at_ms: int, expected_ms: int, until_ms: int | None = None) -> ParcelEstimate:
    """The carrier expects it then."""
    return ParcelEstimate(
        id=f"estimate@{at_ms}/{expected_ms}", time=at_ms, estimated_at=expected_ms, until=until_ms, **COMMON
    )


_STEPS = (0, 1, MINUTE_MS, HOUR_MS, 12 * HOUR_MS, DAY_MS, 2 * DAY_MS, 3 * DAY_MS, 5 * DAY_MS)
_LEAPS = (30 * DAY_MS, 30 * DAY_MS + 1, 60 * DAY_MS, 60 * DAY_MS + 1, 61 * DAY_MS, 120 * DAY_MS, 120 * DAY_MS + 1)
_REASONS: tuple[Reason | None, ...] = ("customs", "weather", None)
_PLACES = (None, Place(country="US"), Place(country="BR"), Place(country="BR", region="SP"))


def random_history(seed: int) -> list[ParcelEvent]:
    """Some events of one number, often at the very moments that the rules name."""
    random = Random(seed)
    at_ms = MONDAY + random.randrange(7) * DAY_MS + random.choice((0, 1, 9 * HOUR_MS))
    events: list[ParcelEvent] = []
    for number in range(random.randrange(1, 25)):
        at_ms += random.choice(_LEAPS) if random.random() < 0.08 else random.choice(_STEPS)
        events.append(_event(random, at_ms, number))
    if random.random() < 0.9 and not any(isinstance(event, ParcelRegistered) for event in events):
        events.append(_registration(random, events[0].time + random.choice((0, -DAY_MS, DAY_MS, 30 * DAY_MS)), 99))
    return events


def _event(random: Random, at_ms: int, number: int) -> ParcelEvent:
    kind = random.random()
    if kind < 0.12 or number == 0:
        return _registration(random, at_ms, number)
    if kind < 0.27:
        expected_ms = at_ms + random.choice((-DAY_MS, 0, HOUR_MS, DAY_MS, 2 * DAY_MS, 5 * DAY_MS))
        if random.random() < 0.5:
            expected_ms -= expected_ms % DAY_MS
        until_ms = expected_ms + 4 * HOUR_MS if random.random() < 0.3 else None
        return ParcelEstimate(id=f"e{number}", time=at_ms, estimated_at=expected_ms, until=until_ms, **COMMON)
    if kind < 0.42:
        return scan(at_ms, "exception", f"s{number}", random.choice(_REASONS))
    if kind < 0.46:
        return scan(at_ms, "expired", f"s{number}")
    return scan(at_ms, random.choice(LINE[: random.choice((5, 7, 9))]), f"s{number}")


def _registration(random: Random, at_ms: int, number: int) -> ParcelRegistered:
    fields: dict[str, Any] = {"origin": random.choice(_PLACES), "destination": random.choice(_PLACES)}
    if random.random() < 0.6:
        promised_ms = at_ms + random.choice((DAY_MS, 3 * DAY_MS, 10 * DAY_MS))
        fields["promised_at"] = promised_ms - promised_ms % random.choice((1, DAY_MS))
    if random.random() < 0.3:
        fields["ready_at"] = at_ms + random.choice((-5 * DAY_MS, -HOUR_MS, DAY_MS))
    return registered(at_ms, f"r{number}", order_id=f"o{number}", **fields)


def shuffled(events: Iterable[ParcelEvent], random: Random, copies: int = 1) -> list[ParcelEvent]:
    """In any order, each so many times."""
    arrivals = [event for event in events for _ in range(copies)]
    random.shuffle(arrivals)
    return arrivals


def late_by(events: Sequence[ParcelEvent], random: Random, disorder_ms: int) -> list[tuple[int, ParcelEvent]]:
    """Arrivals in order: each event up to ``disorder_ms`` late, three times."""
    arrivals = [(event.time + random.randrange(disorder_ms), event) for event in events for _ in range(3)]
    return sorted(arrivals, key=lambda arrival: arrival[0])  # type: ignore[return-value]  # tests write times as numbers
