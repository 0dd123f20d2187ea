"""What comes back suppresses contact points: which, when, and never twice."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postcart.codecs.records import RecordDecoder
from postcart.domain.campaign import DEFAULT
from postcart.domain.journey.fold import advance
from postcart.domain.journey.mailing import MOST, Mailing, forget
from postcart.domain.journey.outcome import Context, Decided
from postcart.domain.journey.person import Outstanding, Person
from postcart.domain.journey.receipts import settle
from postcart.domain.journey.suppressions import receipt_came, report_came
from postcart.domain.zones import resolver
from postcart.events.jobs import DeliveryReport, Job, Receipt, ReceiptRecord
from postcart.events.suppressions import Suppressed
from postcart.events.times import DAY_MS, HOUR_MS
from postcart.processors.engine.task import RecordBatch
from postcart.processors.journey import JourneyTask
from stage_configs import journey_config
from tasks_in_memory import Message

NOON_MS = 1_664_625_600_000
CONTEXT = Context(campaign=DEFAULT, zones=resolver(None))


def receipt(job: str = "j-1", *, at_ms: int = NOON_MS, **changes: Any) -> Receipt:
    fields: dict[str, Any] = {
        "job_id": job,
        "person_id": "p-1",
        "episode_id": "e-1",
        "step": 1,
        "channel": "email",
        "purpose": "marketing",
        "attempt": 1,
        "outcome": "accepted",
        "at_ms": at_ms,
        "contact_id": "first",
    }
    return Receipt(**(fields | changes))


def report(job: str = "j-1", kind: str = "hard", *, at_ms: int = NOON_MS + HOUR_MS, **changes: Any) -> DeliveryReport:
    fields: dict[str, Any] = {
        "report_id": f"{job}/{kind}/{changes.get('status')}",
        "job_id": job,
        "person_id": "p-1",
        "channel": "email",
        "kind": kind,
        "at_ms": at_ms,
        "source": "dsn",
    }
    return DeliveryReport(**(fields | changes))


def waiting(job_id: str) -> Outstanding:
    job = Job(
        job_id=job_id,
        person_id="p-1",
        episode_id="e-1",
        step=1,
        channel="email",
        purpose="marketing",
        campaign="cart-reminder",
        campaign_version="1",
        journey="standard",
        template="cart-reminder",
        armed_ms=NOON_MS - HOUR_MS,
        planned_ms=NOON_MS,
        due_ms=NOON_MS,
        not_after_ms=NOON_MS + DAY_MS,
    )
    return Outstanding(job=job)


def told(*records: Receipt | DeliveryReport, person: Person | None = None) -> list[tuple[str, str]]:
    """Contact point and reason of each suppression that the records bring, in order."""
    person, out = person or Person(person_id="p-1"), Decided()
    take(person, records, out)
    return [(item.contact_id, item.reason) for item in out.suppressed]


def take(person: Person, records: Any, out: Decided) -> None:
    for record in records:
        if isinstance(record, Receipt):
            receipt_came(person, record, out)
            settle(person, record, out)
        else:
            report_came(person, record, out)


def softs(count: int, *, first: int = 0, hours: int = 24) -> list[Receipt | DeliveryReport]:
    """Messages a day apart, each bounced softly an hour later."""
    return [
        record
        for number in range(first, first + count)
        for at_ms in (NOON_MS + number * hours * HOUR_MS,)
        for record in (receipt(f"j-{number}", at_ms=at_ms), report(f"j-{number}", "soft", at_ms=at_ms + HOUR_MS))
    ]


def test_a_hard_bounce_suppresses_the_address_that_was_used() -> None:
    """At once, everything; the report of an earlier address does not touch the one of today."""
    assert told(receipt(), report(status="5.1.1")) == [("first", "hard")]
    assert told(receipt(), receipt("j-2", contact_id="second"), report()) == [("first", "hard")]


def test_policy_and_the_rest_suppress_nobody() -> None:
    """5.7.x is for operators; delivered is good news."""
    for kind in ("policy", "other", "delivered"):
        assert told(receipt(), report(kind=kind, status="5.7.1")) == []


@pytest.mark.parametrize("status", ["5.1.7", "5.1.8", "550 5.1.8"])
def test_our_own_senders_address_is_not_the_recipients_fault(status: str) -> None:
    """A domain of ours that fails in the DNS must not cost every recipient of a provider."""
    assert told(receipt(), report(status=status)) == []
    assert told(receipt(outcome="rejected", status=status)) == []


@pytest.mark.parametrize(
    ("status", "suppressed"),
    [
        ("550 5.1.1", True),
        ("5.1.3", True),
        ("550 5.1.10", True),
        ("550 5.2.1", True),
        ("550 5.7.1", False),
        ("554 5.7.1", False),
        ("552 5.2.2", False),
        ("550 5.2.0", False),
        ("550", False),
        ("render", False),
        (None, False),
    ],
)
def test_a_rejection_suppresses_if_there_is_no_such_recipient(status: str | None, suppressed: bool) -> None:  # noqa: FBT001 -- a case
    """By its enhanced code; a bare 550 may be anything."""
    rejected = receipt(outcome="rejected", status=status)
    assert told(rejected, rejected) == ([("first", "hard")] if suppressed else [])


def test_a_complaint_suppresses_marketing_at_once() -> None:
    """And never weakens what is there: of a contact point only the last record counts."""
    assert told(receipt(), report(kind="complaint")) == [("first", "complaint")]
    both = told(receipt(), report(kind="complaint"), report(kind="hard"))
    assert both == [("first", "complaint"), ("first", "hard")]
    person = Person(person_id="p-1")
    assert told(receipt(), report(kind="hard"), person=person) == [("first", "hard")]
    later = [receipt("j-2"), report("j-2", "complaint")]
    assert told(*later, person=person) == [("first", "hard")]


def test_five_soft_bounces_in_a_row_suppress() -> None:
    """Not four; several notices about one message count once; the sixth begins a new row."""
    assert told(*softs(4)) == []
    again = [report("j-0", "soft", status=f"4.4.{number}", at_ms=NOON_MS + number * HOUR_MS) for number in range(9)]
    assert told(*softs(4), *again) == []
    assert told(*softs(5)) == [("first", "soft")]
    assert told(*softs(9)) == [("first", "soft")]
    assert told(*softs(10)) == [("first", "soft")] * 2


def test_a_delivery_ends_the_row() -> None:
    """Whether a report says so, or nothing was heard for 72 hours; less silence ends nothing."""
    at_ms = NOON_MS + 3 * DAY_MS + 2 * HOUR_MS
    silent = receipt("j-x", at_ms=at_ms)
    assert told(*softs(4), silent, report("j-x", "delivered"), *softs(1, first=4)) == []
    assert told(*softs(4), silent, *softs(1, first=4)) == [("first", "soft")]
    heard_ms = at_ms + 72 * HOUR_MS
    late = [receipt("j-y", at_ms=heard_ms - 2 * HOUR_MS), report("j-y", "soft", at_ms=heard_ms - 1)]
    assert told(*softs(4), silent, *late) == [("first", "soft")]
    late = [receipt("j-y", at_ms=heard_ms - 2 * HOUR_MS), report("j-y", "soft", at_ms=heard_ms)]
    assert told(*softs(4), silent, *late) == []
    uncertain = receipt("j-x", at_ms=at_ms, outcome="uncertain")
    assert told(*softs(4), uncertain, *late) == [("first", "soft")]


def test_rows_are_of_one_contact_point() -> None:
    """Bounces of a former address are not added to those of the new one."""
    former = [record if isinstance(record, DeliveryReport) else msgspec.structs.replace(record, contact_id="former")
              for record in softs(4)]  # fmt: skip
    assert told(*former, *softs(4, first=4)) == []


@given(st.permutations(range(5)), st.lists(st.integers(0, 4), max_size=5))
def test_the_order_of_soft_reports_and_repeats_change_nothing(order: list[int], repeats: list[int]) -> None:
    """All messages are out; reports come as they like, also while receipts are still to come."""
    records = softs(5, hours=1)
    reports = [records[2 * number + 1] for number in (*order, *repeats)]
    assert told(*records[::2], *reports) == [("first", "soft")]


KINDS = ("hard", "soft", "policy", "complaint", "delivered", "other")
HAPPENED = st.lists(
    st.one_of(
        st.builds(receipt, st.sampled_from("abcdefg"), outcome=st.sampled_from(["accepted", "uncertain"])),
        st.builds(report, st.sampled_from("abcdefg"), st.sampled_from(KINDS)),
    ),
    max_size=40,
)


@given(HAPPENED, HAPPENED)
def test_what_was_told_before_changes_nothing_when_told_again(first: list[Any], second: list[Any]) -> None:
    """Records come again after a crash of whoever writes them."""
    once, again = Person(person_id="p-1"), Person(person_id="p-1")
    for letter in "abcdefg":
        once.outstanding[letter] = again.outstanding[letter] = waiting(letter)
    out_once, out_again = Decided(), Decided()
    take(once, [*first, *second], out_once)
    take(again, [*first, *first, *second], out_again)
    assert out_once.suppressed == out_again.suppressed
    assert once.mailed == again.mailed


def test_a_report_may_be_faster_than_its_receipt() -> None:
    """It waits for it; what belongs to no job of this person waits for nothing."""
    person = Person(person_id="p-1")
    person.outstanding["j-1"] = waiting("j-1")
    assert told(report(), report(), report("unknown"), person=person) == []
    assert len(person.early) == 1
    assert told(receipt(), person=person) == [("first", "hard")]
    assert not person.early
    assert not report_came(person, report("unknown"), Decided())


def test_memory_is_bounded_and_fades() -> None:
    """31 days, soft bounces 180; what ended a row takes what was before it along."""
    person = Person(person_id="p-1")
    told(*(receipt(f"j-{number}", at_ms=NOON_MS + number) for number in range(3 * MOST)), person=person)
    assert len(person.mailed) == MOST
    person = Person(person_id="p-1")
    told(*softs(4), person=person)
    assert person.deadline_ms() == NOON_MS + 180 * DAY_MS
    assert advance(person, NOON_MS + 100 * DAY_MS, CONTEXT, Decided())
    at_ms = NOON_MS + 100 * DAY_MS
    fifth = [receipt("j-5", at_ms=at_ms), report("j-5", "soft", at_ms=at_ms)]
    assert told(*fifth, person=person) == [("first", "soft")]
    assert not advance(person, NOON_MS + 281 * DAY_MS, CONTEXT, Decided())
    mailed = {
        "a": Mailing(contact_id="first", channel="email", at_ms=NOON_MS, fate="soft"),
        "b": Mailing(contact_id="first", channel="email", at_ms=NOON_MS + 1),
        "c": Mailing(contact_id="other", channel="email", at_ms=NOON_MS, fate="soft"),
    }
    forget(mailed, NOON_MS + 31 * DAY_MS + 1)
    assert list(mailed) == ["c"]


def test_the_task_writes_suppressions_under_their_key() -> None:
    """Receipts and reports in, suppression records out, also over a restart in between."""
    config = journey_config(CONTEXT, exact_idle=False)
    decoder = RecordDecoder(ReceiptRecord, stage="journey")
    config = replace(config, decoders={**config.decoders, config.topics.receipts: decoder})
    first = JourneyTask(config, 0)
    first.restored()
    first.process(batch(config.topics.receipts, receipt()))
    second = JourneyTask(config, 0)
    second.restore(first.drain().rows)
    second.restored()
    second.process(batch(config.topics.receipts, report(status="5.1.1"), report(status="5.1.1")))
    [output] = [item for item in second.drain().outputs if item.topic == config.topics.suppressions]
    assert output.key == b"email:first"
    assert msgspec.json.decode(output.value or b"", type=Suppressed) == Suppressed(
        contact_id="first", channel="email", reason="hard", at_ms=NOON_MS + HOUR_MS, job_id="j-1", status="5.1.1"
    )


def batch(topic: str, *records: Any) -> RecordBatch:
    values = [msgspec.json.encode(record) for record in records]
    messages = [
        Message(topic=topic, partition=0, offset=offset, key=b"p-1", value=value, timestamp=(1, NOON_MS))
        for offset, value in enumerate(values)
    ]
    return RecordBatch(topic=topic, partition=0, start=0, records=messages, next=len(messages))
