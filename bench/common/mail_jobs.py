"""Mails to be sent, as JOURNEY hands them to a sender.

Owns: people with keys and consent, their jobs, and JOURNEY's word of how far it has read. Must not: measure, or send.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import msgspec
from confluent_kafka import Producer

from postcart.adapters.vault import Vault
from postcart.events.gate import GateConsent, GatePerson, GateProgress
from postcart.events.ids import POSTCART, contact_id, uuid5
from postcart.events.jobs import Job
from postcart.events.signals import LineState
from postcart.events.times import DAY_MS, HOUR_MS
from postcart.settings import Settings

_EVERY_S = 0.2
_encode = msgspec.json.Encoder().encode


def fill(settings: Settings, jobs: int, people: int) -> None:
    """Write so many jobs for so many people, who can all be written to now."""
    producer = Producer(
        {
            "bootstrap.servers": settings.bootstrap,
            "partitioner": "murmur2_random",
            "linger.ms": 20,
            "compression.type": "lz4",
        }
    )
    names = [uuid5(POSTCART, f"bench/{number}") for number in range(people)]
    vault = Vault(settings.master_key_bytes, os.urandom)
    for number, person in enumerate(names):
        wrapped = vault.new_key()
        _produce(producer, settings.topic("keys"), wrapped, person)
        _produce(producer, settings.topic("gate"), _encode(_gate(vault, wrapped, person, number)), person)
    producer.flush()
    now_ms = time.time_ns() // 1_000_000
    for number in range(jobs):
        person = names[number % people]
        job = _job(person, number // people, now_ms)
        _produce(producer, settings.topic("jobs.email.marketing"), _encode(job), person)
    producer.flush()


@contextmanager
def journey(settings: Settings) -> Iterator[None]:
    """JOURNEY says that orders and carts were read up to now, again and again, for the time of the block."""
    stop = threading.Event()
    telling = threading.Thread(target=_tell, args=(settings, stop))
    telling.start()
    try:
        yield
    finally:
        stop.set()
        telling.join()


def _tell(settings: Settings, stop: threading.Event) -> None:
    producer = Producer({"bootstrap.servers": settings.bootstrap})
    while not stop.wait(_EVERY_S):
        now_ms = time.time_ns() // 1_000_000
        for number in range(settings.partitions):
            record = GateProgress(partition=number, orders_read_ms=now_ms, carts_read_ms=now_ms)
            producer.produce(settings.topic("gate"), _encode(record), f"!progress:{number}", number)
        producer.poll(0)
    producer.flush()


def _gate(vault: Vault, wrapped: bytes, person: str, number: int) -> GatePerson:
    address = f"person{number}@example.com"
    # Where it is early afternoon no quiet hours hold a mail back.
    ahead = datetime.now(UTC).hour - 13
    return GatePerson(
        person_id=person,
        contacts={"email": vault.seal(wrapped, person, address)},
        contact_ids={"email": contact_id(b"bench", "email", address)},
        name=vault.seal(wrapped, person, f"Person {number}"),
        time_zone=f"Etc/GMT{ahead:+d}" if ahead else "Etc/GMT",
        consents=(GateConsent("email", "marketing", True),),  # noqa: FBT003 -- given
    )


def _job(person: str, number: int, now_ms: int) -> Job:
    name = f"{number}" if number else ""
    return Job(
        job_id=uuid5(UUID(person), f"job{name}"),
        person_id=person,
        episode_id=uuid5(UUID(person), f"episode{name}"),
        step=1,
        channel="email",
        purpose="marketing",
        campaign="cart-reminder",
        campaign_version="1",
        journey="standard",
        template="cart-reminder",
        armed_ms=now_ms - HOUR_MS,
        planned_ms=now_ms,
        due_ms=now_ms,
        not_after_ms=now_ms + DAY_MS,
        lines=(LineState(variant_id="5773203", quantity=1, changed_ms=0, unit_price=Decimal("2.62")),),
    )


def _produce(producer: Producer, topic: str, value: bytes, key: str) -> None:
    """One record; waits while the queue is full."""
    while True:
        try:
            producer.produce(topic, value, key)
        except BufferError:
            producer.poll(0.05)
        else:
            return
