"""`simulate`: the same rules over a finished history, in event time and without Kafka.

Owns: feeding DETECT, JOURNEY and TRACK a whole history, and the order of what comes out. Must not: hold rules.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from heapq import merge
from operator import itemgetter

from postcart.domain.detect import fold as detect
from postcart.domain.detect.outcome import Arrival, Detected
from postcart.domain.detect.rules import Rules
from postcart.domain.detect.visitor import FOR_EVER, Visitor
from postcart.domain.journey import fold as journey
from postcart.domain.journey.outcome import Context, Decided
from postcart.domain.journey.person import Happening, Person
from postcart.domain.track.history import Tracking, follow_events
from postcart.events.decisions import Decision
from postcart.events.milestones import ParcelDecision
from postcart.events.shipments import ShipmentEvents
from postcart.events.shop import OrderEvents, ProfileUpdated, ShopEvent, VariantUpdated
from postcart.events.signals import Emptied, Returning
from postcart.events.times import to_ms


def simulate(events: Iterable[ShopEvent], context: Context, rules: Rules) -> Iterator[Decision]:
    """Every decision on this history, in the order of deciding. Events may come in any order; repeats change nothing.

    The whole history is there before the first decision, so no event is late; after the last one time runs on until
    nothing is pending, and every step that becomes due counts as sent. Parcels are passed over.
    """
    for _, decision in _decided(events, context, rules):
        yield decision


def simulate_all(
    events: Iterable[ShopEvent], context: Context, rules: Rules, tracking: Tracking
) -> Iterator[Decision | ParcelDecision]:
    """As ``simulate``, and what is told of parcels among it, by time; at one moment carts come first."""
    taken = list(events)
    carts = _decided(taken, context, rules)
    told = follow_events((event for event in taken if isinstance(event, ShipmentEvents)), tracking)
    parcels = sorted(zip(told.moments, told.news, strict=True), key=itemgetter(0))
    for _, decision in merge(carts, parcels, key=itemgetter(0)):
        yield decision


def _decided(events: Iterable[ShopEvent], context: Context, rules: Rules) -> list[tuple[int, Decision]]:
    visitors: dict[str, list[Arrival]] = defaultdict(list)
    persons: dict[str, list[Happening]] = defaultdict(list)
    for event in events:
        if isinstance(event, VariantUpdated | ShipmentEvents):
            continue  # stock and price are looked at when a message is sent, and simulate sends none
        if isinstance(event, OrderEvents | ProfileUpdated):
            persons[event.person_id].append(event)
        else:
            visitors[event.visitor_id].append(event)
    decisions: list[tuple[int, Decision]] = []
    for visitor_id, arrivals in sorted(visitors.items()):
        detected = Detected()
        visitor = Visitor(visitor_id=visitor_id)
        detect.arrive(visitor, arrivals, detected)
        detect.advance(visitor, FOR_EVER, rules, detected)
        decisions += [(to_ms(decision.abandoned_at), decision) for decision in detected.decisions]
        for signal in detected.signals:
            if not isinstance(signal, Returning | Emptied):
                persons[signal.person_id].append(signal)  # type: ignore[arg-type]  # hints excluded above
    for person_id, happenings in sorted(persons.items()):
        decided = Decided()
        person = Person(person_id=person_id)
        journey.arrive(person, happenings, decided)
        journey.advance(person, FOR_EVER - 1, context, decided)
        decisions += zip(decided.moments, decided.decisions, strict=True)
    # Stable: what one person's row decided at one moment stays in the order of decision.
    decisions.sort(key=itemgetter(0))
    return decisions
