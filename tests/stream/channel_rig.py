"""Real workers of any channel, started as operators do, around topics that a stand-in for JOURNEY fills.

Owns: that surrounding. Must not: share code with the senders beyond the records' structs.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_DNS, UUID, uuid5

import msgspec
from confluent_kafka import Consumer, Producer, TopicPartition

from postcart.adapters.topics import Admin, create
from postcart.adapters.vault import Vault
from postcart.events.gate import GateConsent, GatePerson, GateProgress
from postcart.events.ids import contact_id
from postcart.events.jobs import Job, ReceiptRecord
from postcart.events.suppressions import Suppressed, SuppressionReason, suppression_key
from postcart.settings import load_settings
from stream.due_jobs import due_job
from stream.sender_rig import now_ms

ROOT = Path(__file__).parents[2]
ENVIRON = dict(os.environ)  # noqa: TID251 -- what the workers inherit
_encode = msgspec.json.Encoder().encode


def write_campaign(folder: Path, steps: str) -> None:
    """One without quiet hours: tests run at any hour."""
    (folder / "campaigns").mkdir()
    (folder / "campaigns" / "awake.yaml").write_text(f"name: awake\nquiet_hours: off\n{steps}\n")


class ChannelRig:
    """Topics of one test, its workers, and what they wrote."""

    def __init__(self, bootstrap: str, prefix: str, folder: Path, env: Mapping[str, str]) -> None:
        self.env = {
            "POSTCART_BOOTSTRAP": bootstrap,
            "POSTCART_TOPIC_PREFIX": prefix,
            "POSTCART_SHOP_PREFIX": f"{prefix}shop.",
            "POSTCART_PARTITIONS": "2",
            "POSTCART_TEMPLATES_DIR": str(ROOT / "templates"),
            "POSTCART_LOCALES_DIR": str(ROOT / "locales"),
            "POSTCART_CAMPAIGNS_DIR": str(folder / "campaigns"),
            "POSTCART_LOG__FORMAT": "json",
            **env,
        }
        self.folder = folder
        if "POSTCART_CAMPAIGNS_DIR" not in env:
            write_campaign(folder, "steps: [{after: 1h, template: cart-reminder}]")
        self.settings = load_settings(self.env)
        create(self.settings)
        self._bootstrap = bootstrap
        self._producer = Producer({"bootstrap.servers": bootstrap, "partitioner": "murmur2_random"})
        self._vault = Vault(self.settings.master_key_bytes, os.urandom)
        self._key = self.settings.identity_key.get_secret_value().encode()
        self._wrapped: dict[str, bytes] = {}
        self._stop = threading.Event()
        self._journey = threading.Thread(target=self._progress, daemon=True)
        self._journey.start()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def _progress(self) -> None:
        while not self._stop.wait(0.2):
            for number in range(2):
                record = GateProgress(partition=number, orders_read_ms=now_ms())
                self._producer.produce(self.settings.topic("gate"), _encode(record), f"!progress:{number}", number)
            self._producer.poll(0)

    def person(self, name: str, channel: str, *points: str, given: bool = True, unconfirmed: bool = False) -> str:
        """Write a person's gate record and key; returns the person id. Written again, the key stays."""
        points = tuple(filter(None, points))
        person_id = str(uuid5(NAMESPACE_DNS, name))
        wrapped = self._wrapped.setdefault(person_id, self._vault.new_key())
        self._producer.produce(self.settings.topic("keys"), wrapped, person_id)
        record = GatePerson(
            person_id=person_id,
            contacts=self._joined(channel, (self._vault.seal(wrapped, person_id, point) for point in points)),
            contact_ids=self._joined(channel, (contact_id(self._key, channel, point) for point in points)),
            time_zone=None,
            consents=(GateConsent(channel, "marketing", given),),
            unconfirmed=(f"{channel}/marketing",) if unconfirmed else (),
        )
        self._producer.produce(self.settings.topic("gate"), _encode(record), person_id)
        return person_id

    @staticmethod
    def _joined(channel: str, texts: Iterable[str]) -> dict[str, str]:
        text = " ".join(texts)
        return {channel: text} if text else {}

    def flush(self) -> None:
        """Wait until all that was written is there."""
        self._producer.flush()

    def emit(self, person_id: str, channel: str, **changes: Any) -> Job:
        """Write a job that is due now."""
        fields = {
            "job_id": str(uuid5(UUID(person_id), f"{channel}/{changes}")),
            "channel": channel,
            "campaign": "awake",
        }
        job = due_job(person_id, now_ms=now_ms(), **(fields | changes))
        self._producer.produce(self.settings.topic(f"jobs.{channel}.{job.purpose}"), _encode(job), person_id)
        self._producer.flush()
        return job

    @property
    def identity_key(self) -> bytes:
        """What opaque ids are made with."""
        return self._key

    def suppress(self, channel: str, contact: str, *, reason: SuppressionReason = "hard") -> None:
        """Write a suppression."""
        record = Suppressed(contact_id=contact, channel=channel, reason=reason, at_ms=now_ms())
        self._producer.produce(self.settings.topic("suppressions"), _encode(record), suppression_key(channel, contact))
        self._producer.flush()

    def write(self, topic: str, key: str, value: object) -> None:
        """Write a record of any topic, whole name or own."""
        self._producer.produce(topic if "." in topic else self.settings.topic(topic), _encode(value), key)
        self._producer.flush()

    def committed(self, group: str, topic: str) -> int:
        """Of all partitions together."""
        places = [(self.settings.topic(topic), number) for number in range(2)]
        return sum(Admin(self.settings).committed(self.settings.topic(group), places).values())

    def start(self, name: str, *command: str, **env: str) -> None:
        """Start ``postcart COMMAND``."""
        log = (self.folder / f"{name}.log").open("ab")
        self.processes[name] = subprocess.Popen(  # noqa: S603 -- our own program
            [sys.executable, "-m", "postcart", *command],
            env={**ENVIRON, **self.env, "POSTCART_WORKER_NAME": name, **env},
            stdout=log, stderr=log, cwd=ROOT,
        )  # fmt: skip
        log.close()

    def log_of(self, name: str) -> str:
        """What a worker has said."""
        return (self.folder / f"{name}.log").read_text()

    def records(self, topic: str) -> list[tuple[bytes | None, bytes | None]]:
        """All of a topic that is committed, keys and values."""
        consumer = Consumer(
            {
                "bootstrap.servers": self._bootstrap, "group.id": "unused", "enable.auto.commit": False,
                "isolation.level": "read_committed", "enable.partition.eof": True, "auto.offset.reset": "earliest",
            }
        )  # fmt: skip
        name, found, left = self.settings.topic(topic), [], {0, 1}
        consumer.assign([TopicPartition(name, number, 0) for number in left])
        while left:
            message = consumer.poll(5.0)
            assert message is not None, f"{name} can't be read"
            if message.error() is not None:
                left.discard(message.partition())
            else:
                found.append((message.key(), message.value()))
        consumer.close()
        return found

    def receipts(self) -> list[Any]:
        """Receipts and reports."""
        decode = msgspec.json.Decoder(ReceiptRecord).decode
        return [decode(value) for _, value in self.records("receipts") if value is not None]

    def outcomes(self) -> Counter[str]:
        """How often each."""
        return Counter(one.outcome for one in self.receipts() if hasattr(one, "outcome"))

    def close(self) -> None:
        """End all workers."""
        self._stop.set()
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)
            process.kill()
        self._journey.join()
        self._producer.flush(10)


@contextlib.contextmanager
def channel_rig(cluster: Any, folder: Path, **env: str) -> Iterator[ChannelRig]:
    rig = ChannelRig(cluster.bootstrap, cluster.prefix("channel"), folder, env)
    try:
        yield rig
    finally:
        rig.close()
