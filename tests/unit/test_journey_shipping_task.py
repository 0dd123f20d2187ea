"""JOURNEY's task with orders and parcels: they don't wait for carts, survive restarts, and reach topics and gate."""

from typing import Any
from unittest.mock import patch

import msgspec
from confluent_kafka import Message
from msgspec import Struct, structs

from postcart.domain.campaign import DEFAULT
from postcart.domain.journey.outcome import Context
from postcart.domain.messages import default_message
from postcart.domain.zones import resolver
from postcart.events.alerts import Alert
from postcart.events.gate import GatePerson, GateRecord
from postcart.events.jobs import Job
from postcart.events.shop import OrderPaid, OrderPlaced
from postcart.events.signals import TaskClock
from postcart.events.times import HOUR_MS, MINUTE_MS, SECOND_MS
from postcart.processors import journey
from postcart.processors.engine.task import Idle, Output, RecordBatch, Row
from postcart.processors.journey import JourneyTask
from rounds import MONDAY, cleared, delay, hours, messages, milestone, on, profile, registration
from stage_configs import DEAD, JOBS, MILESTONES, RECEIPTS, SHOP_ORDERS, SHOP_PROFILES, journey_config
from tasks_in_memory import FAR_FUTURE_MS, accepted

TOLD = messages({"placed": on(default_message("placed"), channels=("sms", "email"))})
CONFIG = journey_config(Context(campaign=DEFAULT, zones=resolver(None), messages=TOLD), exact_idle=False)
TOPICS = (SHOP_ORDERS, SHOP_PROFILES, MILESTONES, RECEIPTS)


class Desk:
    """A task of one partition, with what it wrote. No DETECT task ever tells it a clock."""

    def __init__(self) -> None:
        self.task = JourneyTask(CONFIG, 0)
        self.changelog: list[Row] = []
        self.offset = 0
        self.outputs: list[Output] = []

    def read(self, topic: str, *records: Struct) -> list[Job]:
        """Process the records; returns the jobs that are written."""
        batch = []
        for record in records:
            value = msgspec.json.encode(record)
            fields: dict[str, Any] = {"topic": topic, "partition": 0, "offset": self.offset, "value": value}
            key = getattr(record, "person_id", "p-1").encode()
            batch.append(Message(**fields, key=key, timestamp=(1, FAR_FUTURE_MS)))
            self.offset += 1
        self.task.process(RecordBatch(topic, 0, self.offset - len(batch), batch, self.offset))
        return self.commit()

    def wait(self, until_ms: int, *, unread: str | None = None) -> list[Job]:
        """Everything was read up to then, but for a topic."""
        self.task.advance({topic: Idle(until_ms, until_ms) for topic in TOPICS if topic != unread}, until_ms)
        return self.commit()

    def commit(self) -> list[Job]:
        """Returns the jobs that are written."""
        outputs, rows = self.task.drain()
        self.changelog += rows
        self.outputs += outputs
        assert [output for output in outputs if output.topic == DEAD] == []
        return [msgspec.json.decode(one.value or b"", type=Job) for one in outputs if one.topic == JOBS]

    def crash(self) -> None:
        """Only the changelog is left."""
        self.task = JourneyTask(CONFIG, 0)
        self.task.restore(self.changelog)
        self.task.restored()

    def gate(self) -> GatePerson:
        """The person's latest record."""
        values = [one.value for one in self.outputs if one.topic == "gate"]
        records = [msgspec.json.decode(value or b"", type=GateRecord) for value in values]
        return next(record for record in reversed(records) if isinstance(record, GatePerson))


def placed(at_ms: int = MONDAY) -> OrderPlaced:
    return OrderPlaced(id="e-placed", time=at_ms, person_id="p-1", order_id="o-1")


def test_news_is_told_at_once() -> None:
    """No cart clock is known, no profile is folded: the address is at the gate all the same."""
    desk = Desk()
    desk.read(SHOP_PROFILES, profile())
    (job,) = desk.read(MILESTONES, registration(hours(0)), milestone("picked_up", hours(1)))
    assert (job.journey, job.channel) == ("shipped", "email")
    assert desk.gate().contacts == {"email": "a@shop.example", "sms": "+49151"}
    assert set(desk.gate().contact_ids) == {"email", "sms"}


def test_news_that_is_faster_than_the_profile() -> None:
    """It waits for it, also over a restart."""
    desk = Desk()
    assert desk.read(MILESTONES, milestone("picked_up", hours(1))) == []
    desk.crash()
    (job,) = desk.read(SHOP_PROFILES, profile())
    assert (job.journey, desk.gate().contacts["email"]) == ("shipped", "a@shop.example")


def test_what_falls_due_survives_a_restart() -> None:
    """The payment reminder, an attempt that is to be made again, the fallback."""
    desk = Desk()
    desk.read(SHOP_PROFILES, profile())
    (confirmation,) = desk.read(SHOP_ORDERS, placed())
    assert confirmation.channel == "sms"
    desk.read(RECEIPTS, accepted(confirmation))
    (shipped,) = desk.read(MILESTONES, milestone("picked_up", hours(1)))
    later = structs.replace(accepted(shipped), outcome="not_accepted", not_before_ms=hours(2))
    desk.read(RECEIPTS, later)
    desk.crash()
    (fallback,) = desk.wait(MONDAY + 10 * MINUTE_MS)
    assert (fallback.journey, fallback.channel) == ("placed", "email")
    desk.read(RECEIPTS, accepted(fallback))
    desk.crash()
    (again,) = desk.wait(hours(2))
    assert (again.job_id, again.attempt) == (shipped.job_id, 2)
    desk.crash()
    assert desk.wait(hours(24) - 1) == []
    (reminder,) = desk.wait(hours(24))
    assert reminder.journey == "unpaid"


def test_nothing_falls_due_before_everything_was_read() -> None:
    """A payment may be among what is not read yet."""
    desk = Desk()
    desk.read(SHOP_PROFILES, profile())
    desk.read(SHOP_ORDERS, placed())
    for topic in TOPICS:
        assert desk.wait(hours(25), unread=topic) == []
    desk.read(SHOP_ORDERS, OrderPaid(id="e-paid", time=hours(24), person_id="p-1", order_id="o-1"))
    assert desk.wait(hours(25)) == []


def test_an_order_is_unpacked_only_if_track_says_so() -> None:
    """While TRACK is behind, a parcel may be there that nobody has told of; meanwhile nothing is written."""
    desk = Desk()
    desk.read(SHOP_PROFILES, profile())
    for job in desk.read(SHOP_ORDERS, placed(), OrderPaid(id="e-paid", time=hours(1), person_id="p-1", order_id="o-1")):
        desk.read(RECEIPTS, accepted(job))
    desk.wait(hours(2))
    desk.crash()
    rows = len(desk.changelog)
    assert [desk.wait(hours(75)), desk.wait(hours(76))] == [[], []]
    assert len(desk.changelog) == rows
    desk.read(MILESTONES, TaskClock(task=0, clock_ms=hours(73) - 1))
    assert desk.wait(hours(77)) == []
    desk.crash()
    assert desk.wait(hours(78)) == []
    desk.read(MILESTONES, TaskClock(task=0, clock_ms=hours(73)))
    desk.crash()
    assert [job.journey for job in desk.wait(hours(79))] == ["unpacked"]
    assert desk.wait(hours(80)) == []


def test_whoever_waits_for_track_keeps_nobody_from_being_looked_at() -> None:
    """More orders that nobody packed than are looked at in one go, and a payment that is overdue after them."""
    desk = Desk()
    for number in range(2, 5):
        of = {"person_id": f"p-{number}", "order_id": f"o-{number}"}
        desk.read(SHOP_ORDERS, OrderPaid(id=f"e-{number}", time=hours(1), **of))
    desk.read(SHOP_PROFILES, profile())
    desk.read(SHOP_ORDERS, placed(hours(60)))
    desk.wait(hours(70))
    with patch.object(journey, "_FIRE_LIMIT", 2):
        assert "unpaid" in [job.journey for job in desk.wait(hours(84))]


def test_employees_are_alerted() -> None:
    """On a topic of their own, by the trouble."""
    desk = Desk()
    desk.read(MILESTONES, delay(hours(1)), cleared(hours(30), audiences=("operations",)))
    records = [output for output in desk.outputs if output.topic == "alerts"]
    alerts = [msgspec.json.decode(output.value or b"", type=Alert) for output in records]
    assert [alert.resolved for alert in alerts] == [False, True]
    assert {output.key for output in records} == {alerts[0].dedup_key.encode()}


def test_a_late_receipt_of_carts_changes_nothing_here() -> None:
    """Only the same job's: attempts of before are nobody's news."""
    desk = Desk()
    desk.read(SHOP_PROFILES, profile())
    (shipped,) = desk.read(MILESTONES, milestone("picked_up", hours(1)))
    later = structs.replace(accepted(shipped), outcome="not_accepted", not_before_ms=hours(1) + SECOND_MS)
    desk.read(RECEIPTS, later, later)
    (again,) = desk.wait(hours(1) + SECOND_MS)
    assert desk.read(RECEIPTS, later) == []
    assert desk.wait(hours(1) + HOUR_MS) == []
    desk.read(RECEIPTS, accepted(again))
    assert desk.wait(hours(40)) == []
