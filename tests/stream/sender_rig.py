"""Everything around a sender: topics, a stand-in for JOURNEY that fills them, worker processes, and what came out.

Owns: that surrounding. Must not: share code with the sender beyond the records' structs.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from postcart.adapters.rdkafka.leaders import watermarks_of
from postcart.adapters.vault import Vault
from postcart.codecs.shop_events import ShopEventEncoder
from postcart.events.decisions import Judged
from postcart.events.gate import GateConsent, GatePerson, GateProgress, Stop
from postcart.events.ids import contact_id
from postcart.events.jobs import Claim, Job, Receipt
from postcart.events.shop import VariantUpdated
from postcart.events.suppressions import Suppressed, SuppressionReason, suppression_key
from stream.due_jobs import due_job
from waiting import wait_for

HERE = Path(__file__).parent
MASTER_KEY = bytes(range(32))
_NAMES = uuid.UUID("7c0c4f0a-2a52-5c1e-8f55-4f2f6a1d9e01")
_encode = msgspec.json.Encoder().encode


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def message_id(job: Job) -> str:
    """By which a job's mail is known again."""
    return f"<{job.job_id}@shop.example>"


class Rig:
    """Topics of one test and all that touches them."""

    def __init__(self, cluster: Any, folder: Path, *, partitions: int = 4) -> None:
        self.bootstrap = cluster.bootstrap
        self.prefix = cluster.prefix("sender")
        self.partitions = partitions
        self.folder = folder
        names = ("jobs.email.transactional", "jobs.email.marketing", "gate", "keys", "claims.email", "receipts", "dead")
        names += ("decisions", "catalog", "suppressions")
        cluster.create({f"{self.prefix}{name}": partitions for name in names})
        self._commit_earliest()
        self._producer = Producer({"bootstrap.servers": self.bootstrap, "partitioner": "murmur2_random"})
        self._vault = Vault(MASTER_KEY, os.urandom)
        self._wrapped: dict[str, bytes] = {}
        self._stop = threading.Event()
        self._journey = threading.Thread(target=self._progress, daemon=True)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.smtp_port = 0
        self.progress_age_ms = 0
        """How old JOURNEY's order progress is said to be."""

    # -- JOURNEY ----------------------------------------------------------------------------------------------------

    def start_journey(self) -> None:
        """Begin to tell order progress."""
        self._journey.start()

    def _progress(self) -> None:
        while not self._stop.wait(0.2):
            for number in range(self.partitions):
                record = GateProgress(partition=number, orders_read_ms=now_ms() - self.progress_age_ms)
                self._producer.produce(f"{self.prefix}gate", _encode(record), f"!progress:{number}", number)
            self._producer.poll(0)

    def person(
        self, name: str, *, consent: bool = True, stops: Sequence[Stop] = (), key: bool = True, contact: bool = True
    ) -> str:
        """Write a person's gate record and key; returns the person id. Written again, the key stays."""
        person_id = str(uuid.uuid5(_NAMES, name))
        wrapped = self._wrapped.get(person_id) or self._vault.new_key()
        if key:
            self._wrapped[person_id] = wrapped
            self._producer.produce(f"{self.prefix}keys", wrapped, person_id)
        record = GatePerson(
            person_id=person_id,
            contacts={"email": self._vault.seal(wrapped, person_id, f"{name}@example.com")} if contact else {},
            contact_ids={"email": contact_id(b"identity", "email", f"{name}@example.com")} if contact else {},
            consents=(GateConsent("email", "marketing", consent),),
            stops=tuple(stops),
        )
        self._producer.produce(f"{self.prefix}gate", _encode(record), person_id)
        return person_id

    def job(self, person_id: str, step: int = 1, **changes: Any) -> Job:
        """A job that is due now."""
        purpose = changes.get("purpose", "marketing")
        fields = {
            "job_id": str(uuid.uuid5(uuid.UUID(person_id), f"{purpose}/{step}")),
            "step": step,
            "channel": "email",
        }
        return due_job(person_id, now_ms=now_ms(), **(fields | changes))

    def suppress(self, name: str, reason: SuppressionReason = "hard") -> None:
        """Suppress a person's address."""
        found = contact_id(b"identity", "email", f"{name}@example.com")
        record = Suppressed(contact_id=found, channel="email", reason=reason, at_ms=now_ms())
        self._producer.produce(f"{self.prefix}suppressions", _encode(record), suppression_key("email", found))

    def sells(self, variant_id: str, price: str, *, stock: int | None = None) -> None:
        """Write what a variant costs now, and how many there are."""
        variant = VariantUpdated(
            id=f"{variant_id}/{now_ms()}", time=now_ms(), variant_id=variant_id, unit_price=Decimal(price), stock=stock
        )
        _, key, value = ShopEventEncoder("single_object").encode(variant)
        self._producer.produce(f"{self.prefix}catalog", value, key)

    def flush(self) -> None:
        """Wait until everything written so far is on the broker."""
        self._producer.flush()

    def emit(self, *jobs: Job) -> None:
        """Put jobs into their topics, after everything written before."""
        self._producer.flush()
        for job in jobs:
            topic = f"{self.prefix}jobs.email.{job.purpose}"
            self._producer.produce(topic, _encode(job), job.person_id, on_delivery=_must_arrive)
            self._producer.poll(0)
        self._producer.flush()

    def emit_raw(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        """Put any bytes into a topic."""
        self._producer.produce(f"{self.prefix}{topic}", value, key)
        self._producer.flush()

    # -- workers ----------------------------------------------------------------------------------------------------

    def start(self, name: str = "one", **settings: Any) -> subprocess.Popen[bytes]:
        """Start a sender; its log is ``NAME.log`` in the test's folder."""
        told = {
            "bootstrap": self.bootstrap,
            "prefix": self.prefix,
            "name": name,
            "smtp_port": self.smtp_port,
            **settings,
        }
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 -- our own script
                [
                    sys.executable,
                    "-X",
                    "faulthandler",
                    str(HERE / "sender_process.py"),
                    msgspec.json.encode(told).decode(),
                ],
                stdout=log,
                stderr=log,
            )
        self.processes[name] = process
        return process

    def log_of(self, name: str) -> str:
        """A worker's log."""
        return (self.folder / f"{name}.log").read_text()

    def close(self) -> None:
        """End all processes."""
        self._stop.set()
        for process in self.processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait()
        if self._journey.is_alive():
            self._journey.join()
        self._producer.flush()

    # -- what came out ----------------------------------------------------------------------------------------------

    def read(self, topic: str) -> list[tuple[bytes | None, bytes | None]]:
        """All committed records of a topic, now."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": f"{self.prefix}judge",
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
            }
        )
        name = f"{self.prefix}{topic}"
        consumer.assign([TopicPartition(name, number, 0) for number in range(self.partitions)])
        records: list[tuple[bytes | None, bytes | None]] = []
        ends: set[int] = set()
        while len(ends) < self.partitions:
            for message in consumer.consume(1000, 0.2):
                if message.error() is None:
                    records.append((message.key(), message.value()))
                else:
                    ends.add(message.partition())
        consumer.close()
        return records

    def receipts(self) -> list[Receipt]:
        """All committed receipts."""
        return [msgspec.json.decode(value, type=Receipt) for _, value in self.read("receipts") if value]

    def outcomes(self) -> Counter[str]:
        """Receipts by outcome and reason."""
        return Counter(f"{r.outcome}:{r.reason}" if r.reason else r.outcome for r in self.receipts())

    def judged(self) -> list[Judged]:
        """All committed words of the gate."""
        return [msgspec.json.decode(value, type=Judged) for _, value in self.read("decisions") if value]

    def claims(self) -> list[Claim]:
        """All committed claims."""
        return [msgspec.json.decode(value, type=Claim) for _, value in self.read("claims.email") if value]

    def await_receipts(self, count: int, *, seconds: float = 60.0) -> list[Receipt]:
        """Wait until so many jobs have a final receipt."""

        def settled() -> list[Receipt] | None:
            found = self.receipts()
            final = {receipt.job_id for receipt in found if receipt.outcome != "not_accepted"}
            return found if len(final) >= count else None

        found: list[Receipt] = wait_for(settled, what=f"{count} final receipts, got {self.outcomes()}", seconds=seconds)
        return found

    def lag(self) -> int:
        """Records of the jobs topics behind the group's committed offsets."""
        names = [f"{self.prefix}jobs.email.{purpose}" for purpose in ("transactional", "marketing")]
        partitions = [TopicPartition(name, number) for name in names for number in range(self.partitions)]
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        group = f"{self.prefix}email"
        answer = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group, partitions)])[group].result()
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": f"{self.prefix}judge"})
        lag = 0
        for tp in answer.topic_partitions:
            lag += watermarks_of(consumer, tp.topic, tp.partition, within_s=10.0)[1] - tp.offset
        consumer.close()
        return lag

    def _commit_earliest(self) -> None:
        """What ``postcart topics create`` does for a new group."""
        names = [f"{self.prefix}jobs.email.{purpose}" for purpose in ("transactional", "marketing")]
        partitions = [TopicPartition(name, number, 0) for name in names for number in range(self.partitions)]
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": f"{self.prefix}email"})
        wait_for(lambda: _commits(consumer, partitions), what="the group's first offsets")
        consumer.close()


@contextlib.contextmanager
def rig(cluster: Any, folder: Path, *, partitions: int = 4) -> Iterator[Rig]:
    """A rig whose processes end with the block."""
    made = Rig(cluster, folder, partitions=partitions)
    made.start_journey()
    try:
        yield made
    finally:
        made.close()


def _commits(consumer: Consumer, offsets: list[TopicPartition]) -> bool:
    try:  # a young broker still makes its offsets topic
        consumer.commit(offsets=offsets, asynchronous=False)
    except KafkaException:
        return False
    return True


def _must_arrive(error: Any, _: Any) -> None:
    assert error is None, error
