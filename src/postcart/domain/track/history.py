"""A finished history of parcels, decided in event time.

Owns: the order in which rows are looked at, day by day. Must not: hold rules of its own.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from postcart.domain.track import fold
from postcart.domain.track.estimate_days import DailyFit, LearnedDays
from postcart.domain.track.outcome import Context, Tracked
from postcart.domain.track.parcel import Parcel, ParcelEvent, scan_of
from postcart.domain.track.rules import BusinessDays, Rules
from postcart.domain.track.vocabulary import Vocabularies
from postcart.events.shipments import ParcelStatus, ShipmentEvents
from postcart.events.times import DAY_MS


class Tracking(NamedTuple):
    """What following a shop's parcels depends on.

    Attributes:
        unknown: Counts words that nobody gives a meaning to, by what is to be said of them.
    """

    rules: Rules
    business_days: BusinessDays
    vocabularies: Vocabularies
    unknown: Counter[str]


def follow_events(events: Iterable[ShipmentEvents], tracking: Tracking) -> Tracked:
    """As ``follow``, of the shop's events; those with unknown words are counted and left out."""
    parcels: dict[str, list[ParcelEvent]] = {}
    for event in events:
        meant: ParcelEvent
        if isinstance(event, ParcelStatus):
            meaning = tracking.vocabularies.meaning(event)
            if meaning is None:
                tracking.unknown[tracking.vocabularies.unknown(event)] += 1
                continue
            meant = scan_of(event, meaning.status, meaning.reason)
        else:
            meant = event
        parcels.setdefault(event.parcel_key, []).append(meant)
    return follow(parcels, tracking.rules, tracking.business_days)


def follow(parcels: Mapping[str, Sequence[ParcelEvent]], rules: Rules, business_days: BusinessDays) -> Tracked:
    """Everything told of these parcels (key → events, in any order), until every row has died.

    Rows are advanced to the end of one day after the other: predictions of a day know the deliveries of earlier ones.
    """
    out, learned = Tracked(), LearnedDays()
    fits = DailyFit(learned)
    rows: dict[str, Parcel] = {}
    for key, events in sorted(parcels.items()):
        rows[key] = Parcel(key=key)
        fold.arrive(rows[key], events, out)
    heap = [(parcel.deadline_ms(rules), key) for key, parcel in rows.items()]
    heapify(heap)
    while heap:
        due_ms, key = heappop(heap)
        day = due_ms // DAY_MS
        context = Context(rules=rules, business_days=business_days, fit=fits.on(day))
        if fold.advance(rows[key], (day + 1) * DAY_MS - 1, context, out):
            heappush(heap, (rows[key].deadline_ms(rules), key))
        for delivered, sums in out.deliveries.items():
            learned.add(delivered, sums)
        out.deliveries.clear()
    return out
