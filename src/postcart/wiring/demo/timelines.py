"""What happened to single persons, in order of time.

Owns: which persons are told of, and how. Must not: decide, or know how a page looks.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Final, Literal
from zoneinfo import ZoneInfo

from postcart.events.decisions import (
    AbandonmentDecided,
    CancelReason,
    Decision,
    StepCancelled,
    StepDecision,
    StepDue,
    StepPlanned,
)
from postcart.events.shipments import ShipmentEvents
from postcart.events.shop import (
    CartCleared,
    Identified,
    LineAdded,
    LineRemoved,
    OrderEvents,
    OrderPlaced,
    ProductViewed,
    ProfileUpdated,
    ShopEvent,
    VariantUpdated,
    VisitorEvent,
    time_ms,
)
from postcart.events.times import from_ms, to_ms
from postcart.wiring.demo.history import History
from postcart.wiring.demo.story import WHY

Kind = Literal["visit", "order", "left", "planned", "sent", "stopped", "known"]
MailOf = Callable[[str, int], str | None]
"""Episode and step → where its mail is to be seen."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened at ``at_ms``; ``made_up`` by the demo; ``link``: its mail."""

    at_ms: int
    kind: Kind
    what: str
    made_up: bool = False
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A person's story."""

    title: str
    name: str
    locale: str
    time_zone: str
    moments: tuple[Moment, ...]

    def local(self, at_ms: int) -> str:
        """The time where the person lives."""
        return f"{from_ms(at_ms).astimezone(ZoneInfo(self.time_zone)):%a %H:%M}"

    def utc(self, at_ms: int) -> str:
        """The time in UTC."""
        return f"{from_ms(at_ms):%a %d %b %H:%M}"


@dataclass
class _Person:
    profile: ProfileUpdated
    events: list[ShopEvent]
    decisions: list[Decision]

    def reasons(self) -> set[str]:
        return {one.reason for one in self.decisions if isinstance(one, StepCancelled) and one.reason}

    def due(self) -> int:
        return sum(isinstance(one, StepDue) for one in self.decisions)


_STEPS: Final = 3
_HOUR_MIN: Final = 60

_TITLES: Final[tuple[tuple[str, Callable[[_Person], bool]], ...]] = (
    ("Left the cart, got all three reminders", lambda one: one.due() == _STEPS and not one.reasons()),
    ("Ordered: no further reminder", lambda one: one.reasons() == {"ordered"}),
    (
        "Came back: reminders stop, and begin anew when the cart is left again",
        lambda one: one.reasons() == {"returned"} and one.due() == _STEPS,
    ),
    (
        "Came back and bought",
        lambda one: one.reasons() == {"returned"} and any(isinstance(e, OrderPlaced) for e in one.events),
    ),
    ("Emptied the cart", lambda one: one.reasons() == {"returned"} and isinstance(one.events[-1], LineRemoved)),
    (
        "Came back on another device",
        lambda one: (
            len({e.visitor_id for e in one.events if isinstance(e, VisitorEvent)}) > 1 and "returned" in one.reasons()
        ),
    ),
    ("Left another cart soon after: spared", lambda one: "cool_off" in one.reasons()),
    ("Recognised a day after the cart was left", lambda one: "collapsed" in one.reasons()),
    ("Never agreed to reminders", lambda one: one.reasons() == {"no_consent"}),
)


def timelines(
    history: History, decisions: Iterable[Decision], *, mail_of: MailOf, offsets: Mapping[int, int]
) -> list[Told]:
    """Some persons' stories: one for each of the things that can happen, where somebody had it happen.

    ``offsets`` says when a step is planned, milliseconds after the cart was left.
    """
    persons = _persons(history.all, decisions)
    added = {event.id for event in history.added}
    told: list[Told] = []
    chosen: set[str] = set()
    for title, fits in _TITLES:
        for person_id, person in persons.items():
            if person_id not in chosen and fits(person):
                chosen.add(person_id)
                told.append(_told(title, person, added=added, mail_of=mail_of, offsets=offsets))
                break
    return told


def _persons(events: Sequence[ShopEvent], decisions: Iterable[Decision]) -> dict[str, _Person]:
    """Persons with decisions, and what they and their visitors did."""
    owner = {event.visitor_id: event.person_id for event in events if isinstance(event, Identified)}
    profiles: dict[str, ProfileUpdated] = {}
    did: dict[str, list[ShopEvent]] = defaultdict(list)
    for event in events:
        if isinstance(event, ProfileUpdated):
            profiles[event.person_id] = event
            continue
        if isinstance(event, VariantUpdated | ShipmentEvents):
            continue  # the catalogue's, nobody's own
        person = event.person_id if isinstance(event, OrderEvents) else owner.get(event.visitor_id)
        if person:
            did[person].append(event)
    decided: dict[str, list[Decision]] = defaultdict(list)
    for decision in decisions:
        person = decision.person_id
        if isinstance(decision, AbandonmentDecided) and person is None:
            person = owner.get(decision.visitor_id)
        if person:
            decided[person].append(decision)
    return {
        person: _Person(profile, did[person], decided[person])
        for person, profile in sorted(profiles.items())
        if any(not isinstance(one, AbandonmentDecided) for one in decided[person])
    }


def _told(title: str, person: _Person, *, added: set[str], mail_of: MailOf, offsets: Mapping[int, int]) -> Told:
    moments = [*_did(person.events, added), *_decided(person.decisions, mail_of, offsets)]
    moments.sort(key=lambda moment: moment.at_ms)
    profile = person.profile
    return Told(title, profile.name or "", profile.locale or "en", profile.time_zone or "UTC", tuple(moments))


def _did(events: Sequence[ShopEvent], added: set[str]) -> Iterable[Moment]:
    """One moment per visit and order."""
    visits: dict[tuple[str, str | None], list[VisitorEvent]] = defaultdict(list)
    for event in events:
        if isinstance(event, OrderPlaced):
            total = f", {event.total} {event.currency}" if event.total is not None else ""
            yield Moment(time_ms(event), "order", f"Ordered{total}", made_up=event.id in added)
        elif isinstance(event, Identified) and event.session_id is None:
            yield Moment(time_ms(event), "known", "Gave an address: recognised", made_up=event.id in added)
        elif isinstance(event, VisitorEvent):
            visits[event.visitor_id, event.session_id].append(event)
    devices = list(dict.fromkeys(visitor for visitor, _ in visits))
    for (visitor, _), found in visits.items():
        device = f" on device {devices.index(visitor) + 1}" if len(devices) > 1 else ""
        yield Moment(time_ms(found[0]), "visit", f"Visit{device}: {_summary(found)}", made_up=found[0].id in added)


_DONE: Final[tuple[tuple[type[VisitorEvent], str, str], ...]] = (
    (ProductViewed, "looked at", "product"),
    (LineAdded, "put in the cart", "time"),
    (LineRemoved, "taken out", "time"),
)


def _summary(events: Sequence[VisitorEvent]) -> str:
    parts = []
    for kind, verb, noun in _DONE:
        number = sum(isinstance(event, kind) for event in events)
        if number:
            parts.append(f"{number} {noun}{'s' if number > 1 else ''} {verb}")
    if any(isinstance(event, CartCleared) for event in events):
        parts.append("cart ordered")
    minutes = round((time_ms(events[-1]) - time_ms(events[0])) / 60_000)
    return ", ".join(parts or ["came by"]) + (f", {minutes} min" if minutes else "")


def _decided(decisions: Sequence[Decision], mail_of: MailOf, offsets: Mapping[int, int]) -> Iterable[Moment]:
    planned: dict[tuple[str, int], int] = {}
    for one in decisions:
        match one:
            case AbandonmentDecided():
                value = f", {one.value} {one.currency}" if one.value is not None else ""
                count = sum(line.quantity for line in one.lines)
                text = f"Cart left behind: {count} item{'s' if count > 1 else ''}{value} ({one.trigger})"
                yield Moment(to_ms(one.abandoned_at), "left", text)
            case StepPlanned():
                planned[one.episode_id, one.step] = to_ms(one.at)
            case StepDue():
                due_ms = to_ms(one.at)
                late = due_ms - planned.get((one.episode_id, one.step), due_ms)
                night = f", after the night ({_hours(late)} later than planned)" if late else ""
                link = mail_of(one.episode_id, one.step)
                yield Moment(due_ms, "sent", f"Reminder {one.step} sent{night}", link=link)
            case StepCancelled():
                pass  # told together, below
    steps = [one for one in decisions if not isinstance(one, AbandonmentDecided)]
    for (kind, _, at, reason), group in groupby(steps, key=_together):
        found = list(group)
        if kind is StepPlanned:
            last = found[-1]
            plan = _list([f"{one.step} for {_day(to_ms(one.at))}" for one in found])
            at_ms = to_ms(last.at) - offsets.get(last.step, 0)
            yield Moment(at_ms, "planned", f"{_reminders(found)} planned: {plan}")
        elif kind is StepCancelled and at and reason:
            numbers = _list([str(one.step) for one in found])
            yield Moment(to_ms(at), "stopped", f"{_reminders(found)} {numbers} stopped: {WHY[reason]}")


def _together(one: StepDecision) -> tuple[type[StepDecision], str, datetime | None, CancelReason | None]:
    """Steps that are told in one sentence: planned at once, or stopped at one moment for one reason."""
    return type(one), one.episode_id, one.at if isinstance(one, StepCancelled) else None, one.reason


def _reminders(found: Sequence[StepDecision]) -> str:
    return "Reminders" if len(found) > 1 else "Reminder"


def _list(words: Sequence[str]) -> str:
    return ", ".join(words[:-1]) + (" and " if words[:-1] else "") + words[-1]


def _day(at_ms: int) -> str:
    return f"{from_ms(at_ms):%a %H:%M}"


def _hours(span_ms: int) -> str:
    minutes = round(span_ms / 60_000)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= _HOUR_MIN else f"{minutes} min"
