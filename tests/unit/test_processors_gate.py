"""What JOURNEY tells the senders: contact points with their opaque ids, and how fresh the gate is."""

from dataclasses import replace
from typing import Any

import msgspec
from confluent_kafka import Message

from postcart.domain.campaign import DEFAULT
from postcart.domain.journey import fold
from postcart.domain.journey.outcome import Context, Decided
from postcart.domain.journey.person import Person, contact_ids_of
from postcart.domain.zones import resolver
from postcart.events.gate import GateProgress
from postcart.events.shop import Consent, ProfileUpdated
from postcart.events.signals import TaskClock
from postcart.processors.engine.task import Idle, RecordBatch
from postcart.processors.gate import gate_record
from postcart.processors.journey import JourneyTask
from stage_configs import PARTITIONS, SIGNALS, journey_config
from tasks_in_memory import gate_writer

CONTEXT = Context(campaign=DEFAULT, zones=resolver(None))


def profile(number: int, **points: Any) -> ProfileUpdated:
    return ProfileUpdated(id=f"profile/{number}", time=1_000 * number, person_id="p", **points)


def folded(person: Person, *profiles: ProfileUpdated, clock_ms: int) -> None:
    out = Decided()
    fold.arrive(person, list(profiles), out)
    fold.advance(person, clock_ms, CONTEXT, out)


def test_contact_ids_are_those_of_the_profile_that_counts() -> None:
    """A later profile that is not folded yet has its own; what no profile needs any more is dropped."""
    gate, person = gate_writer(), Person(person_id="p")
    folded(person, gate.sealed(person, profile(1, email="a@x.example", phone="+491")), clock_ms=1_000)
    assert contact_ids_of(person) == {"email": "id of email a@x.example", "sms": "id of sms +491"}
    later = [gate.sealed(person, profile(n, email=f"{n}@x.example")) for n in (2, 3)]
    folded(person, *later, clock_ms=1_500)
    assert gate_record(person).contact_ids == contact_ids_of(person)
    assert contact_ids_of(person)["email"] == "id of email a@x.example"
    folded(person, clock_ms=2_000)
    assert gate_record(person).contact_ids == {"email": "id of email 2@x.example"}
    gate.drain()
    folded(person, gate.sealed(person, profile(4, email="4@x.example")), clock_ms=9_000)
    assert gate_record(person).contact_ids == {"email": "id of email 4@x.example"}
    assert {key.rpartition("/")[0] for key in person.contact_ids} == {"profile/2", "profile/3", "profile/4"}
    gate.drain()
    gate.sealed(person, profile(5))
    assert {key.rpartition("/")[0] for key in person.contact_ids} == {"profile/4"}


def agreeing(number: int, *, given: bool) -> ProfileUpdated:
    return profile(number, consents=(Consent(channel="email", purpose="marketing", given=given),))


def test_a_consent_taken_back_by_a_profile_counts_at_once() -> None:
    """As a return does: for the senders, before its time has come; one given waits, an older profile says nothing."""
    person = Person(person_id="p")

    def consents(*, at_once: bool = True) -> list[bool]:
        return [consent.given for consent in gate_record(person, at_once=at_once).consents]

    folded(person, agreeing(5, given=True), clock_ms=5_000)
    folded(person, agreeing(6, given=False), clock_ms=5_500)
    assert (consents(), consents(at_once=False)) == ([False], [True])
    folded(person, agreeing(7, given=True), clock_ms=6_500)
    assert consents() == [False]
    folded(person, clock_ms=7_000)
    assert consents() == [True]
    person.pending.append(agreeing(4, given=False))
    assert consents() == [True]
    person.pending[0] = agreeing(8, given=False)
    person.consents["email/marketing"] = True
    assert consents() == [True], "once there is a record in consents, no profile counts"


def test_senders_are_told_of_a_consent_taken_back() -> None:
    """In live operation only: a replay goes by event time."""
    for at_once in (True, False):
        gate, person = gate_writer(at_once=at_once), Person(person_id="p")
        gate.sealed(person, agreeing(1, given=True))
        assert [one for one in gate.drain() if one.topic == "gate"] == []
        gate.sealed(person, agreeing(2, given=False))
        assert bool([one for one in gate.drain() if one.topic == "gate"]) is at_once


def told(task: JourneyTask) -> list[GateProgress]:
    values = [output.value for output in task.drain().outputs if output.topic == "gate"]
    return [msgspec.json.decode(value, type=GateProgress) for value in values if value]


def task(*, exact_idle: bool) -> JourneyTask:
    config = journey_config(CONTEXT, exact_idle=exact_idle)
    return JourneyTask(replace(config, progress_interval_ms=1_000, disorder_ms=300_000), 0)


def idle_since(*asked_ms: int) -> dict[str, Idle]:
    """Orders, profiles and consents, as far as there are times; the worker's clock is not what counts."""
    topics = ("shop.orders", "shop.profiles", "consents")
    return {topic: Idle(7, at_ms) for topic, at_ms in zip(topics, asked_ms, strict=False)}


def clocks(journey: JourneyTask, clock_ms: int) -> None:
    """All of DETECT's tasks tell their clocks."""
    values = [msgspec.json.encode(TaskClock(task=number, clock_ms=clock_ms)) for number in range(PARTITIONS)]
    records = [
        Message(topic=SIGNALS, partition=0, offset=offset, value=value, timestamp=(2, 0))
        for offset, value in enumerate(values)
    ]
    journey.process(RecordBatch(SIGNALS, 0, 0, records, len(records)))


def test_progress_is_the_oldest_of_all_that_must_be_known() -> None:
    """Orders, consents and profiles; and by itself DETECT's, whose clock is behind by the allowed disorder."""
    journey = task(exact_idle=False)
    journey.advance(idle_since(50_000, 50_000), 50_000)
    assert told(journey) == []
    journey.advance(idle_since(52_000, 51_000, 53_000), 53_000)
    assert told(journey) == [GateProgress(partition=0, orders_read_ms=51_000, carts_read_ms=0)]
    clocks(journey, 400_000 - 300_000)
    journey.advance(idle_since(401_000, 401_000, 401_000), 401_000)
    assert told(journey) == [GateProgress(partition=0, orders_read_ms=401_000, carts_read_ms=400_000)]


def test_a_process_that_stood_still_does_not_call_old_knowledge_fresh() -> None:
    """Time passes and nothing new was asked for: what was known stays as old as it is."""
    journey = task(exact_idle=False)
    idle = idle_since(50_000, 50_000, 50_000)
    journey.advance(idle, 50_000)
    assert [one.orders_read_ms for one in told(journey)] == [50_000]
    journey.advance(idle, 999_000)
    assert told(journey) == []


def test_in_a_replay_freshness_is_real_time() -> None:
    """The worker's clock tells event times there; what counts is when watermarks were asked for, as ever."""
    journey = task(exact_idle=True)
    journey.advance(idle_since(999_000, 998_000, 999_000), 50_000)
    assert told(journey) == [GateProgress(partition=0, orders_read_ms=998_000)]
    journey.advance(idle_since(999_000, 998_000, 999_000), 5_000_000)
    assert told(journey) == []
