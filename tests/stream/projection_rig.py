"""A read model's inputs on a broker, as the pipeline writes them, and workers that project them.

Owns: that surrounding, and all that the read model holds. Must not: decide what it should hold.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from confluent_kafka import Producer

from conftest import Cluster
from postcart.adapters.read_model import open_read_model
from postcart.adapters.topics import Admin, create, project_inputs
from postcart.errors import ReadModelUnavailable
from postcart.events.jobs import Claim, Job, Receipt
from postcart.settings import Settings, load_settings
from stream.shop import ROOT
from waiting import wait_for

encode = msgspec.json.Encoder().encode
PERSONS = 300
MARKETING = "jobs.email.marketing"


class Installation:
    """Topics with records as the pipeline writes them, and workers that project them."""

    def __init__(self, kafka: Cluster, folder: Path) -> None:
        prefix = kafka.prefix("project")
        self.folder = folder
        self.variables = {
            "POSTCART_BOOTSTRAP": kafka.bootstrap,
            "POSTCART_TOPIC_PREFIX": f"{prefix}postcart.",
            "POSTCART_SHOP_PREFIX": f"{prefix}shop.",
            "POSTCART_PARTITIONS": "2",
            "POSTCART_CLOCK": "replay",  # only how often it looks at its accounts
        }
        self.settings: Settings = load_settings(self.variables)
        create(self.settings)
        self.started = 0

    def produce(self, records: Sequence[tuple[str, str, bytes]], *, abort_every: int = 0) -> None:
        """Write (topic, key, value) in transactions of 50; some are written once more and aborted."""
        producer = Producer(
            {
                "bootstrap.servers": self.settings.bootstrap,
                "transactional.id": f"{self.settings.topic_prefix}test-{self.started}",
                "partitioner": "murmur2_random",
                "linger.ms": 5,
            }
        )
        self.started += 1
        producer.init_transactions()
        for number in range(0, len(records), 50):
            for aborted in (True, False) if abort_every and number // 50 % abort_every == 0 else (False,):
                producer.begin_transaction()
                for topic, key, value in records[number : number + 50]:
                    producer.produce(self.settings.topic(topic), key=key, value=value)
                producer.flush()
                if aborted:
                    producer.abort_transaction()
                else:
                    producer.commit_transaction()

    @contextmanager
    def worker(self, url: str, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
        """A worker for the read model at ``url``; ended politely: the next one need not wait for its partitions."""
        self.started += 1
        log = self.folder / f"worker-{self.started}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "postcart", "worker", "project"],
                cwd=ROOT,
                env={**os.environ, **self.variables, "POSTCART_READ_MODEL_URL": url, **variables},  # noqa: TID251 -- a shell
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            try:
                yield process
                process.terminate()
                process.wait(30)
            finally:
                process.kill()
                process.wait()

    def command(self, url: str, *words: str) -> str:
        """Run a command of the CLI on the read model."""
        command = [sys.executable, "-m", "postcart", *words]
        environment = {**os.environ, **self.variables, "POSTCART_READ_MODEL_URL": url}  # noqa: TID251 -- a shell
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)  # noqa: S603 -- our own
        return done.stdout

    def why(self, url: str, *words: str) -> tuple[int, str, str]:
        """Exit code, output and messages of `postcart why`."""
        command = [sys.executable, "-m", "postcart", "why", *words]
        environment = {**os.environ, **self.variables, "POSTCART_READ_MODEL_URL": url}  # noqa: TID251 -- a shell
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 -- our own
        return done.returncode, done.stdout, done.stderr

    def logs(self) -> str:
        """What the workers said last."""
        return "\n".join(log.read_text()[-2_000:] for log in sorted(self.folder.glob("worker-*.log")))

    def ends(self) -> dict[tuple[str, int], int]:
        """Where the topics end now."""
        places = [(topic, number) for topic in project_inputs(self.settings) for number in range(2)]
        return {place: end for place, end in Admin(self.settings).ends(places).items() if end}

    def applied(self, url: str) -> int:
        """How many positions have been applied, over all partitions."""
        try:
            with closing(open_read_model(url)) as store:
                store.require_schema()
                return sum(standing.next for standing in store.standings().values())
        except ReadModelUnavailable:  # the worker has not made it yet, or it is away
            return 0

    def caught_up(self, url: str) -> None:
        """Wait until everything that is in the topics now has been applied."""
        ends = self.ends()
        wait_for(
            lambda: self.applied(url) >= sum(ends.values()), lambda: f"{self.applied(url)} of {ends}; {self.logs()}"
        )


def history(count: int, seed: int = 1) -> list[tuple[str, str, bytes]]:
    """Jobs, claims and receipts of ``count`` attempts, as senders and JOURNEY would write them."""
    random = Random(seed)
    records: list[tuple[str, str, bytes]] = []
    for number in range(count):
        person, name = f"person-{random.randrange(PERSONS)}", f"{seed}-job-{number}"
        ids: dict[str, Any] = {"job_id": name, "person_id": person, "episode_id": f"episode of {person}", "step": 1}
        records.append((MARKETING, person, encode(job(ids))))
        claim = {**ids, "attempt": 1, "at_ms": number}
        records += [("claims.email", name, encode(Claim(**claim, state=state))) for state in ("claimed", "settled")]
        outcome = random.choice(("accepted", "rejected", "suppressed", "uncertain"))
        receipt: Any = {"channel": "email", "purpose": "marketing", "attempt": 1, "outcome": outcome, "at_ms": number}
        records.append(("receipts", person, encode(Receipt(**ids, **receipt))))
    return records


def job(ids: dict[str, Any]) -> Job:
    """With these ids."""
    rest: dict[str, Any] = {"channel": "email", "purpose": "marketing", "campaign": "c", "campaign_version": "1"}
    rest |= {"journey": "j", "template": "t", "armed_ms": 1, "planned_ms": 2, "due_ms": 3, "not_after_ms": 4}
    return Job(**ids, **rest)


def content(url: str) -> tuple[set[tuple[Any, ...]], set[tuple[Any, ...]]]:
    """Every fact and every job."""
    with closing(open_read_model(url)) as store:
        rows = store._session.rows  # type: ignore[attr-defined]  # the test looks at all that there is
        return set(rows("SELECT * FROM facts")), set(rows("SELECT * FROM jobs"))
