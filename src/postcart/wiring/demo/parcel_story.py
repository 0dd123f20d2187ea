"""What became of orders and parcels: how often what was found, told over which channel, and single parcels.

Owns: those numbers and words, from what the pipeline itself wrote. Must not: print, or decide.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from postcart.domain.messages import OF_STATUS, ORDERS, PARCELS, Occasion
from postcart.events.jobs import Job
from postcart.events.milestones import (
    Cleared,
    Delay,
    DelayRule,
    EstimateChanged,
    Milestone,
    ParcelDecision,
)
from postcart.events.shop import OrderPlaced, ProfileUpdated, time_ms
from postcart.events.times import to_ms
from postcart.wiring.demo.history import History
from postcart.wiring.demo.parcels import ways
from postcart.wiring.demo.tally import Tally
from postcart.wiring.demo.timelines import Moment, Told

CHANNELS: Final = ("email", "sms", "inapp")
CHANNEL_HEADS: Final[Mapping[str, str]] = {"email": "Email", "sms": "SMS", "inapp": "In-app"}
CHANNEL_WORDS: Final[Mapping[str, str]] = {"email": "mail", "sms": "text message", "inapp": "in the feed"}

RULES: Final[Mapping[DelayRule, str]] = {
    "no_pickup": "not picked up within 72 hours",
    "no_scan": "not seen for three business days",
    "estimate": "the day promised has passed",
}
"""What each rule says, for people."""

Link = Callable[[str], str | None]
"""Job → where its mail is to be seen."""


@dataclass(frozen=True, slots=True)
class ParcelRow:
    """A line of the table: how often it happened, and how many messages told it, by channel."""

    what: str
    why: str
    found: int
    by_channel: tuple[int, ...]
    part: bool = False


def parcel_rows(history: History, tally: Tally) -> list[ParcelRow]:
    """What happened to orders and parcels, in the order in which it usually happens; what did not is left out."""
    found: dict[Occasion, set[str]] = {"placed": {order.order_id for order in orders_of(history)}}
    for one in tally.parcels:
        occasion = occasion_of(one)
        if occasion is not None:
            # picked up and in transit are one thing to people: the parcel is on its way
            found.setdefault(occasion, set()).add(one.parcel_id if occasion == "shipped" else one.id)
    rows = []
    for occasion in (*ORDERS, *PARCELS):
        if occasion not in found:
            continue
        rows.append(_row(occasion, len(found[occasion]), tally))
        if occasion == "delayed":
            delays = [one for one in tally.parcels if isinstance(one, Delay) and one.level == 1]
            for rule, words in RULES.items():
                number = sum(one.rule == rule for one in delays)
                if number:
                    rows.append(ParcelRow(rule.replace("_", " "), words, number, (), part=True))
    return rows


def occasion_of(one: ParcelDecision) -> Occasion | None:
    """What people are told by it."""
    match one:
        case Milestone(status=status):
            return OF_STATUS.get(status)
        case EstimateChanged():
            return "estimate_changed"
        case Delay():
            return "delayed"
        case Cleared():
            return "delay_cleared"


def orders_of(history: History) -> list[OrderPlaced]:
    """All orders."""
    return [event for event in history.all if isinstance(event, OrderPlaced)]


def parcel_stories(
    history: History, tally: Tally, *, mail_of: Link, texts: Mapping[str, str]
) -> list[Told]:  # fmt: skip
    """A parcel for each way that one can go. ``texts``: job → what its text message or item of the feed says."""
    profiles = {event.person_id: event for event in history.all if isinstance(event, ProfileUpdated)}
    told: dict[str, tuple[int, Told]] = {}
    for order, way in ways(orders_of(history), after_ms=max(map(time_ms, history.real))):
        profile = profiles.get(order.person_id)
        parcels = [one for one in tally.parcels if one.order_id == order.order_id]
        if profile is None or not parcels:
            continue
        ids = {order.order_id, parcels[0].parcel_id}
        jobs = [job for job in tally.messages.values() if job.episode_id in ids and _accepted(job, tally)]
        moments = [*_order(order, history), *_found(parcels), *_told(jobs, mail_of, texts)]
        moments.sort(key=lambda moment: moment.at_ms)
        channels = len({job.channel for job in jobs})
        if way.title not in told or told[way.title][0] < channels:  # rather one that shows several channels
            told[way.title] = channels, _story(way.title, profile, tuple(moments))
    return [story for _, story in told.values()]


def _row(occasion: Occasion, found: int, tally: Tally) -> ParcelRow:
    jobs = [job for job in tally.messages.values() if job.journey == occasion and _accepted(job, tally)]
    counts = tuple(sum(job.channel == channel for job in jobs) for channel in CHANNELS)
    return ParcelRow(occasion.replace("_", " "), _WHY[occasion], found, counts)


_WHY: Final[Mapping[Occasion, str]] = {
    "placed": "the order is confirmed, by text message too where there is a number",
    "unpaid": "nobody has paid",
    "cancelled": "the order was cancelled",
    "refunded": "money was given back",
    "unpacked": "paid, and no parcel is known",
    "shipped": "the parcel is on its way",
    "out_for_delivery": "it comes today; told only as long as today lasts",
    "attempt_failed": "nobody was at home",
    "available_for_pickup": "it waits to be fetched",
    "delivered": "it has arrived",
    "exception": "the carrier has a problem",
    "returned": "it goes back",
    "estimate_changed": "later than promised, or by a day or more",
    "delayed": "found without an event:",
    "delay_cleared": "over by itself; told where no milestone says so already",
}


def _accepted(job: Job, tally: Tally) -> bool:
    receipt = tally.receipts.get(job.job_id)
    return receipt is not None and receipt.outcome == "accepted"


def _story(title: str, profile: ProfileUpdated, moments: tuple[Moment, ...]) -> Told:
    return Told(title, profile.name or "", profile.locale or "en", profile.time_zone or "UTC", moments)


def _order(order: OrderPlaced, history: History) -> Iterator[Moment]:
    total = f", {order.total} {order.currency}" if order.total is not None else ""
    made_up = all(real.id != order.id for real in history.real)
    yield Moment(time_ms(order), "order", f"Ordered{total}", made_up=made_up)


def _found(parcels: list[ParcelDecision]) -> Iterator[Moment]:
    for one in parcels:
        at_ms = to_ms(one.at)
        match one:
            case Milestone(status=status):
                yield Moment(at_ms, "visit", f"Parcel: {status.replace('_', ' ')}", made_up=True)
            case EstimateChanged(expected=expected, late=late):
                words = ", later than promised" if late else ""
                yield Moment(at_ms, "left", f"Now expected on {expected.latest:%a %d %b}{words}")
            case Delay(rule=rule, level=level):
                yield Moment(at_ms, "stopped", f"Delay found, level {level}: {RULES[rule]}")
            case Cleared(rule=rule):
                yield Moment(at_ms, "order", f"Delay cleared by itself ({rule.replace('_', ' ')})")


def _told(jobs: list[Job], mail_of: Link, texts: Mapping[str, str]) -> Iterator[Moment]:
    for job in jobs:
        words = f"{CHANNEL_WORDS.get(job.channel, job.channel).capitalize()}: {job.journey.replace('_', ' ')}"
        text = texts.get(job.job_id)
        yield Moment(job.due_ms, "sent", f"{words}, “{text}”" if text else words, link=mail_of(job.job_id))
