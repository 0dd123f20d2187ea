"""One person's parcels and orders for tests: news in, jobs out, receipts back, without a task or Kafka.

Owns: a person's row with its courier, what comes in and what came out. Must not: know what is to be told.
"""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from msgspec import structs

from postcart.domain.campaign import DEFAULT, Campaign, Journey, Mobile, Step
from postcart.domain.journey import fold, orders, parcels, suppressions
from postcart.domain.journey.errands import Courier
from postcart.domain.journey.outcome import Context, Decided
from postcart.domain.journey.person import Person
from postcart.domain.journey.receipts import settle
from postcart.domain.messages import ORDERS, PARCELS, Message, Messages, Occasion, default_message
from postcart.domain.zones import resolver
from postcart.events.consents import ConsentRecorded
from postcart.events.decisions import Judged
from postcart.events.jobs import Channel, DeliveryReport, Job
from postcart.events.milestones import (
    Cleared,
    Delay,
    EstimateChanged,
    Expected,
    Milestone,
    MilestoneRecord,
    Registered,
    Status,
    cleared_id,
    delay_id,
    estimate_id,
    milestone_id,
)
from postcart.events.shop import Consent, OrderEvents, ProfileUpdated
from postcart.events.signals import Abandonment, LineState, Tags, VisitEnded, VisitStarted
from postcart.events.times import HOUR_MS, MINUTE_MS, from_ms
from receipts import receipt_of

MONDAY = 1_664_755_200_000
"""2022-10-03T00:00:00Z."""
PARCEL = "3b0f8a51-7c33-5f0e-9d1c-2f5f7f0f6a01"
OTHER_PARCEL = "4b0f8a51-7c33-5f0e-9d1c-2f5f7f0f6a02"
KNOWN: dict[str, Any] = {
    "person_id": "p-1",
    "order_id": "o-1",
    "carrier": "dhl",
    "tracking_number": "JD 0146",
}


def hours(count: float) -> int:
    """So many hours after that Monday began."""
    return MONDAY + round(count * HOUR_MS)


def messages(changes: Mapping[Occasion, Message] | None = None, **fields: Any) -> Messages:
    """Everything is told by email, but for the changes."""
    every = {occasion: default_message(occasion) for occasion in (*ORDERS, *PARCELS)}
    return Messages(name="messages", version="1", by_occasion={**every, **(changes or {})}, **fields)


def profile(number: int = 1, **fields: Any) -> ProfileUpdated:
    """Somebody who can be reached by mail and phone, in Berlin."""
    known = {"email": "a@shop.example", "phone": "+49151", "time_zone": "Europe/Berlin"}
    return ProfileUpdated(id=f"profile/{number}", time=MONDAY - 1_000 + number, person_id="p-1", **(known | fields))


def refusing(channel: Channel) -> tuple[Consent, ...]:
    """No messages over this channel, of whatever purpose."""
    return tuple(Consent(channel=channel, purpose=purpose, given=False) for purpose in ("marketing", "transactional"))


def expected(at_ms: int) -> Expected:
    """The carrier expects it in the hour before."""
    end = from_ms(at_ms)
    return Expected(at=end, earliest=end - timedelta(hours=1), latest=end, source="carrier")


def milestone(status: Status, at_ms: int, parcel: str = PARCEL, **fields: Any) -> Milestone:
    """Something happened."""
    name = milestone_id(parcel, status, fields.get("reason"))
    return Milestone(id=name, parcel_id=parcel, at=from_ms(at_ms), status=status, **(KNOWN | fields))


def estimate(expected_ms: int, at_ms: int, parcel: str = PARCEL) -> EstimateChanged:
    """It will be there at another time."""
    name = estimate_id(parcel, expected_ms)
    then = expected(expected_ms)
    return EstimateChanged(
        id=name, parcel_id=parcel, at=from_ms(at_ms), expected=then, previous=from_ms(at_ms), **KNOWN
    )


def delay(at_ms: int, level: int = 1, audiences: tuple[str, ...] = ("customer", "operations")) -> Delay:
    """No scan for days."""
    name, at = delay_id(PARCEL, "no_scan", "s1", level), from_ms(at_ms)
    known: dict[str, Any] = {"audiences": audiences, "since": at, **KNOWN}
    return Delay(id=name, parcel_id=PARCEL, at=at, rule="no_scan", level=level, **known)


def cleared(at_ms: int, status: Status | None = "in_transit", audiences: tuple[str, ...] = ("customer",)) -> Cleared:
    """That delay is over."""
    first = delay_id(PARCEL, "no_scan", "s1", 1)
    known: dict[str, Any] = {"audiences": audiences, "status": status, **KNOWN}
    at = from_ms(at_ms)
    return Cleared(id=cleared_id(first), parcel_id=PARCEL, at=at, rule="no_scan", delay_id=first, level=1, **known)


def registration(at_ms: int, **fields: Any) -> Registered:
    """The order was packed."""
    return Registered(id="r1", parcel_id=PARCEL, at=from_ms(at_ms), **(KNOWN | fields))


NINE = hours(9)


class Round:
    """A person and what came of it: ``jobs`` in the order in which they were emitted, every attempt."""

    def __init__(self, told: Messages | None = None, *profiles: ProfileUpdated, **context: Any) -> None:
        self.context = Context(campaign=DEFAULT, zones=resolver(None), messages=told or messages(), **context)
        self.person = Person(person_id="p-1")
        self.out = Decided()
        self.courier = Courier(self.person, self.context, self.out)
        for one in profiles or (profile(),):
            self.know(one)

    @property
    def jobs(self) -> list[Job]:
        """Emitted so far."""
        return self.out.jobs

    def know(self, known: ProfileUpdated) -> None:
        """The profile counts now."""
        self.person.profile = known
        points = {"email": known.email, "sms": known.phone}
        self.person.contact_ids = {f"{known.id}/{name}": f"id-of-{point}" for name, point in points.items() if point}
        self.courier.profile_came()

    def hear(self, *records: MilestoneRecord | OrderEvents) -> list[Job]:
        """Take in news and orders; returns what was emitted for them."""
        before = len(self.jobs)
        for record in records:
            if isinstance(record, OrderEvents):
                orders.arrive(self.courier, record)
            else:
                parcels.arrive(self.courier, record)
        return self.jobs[before:]

    def answer(self, job: Job, outcome: str = "accepted", *, at_ms: int | None = None, **fields: Any) -> list[Job]:
        """A sender's receipt; returns what was emitted for it."""
        before, at_ms = len(self.jobs), job.due_ms if at_ms is None else at_ms
        receipt = receipt_of(job, outcome, at_ms=at_ms, contact_id=f"id-of-{job.channel}", **fields)
        suppressions.receipt_came(self.person, receipt, self.out)
        if settle(self.person, receipt, self.out):
            self.courier.receipt_came(receipt)
        return self.jobs[before:]

    def report(self, job: Job, kind: str = "delivered", *, at_ms: int) -> list[Job]:
        """What came back; returns what was emitted for it."""
        before = len(self.jobs)
        report = DeliveryReport(
            report_id=f"{job.job_id}/{kind}",
            job_id=job.job_id,
            person_id=job.person_id,
            channel=job.channel,
            kind=kind,  # type: ignore[arg-type]  # spelt out by the tests
            at_ms=at_ms,
            source="test",
        )
        suppressions.report_came(self.person, report, self.out)
        self.courier.report_came(report)
        return self.jobs[before:]

    def wait(self, until_ms: int) -> list[Job]:
        """The shipping clock goes on; returns what was emitted."""
        before = len(self.jobs)
        while (due_ms := min(self.person.shipping_ms(), self.person.unpacked_ms())) <= until_ms:
            self.out.shipping_ms = max(due_ms, self.out.shipping_ms)
            orders.fire(self.courier, due_ms, parcels_ms=due_ms)
            self.courier.fire(due_ms)
        self.out.shipping_ms = until_ms
        return self.jobs[before:]

    def stopped(self, job: Job) -> str | None:
        """Why the gate would stop the job."""
        stop = self.person.cancelled.get(job.job_id)
        return None if stop is None else stop.reason

    def judged(self) -> list[tuple[str | None, str, str | None]]:
        """Occasion, outcome and reason of every decision."""
        return [
            (record.message, record.outcome, record.reason) for record in self.out.records if isinstance(record, Judged)
        ]


def over(*channels: str, **fields: Any) -> Round:
    """Shipped is told over one of these."""
    message = on(default_message("shipped"), channels=channels)
    return Round(messages({"shipped": message}), **fields)


def shipped(round_: Round) -> Job:
    """The one job of a parcel that was picked up at nine."""
    (job,) = round_.hear(milestone("picked_up", NINE))
    return job


def told_of(jobs: list[Job]) -> list[tuple[str, str]]:
    """Occasion and channel of each."""
    return [(job.journey, job.channel) for job in jobs]


def on(message: Message, **changes: Any) -> Message:
    """The message with other channels, for example."""
    return structs.replace(message, **changes)


def campaign(*fallback: str, channel: str = "sms", mobile: Mobile | None = None) -> Campaign:
    """Two steps, the first over that channel or another, after an hour; the second by email, after a day."""
    steps = (
        Step(after_ms=HOUR_MS, template="a", channel=channel, fallback=fallback),
        Step(after_ms=24 * HOUR_MS, template="b"),
    )
    journey = Journey(name="standard", steps=steps)
    return structs.replace(DEFAULT, journey=journey, quiet_hours=None, mobile=mobile)


class Cart(Round):
    """Somebody left a cart at nine on Monday, with consent for everything."""

    def __init__(self, chosen: Campaign, *, device: str = "desktop", trigger: str = "inactivity") -> None:
        given = tuple(Consent(channel=name, purpose="marketing", given=True) for name in ("email", "sms", "push"))
        super().__init__(None, profile(consents=given))
        self.context = structs.replace(self.context, campaign=chosen)
        self.courier = type(self.courier)(self.person, self.context, self.out)
        for channel in ("email", "sms"):
            record = ConsentRecorded(person_id="p-1", channel=channel, purpose="marketing", given=True, at_ms=MONDAY)
            self.person.consents[f"{record.channel}/{record.purpose}"] = record.given
        line = LineState(variant_id="shirt", quantity=1, changed_ms=NINE - MINUTE_MS, unit_price=Decimal(10))
        abandonment = Abandonment(
            abandonment_id="3b0f8a51-7c33-5f0e-9d1c-2f5f7f0f6a09",
            visitor_id="v",
            person_id="p-1",
            session_id="s",
            trigger=trigger,  # type: ignore[arg-type]  # spelt out by the tests
            abandoned_ms=NINE,
            lines=(line,),
            value=Decimal(10),
            currency="USD",
            tags=Tags(device=device),
        )
        known: dict[str, Any] = {"person_id": "p-1", "visitor_id": "v"}
        end = VisitEnded(at_ms=NINE, end_id="e", trigger="exit", lines=(line,), abandonment=abandonment, **known)
        self.take(VisitStarted(at_ms=NINE - 2 * MINUTE_MS, **known), end)

    def take(self, *happenings: Any) -> None:
        """Signals and orders, as they come."""
        fold.arrive(self.person, list(happenings), self.out)

    def at(self, clock_ms: int) -> list[Job]:
        """Carts are decided up to then; returns what was emitted."""
        before = len(self.jobs)
        fold.advance(self.person, clock_ms, self.context, self.out)
        return self.jobs[before:]
