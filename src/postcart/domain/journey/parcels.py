"""What TRACK tells of a parcel becomes messages to the customer and alerts to employees.

Owns: which news is told, and what it says. Must not: choose channels or hold messages up (errands does), or decide
what happened to a parcel (domain.track does).
"""

from msgspec import structs

from postcart.domain.journey import orders
from postcart.domain.journey.drafts import draft, end_of_telling
from postcart.domain.journey.errands import Courier
from postcart.domain.journey.outcome import Decided
from postcart.domain.journey.shipping import LINES_MOST, ParcelState, parcel_of, remember_told
from postcart.domain.messages import OF_STATUS, SUPERSEDES, Occasion
from postcart.events.alerts import Alert
from postcart.events.jobs import ParcelFacts
from postcart.events.milestones import (
    Cleared,
    Delay,
    EstimateChanged,
    Milestone,
    MilestoneRecord,
    Registered,
)
from postcart.events.times import to_ms

_TROUBLE = frozenset({"exception", "expired", "returned"})


def arrive(courier: Courier, news: MilestoneRecord) -> None:
    """One record of TRACK. Idempotent: what was told is not told again."""
    person, context = courier.person, courier.context
    parcel = parcel_of(person.parcels, news.parcel_id)
    at_ms = to_ms(news.at)
    parcel.seen_ms = max(parcel.seen_ms, at_ms)
    orders.parcel_known(courier, news)
    if isinstance(news, Registered):
        return
    occasion, occurrence = _meant(news)
    # In transit after picked up is no news; nor is what comes again.
    if occasion is None or not remember_told(parcel.told, f"{occasion}/{occurrence}", at_ms):
        return
    _alert(news, courier.out)
    if isinstance(news, Delay | Cleared) and "customer" not in news.audiences:
        return
    courier.supersede(news.parcel_id, SUPERSEDES[occasion], at_ms=at_ms)
    message = context.messages.by_occasion.get(occasion)
    if message is None or (isinstance(news, Cleared) and _says_so_anyway(news, parcel, at_ms)):
        return
    until_ms = end_of_telling(person, message, at_ms, context)
    job = draft(person, news.parcel_id, occasion, message, context, at_ms=at_ms, until_ms=until_ms)
    job = structs.replace(job, parcel=_facts(news))
    rule = news.rule if isinstance(news, Delay | Cleared) else None
    courier.begin(message, job, occurrence, delay=rule)


def _meant(news: Milestone | EstimateChanged | Delay | Cleared) -> tuple[Occasion | None, str]:
    """The occasion, and which occurrence of it; statuses that nobody is told have no occasion."""
    match news:
        case Milestone(status="exception"):
            return "exception", news.reason or "other"
        case Milestone():
            occasion = OF_STATUS.get(news.status)
            return occasion, "" if occasion in {news.status, "shipped"} else news.status
        case EstimateChanged():
            return "estimate_changed", news.id
        case Delay():
            return "delayed", news.id
        case Cleared():
            return "delay_cleared", news.id


def _says_so_anyway(news: Cleared, parcel: ParcelState, at_ms: int) -> bool:
    """The milestone that cleared the delay was told just now: that the parcel moves is no further news."""
    occasion = OF_STATUS.get(news.status) if news.status else None
    return occasion is not None and parcel.told.get(f"{occasion}/") == at_ms


def _facts(news: Milestone | EstimateChanged | Delay | Cleared) -> ParcelFacts:
    facts = ParcelFacts(
        parcel_id=news.parcel_id,
        order_id=news.order_id,
        carrier=news.carrier,
        tracking_number=news.tracking_number,
        number=news.number,
        count=news.count,
        service=news.service,
        lines=news.lines[:LINES_MOST],
        more_lines=max(0, len(news.lines) - LINES_MOST),
    )
    match news:
        case Milestone():
            return structs.replace(
                facts,
                status=news.status,
                reason=news.reason,
                attempts=news.attempts,
                place=news.place,
                expected=news.expected,
            )
        case EstimateChanged():
            return structs.replace(facts, expected=news.expected, previous=news.previous, late=news.late)
        case Delay():
            return structs.replace(
                facts,
                status=news.status,
                rule=news.rule,
                level=news.level,
                since=news.since,
                expected=news.expected,
            )
        case Cleared():
            return structs.replace(facts, status=news.status, rule=news.rule, level=news.level)


def _alert(news: Milestone | EstimateChanged | Delay | Cleared, out: Decided) -> None:
    """Employees hear of delays at the levels that are theirs, when these are over, and of parcels in trouble."""
    cause, level = "", 1
    if isinstance(news, Delay | Cleared) and "operations" in news.audiences:
        cause, level = news.rule, news.level
    elif isinstance(news, Milestone) and news.status in _TROUBLE:
        cause = news.status
    if not cause:
        return
    out.alerts.append(
        Alert(
            alert_id=news.id,
            kind="fulfilment_delay" if cause == "no_pickup" else "delivery_trouble",
            dedup_key=f"{news.parcel_id}/{cause}",
            at=news.at,
            cause=cause,
            level=level,
            resolved=isinstance(news, Cleared),
            order_id=news.order_id,
            parcel_id=news.parcel_id,
            carrier=news.carrier,
            tracking_number=news.tracking_number,
            status=None if isinstance(news, EstimateChanged) else news.status,
            reason=news.reason if isinstance(news, Milestone) else None,
            since=news.since if isinstance(news, Delay) else None,
            person_id=news.person_id,
        )
    )
