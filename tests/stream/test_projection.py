"""`worker project` on real Kafka: killed, outrun, rebuilt, without its database; its content is always the same."""

import signal
import time
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from confluent_kafka import Producer

from conftest import Cluster
from ports import free_port
from postcart.adapters.read_model import open_read_model
from postcart.adapters.topics import Admin, stage_group
from postcart.events.ids import end_id
from postcart.events.jobs import Receipt
from postgres_server import Postgres
from stream.projection_rig import MARKETING, Installation, content, encode, history, job
from waiting import wait_for

pytestmark = pytest.mark.slow


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
        installation.produce([(MARKETING, "person-0", encode(job(ids)))])
        installation.caught_up(url)
        assert gauge(port, "jobs_unaccounted") == 0, "in line: the sender has not passed it"
        pass_all(installation)
        wait_for(lambda: gauge(port, "jobs_unaccounted") == 1, installation.logs)
        receipt = Receipt(**ids, channel="email", purpose="marketing", attempt=1, outcome="suppressed", at_ms=1)  # type: ignore[arg-type]
        installation.produce([("receipts", "person-0", encode(receipt))])
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


def gauge(port: int, name: str) -> float | None:
    """A gauge without labels as the worker serves it."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    except OSError:
        return None
    found = [line for line in text.splitlines() if line.startswith(f"postcart_{name} ")]
    return float(found[0].split()[1]) if found else None
