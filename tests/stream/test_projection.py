"""`worker project` on real Kafka: killed, outrun, rebuilt, without its database; its content is always the same."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import psycopg
import pytest
from confluent_kafka import Producer

from conftest import Cluster
from postcart.adapters.read_model import open_read_model
from postcart.adapters.topics import Admin, create, project_inputs, stage_group
from postcart.errors import ReadModelUnavailable
from postcart.events.ids import end_id
from postcart.events.jobs import Claim, Job, Receipt
from postcart.settings import Settings, load_settings
from postgres_server import Postgres
from stream.shop import ROOT
from waiting import wait_for

pytestmark = pytest.mark.slow
_encode = msgspec.json.Encoder().encode
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
        records.append((MARKETING, person, _encode(job(ids))))
        claim = {**ids, "attempt": 1, "at_ms": number}
        records += [("claims.email", name, _encode(Claim(**claim, state=state))) for state in ("claimed", "settled")]
        outcome = random.choice(("accepted", "rejected", "suppressed", "uncertain"))
        receipt: Any = {"channel": "email", "purpose": "marketing", "attempt": 1, "outcome": outcome, "at_ms": number}
        records.append(("receipts", person, _encode(Receipt(**ids, **receipt))))
    return records


def job(ids: dict[str, Any]) -> Job:
    rest: dict[str, Any] = {"channel": "email", "purpose": "marketing", "campaign": "c", "campaign_version": "1"}
    rest |= {"journey": "j", "template": "t", "armed_ms": 1, "planned_ms": 2, "due_ms": 3, "not_after_ms": 4}
    return Job(**ids, **rest)


def content(url: str) -> tuple[set[tuple[Any, ...]], set[tuple[Any, ...]]]:
    """Every fact and every job."""
    with closing(open_read_model(url)) as store:
        rows = store._session.rows  # type: ignore[attr-defined]  # the test looks at all that there is
        return set(rows("SELECT * FROM facts")), set(rows("SELECT * FROM jobs"))


@pytest.fixture
def installation(kafka: Cluster, tmp_path: Path) -> Installation:
    return Installation(kafka, tmp_path)


def test_killed_and_rebuilt_it_holds_what_an_uninterrupted_run_holds(
    installation: Installation, postgres: Postgres, tmp_path: Path
) -> None:
    """Kill -9 twice in mid-work, then a rebuild under a running worker; SQLite, undisturbed, agrees."""
    url, calm = postgres.new_database(), f"sqlite:///{tmp_path}/calm.db"
    installation.produce(history(600), abort_every=3)
    for seed in (2, 3):
        before = installation.applied(url)
        with installation.worker(url) as process:
            installation.produce(history(300, seed), abort_every=3)
            wait_for(lambda before=before: installation.applied(url) > before, installation.logs)  # type: ignore[misc]
            process.send_signal(signal.SIGKILL)
            process.wait()
    with installation.worker(url) as process:
        installation.caught_up(url)
        killed = content(url)
        assert len(killed[0]) == 4 * (600 + 2 * 300)
        assert len(killed[1]) == 600 + 2 * 300
        plan = msgspec.json.decode(installation.command(url, "project", "rebuild", "-o", "json"))
        assert (plan["records"], plan["lost"], plan["executed"]) == (len(killed[0]), 0, False)
        assert content(url) == killed, "a dry run changes nothing"
        installation.command(url, "project", "rebuild", "--execute")
        installation.caught_up(url)
        assert content(url) == killed
        process.terminate()
        assert process.wait(30) == 0
    with installation.worker(calm):
        installation.caught_up(calm)
    assert content(calm) == killed


def test_two_workers_share_the_partitions(installation: Installation, postgres: Postgres) -> None:
    """Each has some; what one leaves behind the other goes on with; lag is 0 once all is applied."""
    url = postgres.new_database()
    with installation.worker(url, POSTCART_WORKER_NAME="a") as first:
        installation.produce(history(200))
        installation.caught_up(url)
        with installation.worker(url, POSTCART_WORKER_NAME="b") as second:
            installation.produce(history(200, 2))
            installation.caught_up(url)
            wait_for(lambda: owners(installation, url) == {"project.a", "project.b"}, lambda: "not shared")
            first.terminate()
            assert first.wait(30) == 0
            installation.produce(history(100, 3))
            installation.caught_up(url)
            wait_for(lambda: lag(installation, url) == 0, lambda: f"lag {lag(installation, url)}")
            assert second.poll() is None
    assert len(content(url)[1]) == 500


def groups(installation: Installation, url: str) -> list[dict[str, Any]]:
    measured = msgspec.json.decode(installation.command(url, "lag", "-o", "json"))
    return [one for group in measured["groups"] if group["group"].endswith("project") for one in group["partitions"]]


def owners(installation: Installation, url: str) -> set[str]:
    return {one["owner"] for one in groups(installation, url)} - {None}


def lag(installation: Installation, url: str) -> int:
    return sum(one["records"] or 0 for one in groups(installation, url))


def test_it_outlasts_its_database(installation: Installation, postgres: Postgres) -> None:
    """Connections are cut and refused for a while; then it goes on where the database says."""
    url = postgres.new_database()
    name = url.rpartition("/")[2]
    with installation.worker(url) as process, psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
        installation.produce(history(100))
        installation.caught_up(url)
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        installation.produce(history(100, 2))
        logs = list(installation.folder.glob("worker-*.log"))
        wait_for(lambda: any("read_model_away" in log.read_text() for log in logs), lambda: "it did not notice")
        assert process.poll() is None
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        installation.caught_up(url)
    assert len(content(url)[1]) == 200


def test_a_job_that_nobody_can_account_for_is_seen(installation: Installation, tmp_path: Path) -> None:
    """The gauge is 0 while all is well, 1 for a job that was passed over, and 0 again once its end is known."""
    url, port = f"sqlite:///{tmp_path}/accounts.db", free_port()
    ids = {"job_id": "lost", "person_id": "person-0", "episode_id": "e", "step": 1}
    with installation.worker(url, POSTCART_METRICS_PORT=str(port)):
        installation.produce(history(50))
        pass_all(installation)
        wait_for(lambda: gauge(port, "jobs_unaccounted") == 0, installation.logs)
        installation.produce([(MARKETING, "person-0", _encode(job(ids)))])
        installation.caught_up(url)
        assert gauge(port, "jobs_unaccounted") == 0, "in line: the sender has not passed it"
        pass_all(installation)
        wait_for(lambda: gauge(port, "jobs_unaccounted") == 1, installation.logs)
        receipt = Receipt(**ids, channel="email", purpose="marketing", attempt=1, outcome="suppressed", at_ms=1)  # type: ignore[arg-type]
        installation.produce([("receipts", "person-0", _encode(receipt))])
        wait_for(lambda: gauge(port, "jobs_unaccounted") == 0, installation.logs)
        age_s = gauge(port, "read_model_age_seconds")
        assert age_s is not None
        assert age_s < 30
        assert "has everything up to" in installation.why(url, "unknown")[2]


def test_a_shop_event_is_looked_for_on_request(installation: Installation, tmp_path: Path) -> None:
    """Applied to a visit, unreadable, not read yet, or nowhere; the read model knows none of them."""
    url, settings = f"sqlite:///{tmp_path}/empty.db", installation.settings
    with closing(open_read_model(url, create=True)) as store:
        store.migrate()
    now_ms = int(time.time() * 1_000)  # noqa: TID251 -- tests are a shell
    visitor = {"visitor_id": "cookie-1", "session_id": "s", "variant_id": "shirt", "type": "viewed"}
    values = [msgspec.json.encode(visitor | {"id": f"event-{number}", "time": now_ms + number}) for number in range(3)]
    values.append(b'{"type":"viewed","id":"broken-event","visitor_id":"cookie-1"}')
    producer = Producer({"bootstrap.servers": settings.bootstrap, "partitioner": "murmur2_random"})
    for value in values:
        producer.produce(settings.shop_topic("sessions"), key="cookie-1", value=value)
    producer.flush()
    code, _, err = installation.why(url, "event-1")
    assert code == 1
    assert "--search-events looks for it" in err
    code, out, err = installation.why(url, "event-1", "--search-events")
    assert code == 0
    assert "nothing yet: detect has not read it" in out
    assert "searching" in err
    places = [(settings.shop_topic("sessions"), number) for number in range(2)]
    Admin(settings).commit(stage_group(settings, "detect"), Admin(settings).ends(places))
    code, out, _ = installation.why(url, "event-1", "--search-events", "-o", "json")
    event = msgspec.json.decode(out)["event"]
    assert (code, event["fate"]["outcome"], event["visitor_id"]) == (0, "applied", "cookie-1")
    assert event["fate"]["visit"]["end_id"] == end_id("cookie-1", "event-2")
    code, out, _ = installation.why(url, "broken-event", "--search-events")
    assert code == 0
    assert "a dead letter, because it can't be read (invalid: " in " ".join(out.split())
    assert installation.why(url, "nowhere", "--search-events")[0] == 1


def pass_all(installation: Installation) -> None:
    """Commit, for the senders, that they have dealt with every job."""
    settings = installation.settings
    jobs = {place: end for place, end in installation.ends().items() if place[0] == settings.topic(MARKETING)}
    Admin(settings).commit(stage_group(settings, "email"), jobs)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def gauge(port: int, name: str) -> float | None:
    """A gauge without labels as the worker serves it."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    except OSError:
        return None
    found = [line for line in text.splitlines() if line.startswith(f"postcart_{name} ")]
    return float(found[0].split()[1]) if found else None
