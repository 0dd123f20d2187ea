"""A shop's topics with dead letters in them, and the commands against them, called in this process.

Owns: what goes wrong and is set aside, what senders say of it, and reading it back. Must not: mend anything.
"""

import json
import os
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from typer.testing import CliRunner, Result

from postcart.adapters.dead_letters import Case, find_letter
from postcart.adapters.dead_letters.scanning import watermarks
from postcart.cli.app import app
from postcart.codecs.dead_letters import DeadLetter, encode
from postcart.codecs.shop_events import ShopEventDecoder
from postcart.events import ids
from postcart.events.jobs import Claim, Job
from postcart.settings import load_settings
from receipts import receipt_of

PARTITIONS = 2
NOW_MS = 1_800_000_000_000


class Shop:
    """Topics of a test's own, and the commands against them."""

    def __init__(self, kafka: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        prefix = kafka.prefix("edit")
        environ = {
            "POSTCART_BOOTSTRAP": kafka.bootstrap,
            "POSTCART_TOPIC_PREFIX": f"{prefix}own.",
            "POSTCART_SHOP_PREFIX": f"{prefix}shop.",
        }
        for name in list(os.environ):  # noqa: TID251 -- the test sets what the CLI reads
            if name.startswith("POSTCART_"):
                monkeypatch.delenv(name)
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        self.settings = load_settings(environ)
        self.client = {"bootstrap.servers": kafka.bootstrap, "log_level": 0}
        self.dead, self.jobs = self.settings.topic("dead"), self.settings.topic("jobs.email.marketing")
        self.claims, self.receipts = self.settings.topic("claims.email"), self.settings.topic("receipts")
        self.carts, self.profiles = self.settings.shop_topic("carts"), self.settings.shop_topic("profiles")
        names = (self.dead, self.jobs, self.claims, self.receipts, self.carts, self.profiles)
        kafka.create(dict.fromkeys(names, PARTITIONS))
        self._producer = Producer({**self.client, "partitioner": "murmur2_random"})

    def produce(self, topic: str, key: bytes | None, value: bytes, partition: int = -1) -> None:
        """Write one record."""
        self._producer.produce(topic, value, key, partition=partition, headers=[("source", b"web")])
        assert self._producer.flush(60) == 0

    def produce_many(self, topic: str, records: Iterable[tuple[bytes | None, bytes]]) -> None:
        """Write records, acknowledged together."""
        for key, value in records:
            self._producer.produce(topic, value, key)
        assert self._producer.flush(60) == 0

    def size(self, topic: str) -> int:
        """Offsets used so far, also by transactions that are open."""
        return sum(high for _, high in watermarks(self.client, topic).values())

    def records(self, topic: str) -> list[Message]:
        """All records of a topic, by partition and offset."""
        consumer = Consumer(
            {**self.client, "group.id": "x", "enable.partition.eof": True, "isolation.level": "read_committed"}
            | {"enable.auto.commit": False}
        )
        found: list[Message] = []
        ended: set[int | None] = set()
        consumer.assign([TopicPartition(topic, n, 0) for n in range(PARTITIONS)])
        while len(ended) < PARTITIONS:
            for message in consumer.consume(500, timeout=0.2):
                if message.error():
                    ended.add(message.partition())
                else:
                    found.append(message)
        consumer.close()
        return sorted(found, key=lambda one: (one.partition(), one.offset()))

    def bury(self, topic: str) -> list[DeadLetter]:
        """Read a topic of the shop as its stage would, and write what is dead."""
        subject = "shop.carts" if topic == self.carts else "shop.profiles"
        letters = ShopEventDecoder(subject, stage="detect").decode_batch(self.records(topic))[1]  # type: ignore[arg-type]
        self.produce_many(self.dead, map(encode, letters))
        return letters

    def bury_job(self, number: int, **fields: Any) -> tuple[Job, str]:
        """A job whose template failed, as the sender sets it aside."""
        job = Job(
            job_id=ids.uuid5(ids.POSTCART, f"job/{number}"), person_id=f"p{number}", episode_id="e", step=1,
            channel="email", purpose="marketing", campaign="c", campaign_version="1", journey="standard",
            template="cart", armed_ms=NOW_MS, planned_ms=NOW_MS, due_ms=NOW_MS, not_after_ms=NOW_MS * 2, **fields,
        )  # fmt: skip
        value = msgspec.json.encode(job)
        letter = DeadLetter(
            id=ids.uuid5(ids.POSTCART, f"letter/{number}"), stage="email", reason="render", detail="cart.j2:7: no lin",
            topic=self.jobs, partition=0, offset=number, key=job.person_id.encode(), value=value, size=len(value),
        )  # fmt: skip
        self.produce(self.dead, *encode(letter))
        return job, letter.id

    def say(self, job: Job, *words: str) -> None:
        """What a sender says of a job: ``claimed``, or an outcome."""
        for word in words:
            claim = Claim(
                job_id=job.job_id, person_id=job.person_id, episode_id="e", step=1, attempt=1, at_ms=NOW_MS,
                state="claimed" if word == "claimed" else "settled", outcome=None if word == "claimed" else word,  # type: ignore[arg-type]
            )  # fmt: skip
            self.produce(self.claims, job.job_id.encode(), msgspec.json.encode(claim), 0)
            if word != "claimed":
                receipt = receipt_of(job, word, at_ms=NOW_MS)
                self.produce(self.receipts, job.person_id.encode(), msgspec.json.encode(receipt))

    def run(self, *arguments: str, **options: Any) -> Result:
        """A command under ``dead``, in this process."""
        return CliRunner().invoke(app, ["dead", *arguments], prog_name="postcart", **options)

    def json(self, *arguments: str) -> Any:
        """What a command prints as JSON; it must end well."""
        done = self.run(*arguments, "-o", "json")
        assert done.exit_code == 0, done.stderr
        return json.loads(done.stdout)

    def case(self, letter_id: str) -> Case:
        """A letter with its history."""
        found = find_letter(self.client, self.dead, letter_id)
        assert found is not None
        return found
