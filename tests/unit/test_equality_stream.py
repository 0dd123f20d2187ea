"""DETECT and JOURNEY as a stream decide like `simulate`: whatever the order of arrival, with a clock that moves.

The clock is what the pipeline's is: the latest event time seen, less the allowed disorder. Rows are encoded and read
back, touched late or early, and dropped when they say that nothing needs them.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from random import Random
from typing import Any

import msgspec
import pytest

from histories import CAMPAIGNS, DAY, DISORDER, random_history, shuffled, tripled
from oracle import Campaign, decide
from oracle.basics import milliseconds
from postcart.domain.detect import fold as detect
from postcart.domain.detect.outcome import Detected
from postcart.domain.detect.rules import Rules
from postcart.domain.detect.visitor import FOR_EVER, Visitor
from postcart.domain.journey import fold as journey
from postcart.domain.journey.outcome import Decided
from postcart.domain.journey.person import Person
from postcart.events.decisions import Decision
from postcart.events.shop import OrderEvents, ProfileUpdated, ShopEvent, time_ms
from postcart.events.signals import Emptied, Returning
from side_by_side import Json, comparable, context, simulated, typed


class Stream:
    """Both stages in one process, fed event by event."""

    def __init__(self, campaign: Campaign, random: Random) -> None:
        self.context = context(campaign)
        self.rules = Rules(seasons=campaign.peaks)
        self.random = random
        self.visitors: dict[str, Visitor] = {}
        self.persons: dict[str, Person] = {}
        self.decisions: list[Decision] = []
        self.latest = 0
        self.fired = 0

    def run(self, events: Iterable[ShopEvent]) -> Counter[str]:
        """Every decision on these arrivals, as a multiset of lines."""
        for event in events:
            self.latest = max(self.latest, time_ms(event))
            self.arrive(event)
            self.advance(self.latest - DISORDER)
        self.advance(FOR_EVER - 1, everything=True)
        lines = (msgspec.json.decode(msgspec.json.encode(decision)) for decision in self.decisions)
        return Counter(comparable(line) for line in lines)

    def arrive(self, event: ShopEvent) -> None:
        """One event reaches its row."""
        if isinstance(event, OrderEvents | ProfileUpdated):
            person = self.persons.setdefault(event.person_id, Person(person_id=event.person_id))
            journey.arrive(person, [event], Decided())
            return
        detected = Detected()
        visitor = self.visitors.setdefault(event.visitor_id, Visitor(visitor_id=event.visitor_id))
        detect.arrive(visitor, [event], detected, too_old_ms=self.fired - self.rules.forget_ms)
        self.take(detected)

    def advance(self, clock: int, *, everything: bool = False) -> None:
        """Time goes on: rows whose deadline has come must be touched, others may be."""
        for key, visitor in list(self.visitors.items()):
            if everything or visitor.deadline_ms(self.rules) <= clock or self.random.random() < 0.3:
                detected = Detected()
                keep = detect.advance(visitor, clock, self.rules, detected)
                self.take(detected)
                self.visitors[key] = reread(visitor, Visitor)
                if not keep:
                    del self.visitors[key]
        self.fired = max(self.fired, clock)
        for key, person in list(self.persons.items()):
            if everything or person.deadline_ms() <= clock or self.random.random() < 0.3:
                decided = Decided()
                keep = journey.advance(person, clock, self.context, decided)
                self.decisions += decided.decisions
                self.persons[key] = reread(person, Person)
                if not keep:
                    del self.persons[key]

    def take(self, detected: Detected) -> None:
        """DETECT's signals reach JOURNEY at once."""
        self.decisions += detected.decisions
        for signal in detected.signals:
            person = self.persons.setdefault(signal.person_id, Person(person_id=signal.person_id))
            if isinstance(signal, Returning | Emptied):
                journey.hint(person, signal, Decided())
            else:
                journey.arrive(person, [signal], Decided())  # type: ignore[list-item]  # hints excluded above


def reread(row: Any, kind: type) -> Any:
    """The row after a restart."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(row), type=kind)


def as_they_come(events: list[Json], _: Random) -> list[Json]:
    return events


def repeated_late(events: list[Json], random: Random) -> list[Json]:
    """Half of the events again, long after everything about them was decided."""
    arrivals = [(number, event) for number, event in enumerate(events)]
    again = [(number + random.choice((1, 2, 3, 5, 100)), event) for number, event in arrivals if random.random() < 0.5]
    return [event for _, event in sorted(arrivals + again, key=lambda arrival: arrival[0])]


def check(way: Callable[[list[Json], Random], list[Json]], seeds: Iterable[int]) -> None:
    """The histories of these seeds, arriving this way."""
    for seed in seeds:
        campaign = CAMPAIGNS[seed % len(CAMPAIGNS)]
        events = random_history(seed, campaign=campaign)
        arrivals = typed(way(events, Random(seed)))
        assert Stream(campaign, Random(seed)).run(arrivals) == simulated(events, campaign), seed


@pytest.mark.parametrize("way", [as_they_come, shuffled, tripled])
def test_a_stream_decides_like_the_whole_history(way: Callable[[list[Json], Random], list[Json]]) -> None:
    """In order, shuffled within the allowed disorder, and with every event three times."""
    check(way, range(60))


def test_repeats_change_nothing_however_late_they_come() -> None:
    """Logins, logouts, clears, exits and orders told again, hours or months later."""
    check(repeated_late, range(100))


LATE = (
    {"type": "viewed", "variant_id": "shirt"},
    {"type": "checkout_step"},
    {"type": "exit"},
    {"type": "ended"},
    {"type": "ended", "reason": "logout"},
)


def late_event(events: list[Json], campaign: Campaign, random: Random) -> Json | None:
    """An event at or before an end that is decided by the time everything else has come, but not forgotten."""
    latest = max(milliseconds(event["time"]) for event in events)
    ends = [
        (milliseconds(line["abandoned_at"]), line["visitor_id"])
        for line in decide(events, campaign)
        if line["type"] == "abandonment"
    ]
    decided = [end for end in ends if latest - 30 * DAY < end[0] < latest - DISORDER - 1]
    if not decided:
        return None
    at, visitor = random.choice(decided)
    at -= random.choice((0, 1, 60_000, 900_000, 1_200_000))
    return random.choice(LATE) | {"id": "late", "time": at, "sequence": 5, "visitor_id": visitor, "session_id": "s1"}


def test_what_comes_too_late_changes_no_session() -> None:
    """Views, exits, checkout steps and logouts behind a decided end change no decision."""
    found = 0
    for seed in range(100):
        campaign = CAMPAIGNS[seed % len(CAMPAIGNS)]
        events = random_history(seed, campaign=campaign)
        late = late_event(events, campaign, Random(seed))
        if late is not None:
            found += 1
            arrivals = typed([*events, late])
            assert Stream(campaign, Random(seed)).run(arrivals) == simulated(events, campaign), seed
    assert found > 50


@pytest.mark.slow
@pytest.mark.parametrize("way", [shuffled, tripled, repeated_late])
def test_many_more(way: Callable[[list[Json], Random], list[Json]]) -> None:
    """The same by the hundred."""
    check(way, range(1_000, 1_600))
