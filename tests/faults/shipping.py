"""A stand-in for the parcels' stage: transactional jobs for people whom the gate knows.

Owns: emitting them under load, and the next attempt where a provider asked to come back later. Must not: judge.
"""

import threading
import uuid
from decimal import Decimal
from random import Random
from typing import Any

import msgspec
from confluent_kafka import Producer

from faults.feed import Feed
from faults.tail import Tail
from postcart.events.gate import GatePerson, GateRecord
from postcart.events.jobs import Job, Receipt, ReceiptRecord
from postcart.events.signals import LineState
from postcart.settings import Settings
from waiting import wait_for

_NAMES = uuid.UUID("c1a2f0de-51f4-5d0a-9f65-0d6e3a0f7a11")
_DAY_MS = 86_400_000
_encode = msgspec.json.Encoder().encode
_gate = msgspec.json.Decoder(GateRecord)
_receipt = msgspec.json.Decoder(ReceiptRecord)


class Shipping:
    """Emits ``count`` jobs, evenly over the feed's time."""

    def __init__(self, settings: Settings, client: dict[str, Any], feed: Feed, *, count: int, random: Random) -> None:
        self._settings, self._feed, self._count, self._random = settings, feed, count, random
        bootstrap, partitions = client["bootstrap.servers"], settings.partitions
        self._gate = Tail(bootstrap, settings.topic("gate"), partitions)
        self._receipts = Tail(bootstrap, settings.topic("receipts"), partitions)
        self._producer = Producer(
            {
                **client,
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                "message.timeout.ms": 1_800_000,
                "log_level": 0,
            }
        )
        self._read = [0, 0]
        self._people: dict[str, None] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shipping", daemon=True)
        self.jobs: dict[str, Job] = {}
        """By id, with the latest attempt."""
        self.failure: BaseException | None = None

    @property
    def finished(self) -> bool:
        """Whether all were emitted."""
        return len(self.jobs) >= self._count

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stop.set()
        self._thread.join()
        self._producer.flush(10)
        self._gate.close()
        self._receipts.close()

    def _run(self) -> None:
        try:
            while not self._stop.wait(0.05):
                self._meet_people()
                self._come_back()
                due = self._count if self._feed.finished else int(self._feed.fraction * self._count)
                while self._people and len(self.jobs) < due:
                    self._emit(self._new_job())
                self._producer.poll(0)
        except BaseException as error:  # noqa: BLE001 -- told to the run, which fails by it
            self.failure = error

    def _meet_people(self) -> None:
        self._gate.poll(0.1)
        for seen in self._gate.records[self._read[0] :]:
            record = _gate.decode(seen.value) if seen.value else None
            if isinstance(record, GatePerson) and "email" in record.contacts:
                self._people[record.person_id] = None
        self._read[0] = len(self._gate.records)

    def _come_back(self) -> None:
        self._receipts.poll(0.1)
        for seen in self._receipts.records[self._read[1] :]:
            receipt = _receipt.decode(seen.value or b"")
            job = self.jobs.get(receipt.job_id)
            if (
                isinstance(receipt, Receipt)
                and receipt.outcome == "not_accepted"
                and job is not None
                and job.attempt == receipt.attempt
            ):
                self._emit(msgspec.structs.replace(job, attempt=job.attempt + 1))
        self._read[1] = len(self._receipts.records)

    def _emit(self, job: Job) -> None:
        self.jobs[job.job_id] = job
        topic = self._settings.topic("jobs.email.transactional")
        self._producer.produce(topic, _encode(job), job.person_id)

    def add(self, template: str) -> Job:
        """One more job, of this template; waits until somebody is known who can have it."""
        wait_for(lambda: self._people, lambda: "nobody is known at the gate")
        job = msgspec.structs.replace(self._new_job(f"extra-{template}"), template=template)
        self._emit(job)
        return job

    def _new_job(self, name: str = "") -> Job:
        number, now_ms = f"{name}{len(self.jobs)}", self._feed.now_ms
        person = self._random.choice(list(self._people))
        return Job(
            job_id=str(uuid.uuid5(_NAMES, f"{self._settings.topic_prefix}{number}")),
            person_id=person,
            episode_id=str(uuid.uuid5(_NAMES, f"parcel/{self._settings.topic_prefix}{number}")),
            step=1,
            channel="email",
            purpose="transactional",
            campaign="shipping",
            campaign_version="1",
            journey="standard",
            template="cart-reminder",
            armed_ms=now_ms,
            planned_ms=now_ms,
            due_ms=now_ms,
            not_after_ms=now_ms + 20 * _DAY_MS,
            lines=(LineState(variant_id="5773203", quantity=1, changed_ms=0, unit_price=Decimal("2.62")),),
            value=Decimal("2.62"),
            currency="USD",
        )
