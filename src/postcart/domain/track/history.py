"""A finished history of parcels, decided in event time.

Owns: the order in which rows are looked at, day by day. Must not: hold rules of its own.
"""

from collections.abc import Mapping, Sequence
from heapq import heapify, heappop, heappush

from postcart.domain.track import fold
from postcart.domain.track.estimate_days import DailyFit, LearnedDays
from postcart.domain.track.outcome import Context, Tracked
from postcart.domain.track.parcel import Parcel, ParcelEvent
from postcart.domain.track.rules import BusinessDays, Rules
from postcart.events.times import DAY_MS


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
