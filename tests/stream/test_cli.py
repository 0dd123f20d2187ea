"""The command line on real Kafka: each command as a process, its streams and its exit code."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from ports import free_port
from postcart.codecs.dead_letters import DeadLetter, encode

ROOT = Path(__file__).resolve().parents[2]
CSV = str(next((ROOT / "tests" / "fixtures" / "rees46").glob("*oct*.csv")))
POSTCART = [sys.executable, "-c", "import sys; sys.argv[0] = 'postcart'; from postcart.cli import main; main()"]
_DEADLINE_S = 90.0


class Shell:
    """Runs commands against topics of its own."""

    def __init__(self, kafka: Any) -> None:
        self.kafka = kafka
        prefix = kafka.prefix("cli")
        self.own, self.shop = f"{prefix}own.", f"{prefix}shop."
        kept = {name: value for name, value in os.environ.items() if not name.startswith("POSTCART_")}  # noqa: TID251 -- for the child
        self.environ: Mapping[str, str] = {
            **kept,
            "POSTCART_BOOTSTRAP": kafka.bootstrap,
            "POSTCART_TOPIC_PREFIX": self.own,
            "POSTCART_SHOP_PREFIX": self.shop,
            "POSTCART_PARTITIONS": "2",
            "POSTCART_CLOCK": "replay",
        }

    def run(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(  # noqa: S603 -- our own command
            [*POSTCART, *arguments],
            capture_output=True, text=True, cwd=ROOT, env={**self.environ, **more}, check=False, timeout=120,
        )  # fmt: skip

    def json(self, *arguments: str) -> Any:
        """What a command prints as JSON; it must end well."""
        ended = self.run(*arguments, "-o", "json")
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    @contextmanager
    def running(self, *arguments: str, **more: str) -> Iterator[subprocess.Popen[str]]:
        """Run a command beside the test, killed at the end of the block."""
        process = subprocess.Popen(  # noqa: S603 -- our own command
            [*POSTCART, *arguments], stderr=subprocess.PIPE, text=True, cwd=ROOT, env={**self.environ, **more}
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def lag(self, group: str, topic: str) -> dict[int, dict[str, Any]]:
        """Lag of a group on a topic, by partition."""
        (found,) = [one for one in self.json("lag")["groups"] if one["group"] == self.own + group]
        return {one["partition"]: one for one in found["partitions"] if one["topic"] == topic}


@pytest.fixture
def shell(kafka: Any) -> Shell:
    return Shell(kafka)


@pytest.fixture
def ready(shell: Shell) -> Shell:
    ended = shell.run("topics", "create")
    assert ended.returncode == 0, ended.stderr
    return shell


def test_topics_from_missing_to_well(shell: Shell) -> None:
    """Check says which command mends it; that command mends it; once more it changes nothing."""
    missing = shell.run("topics", "check")
    assert missing.returncode == 1
    assert f"topic {shell.own}signals is missing: `postcart topics create` makes it" in missing.stdout.splitlines()
    created = shell.json("topics", "create")
    assert f"{shell.own}signals" in created["created"]
    assert created["groups"] == [f"{shell.own}{stage}" for stage in ("detect", "track", "journey", "email")]
    assert shell.json("topics", "create")["created"] == []
    well = shell.run("topics", "check")
    assert (well.returncode, well.stdout, well.stderr) == (0, "", "all is well\n")


@pytest.mark.parametrize("kind", [("detect",), ("journey",), ("send", "email")], ids=" ".join)
def test_a_worker_without_topics_names_the_command_that_makes_them(shell: Shell, kind: tuple[str, ...]) -> None:
    """One message, nothing joined, exit code 1."""
    ended = shell.run("worker", *kind)
    assert ended.returncode == 1
    assert "is missing: `postcart topics create` makes it" in ended.stderr
    assert "See docs/errors.md#topology" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_worker_refuses_unequal_partition_counts(ready: Shell) -> None:
    """It says which topics, and what to do."""
    admin = AdminClient({"bootstrap.servers": ready.kafka.bootstrap})
    carts = f"{ready.shop}carts"
    admin.delete_topics([carts])[carts].result(30)
    until = time.monotonic() + _DEADLINE_S
    while carts in admin.list_topics(timeout=10).topics:
        assert time.monotonic() < until
    for future in admin.create_topics([NewTopic(carts, 3)]).values():
        future.result(30)
    ended = ready.run("worker", "detect")
    assert ended.returncode == 1
    assert "detect joins topics of unequal partition counts" in ended.stderr
    assert f"{carts} 3" in ended.stderr


def test_lag_of_a_worker_from_nothing_to_caught_up(ready: Shell) -> None:
    """Zero before, the backlog by a replay, zero again behind a worker, whose name it shows."""
    carts = f"{ready.shop}carts"
    assert {one["records"] for one in ready.lag("detect", carts).values()} == {0}
    replayed = ready.run("replay", CSV, "--run-on", "1h")
    assert replayed.returncode == 0, replayed.stderr
    assert "events acknowledged, clock 2022-10-01T" in replayed.stderr
    behind = ready.lag("detect", carts)
    assert sum(one["records"] for one in behind.values()) > 100
    assert all(one["seconds"] > 0 for one in behind.values() if one["records"])
    with ready.running("worker", "detect", POSTCART_WORKER_NAME="w1") as worker:
        until = time.monotonic() + _DEADLINE_S
        while any(one["records"] or not one["owner"] for one in ready.lag("detect", carts).values()):
            assert worker.poll() is None
            assert time.monotonic() < until
        caught_up = ready.lag("detect", carts)
        assert {(one["state"], one["records"], one["seconds"]) for one in caught_up.values()} == {("known", 0, 0.0)}
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) == 0


def test_lag_without_a_commit_is_not_zero(shell: Shell) -> None:
    """Topics that nobody has begun to read, and topics that are not there."""
    shell.kafka.create({f"{shell.shop}carts": 2})
    carts = shell.lag("detect", f"{shell.shop}carts")
    assert {(one["state"], one["records"]) for one in carts.values()} == {("no_commit", None)}
    sessions = shell.lag("detect", f"{shell.shop}sessions")
    assert {one["state"] for one in sessions.values()} == {"no_topic"}
    table = shell.run("lag").stdout
    assert "no commit yet" in table
    assert "no such topic" in table


def test_an_earlier_replay_is_not_replayed_over(ready: Shell) -> None:
    """Its events would all be late; the message says what to do instead."""
    assert ready.run("replay", CSV, "--run-on", "1h").returncode == 0
    again = ready.run("replay", CSV)
    assert again.returncode == 1
    assert "POSTCART_TOPIC_PREFIX" in again.stderr


def test_replay_without_topics_says_so(shell: Shell) -> None:
    """As one message, of exit code 1."""
    ended = shell.run("replay", CSV)
    assert ended.returncode == 1
    assert "postcart topics create" in ended.stderr


def dead_letter(shell: Shell, number: int, reason: str) -> DeadLetter:
    return DeadLetter(
        id=f"id-{number}", stage="detect", reason=reason, detail="why", topic=f"{shell.shop}carts", partition=0,
        offset=number, key=b"v1", value=b'{"type":"nonsense"}', size=19,
    )  # fmt: skip


@pytest.fixture
def with_dead(ready: Shell) -> Shell:
    """Two letters of one reason, one of another."""
    producer = Producer({"bootstrap.servers": ready.kafka.bootstrap})
    for number, reason in enumerate(("invalid", "invalid", "decode")):
        key, value = encode(dead_letter(ready, number, reason))
        producer.produce(f"{ready.own}dead", value, key)
    assert producer.flush(30) == 0
    return ready


def test_dead_letters_are_listed_by_reason_and_shown_in_full(with_dead: Shell) -> None:
    """Grouped, the most frequent first; one by its id."""
    groups = with_dead.json("dead", "list")
    assert [(one["reason"], one["count"]) for one in groups] == [("invalid", 2), ("decode", 1)]
    assert len(with_dead.json("dead", "list", "--each", "--reason", "invalid")) == 2
    shown = with_dead.json("dead", "show", "id-2")
    assert (shown["reason"], shown["key"], shown["value"]) == ("decode", "v1", {"type": "nonsense"})
    assert "nonsense" in with_dead.run("dead", "show", "id-2").stdout
    nothing = with_dead.run("dead", "show", "id-9")
    assert (nothing.returncode, nothing.stdout) == (1, "")


def test_redrive_is_dry_first_and_done_once(with_dead: Shell) -> None:
    """A dry run writes nothing; after the real one there is nothing left to do."""
    dry = with_dead.run("dead", "redrive", "--reason", "invalid")
    assert dry.returncode == 0
    assert "dry run: nothing was written; add --execute to do it" in dry.stderr
    assert with_dead.json("dead", "list")[0]["redriven"] == 0
    done = with_dead.json("dead", "redrive", "--reason", "invalid", "--execute")
    assert (done["executed"], done["written"]) == (True, 2)
    again = with_dead.json("dead", "redrive", "--execute")
    assert (again["written"], again["redriven_before"]) == (1, 2)
    assert with_dead.run("dead", "redrive").stderr.splitlines()[-1] == "nothing to redrive"


def test_the_lag_exporter_serves_what_is_known(ready: Shell) -> None:
    """On the metrics port, until it is told to stop."""
    port = free_port()
    with ready.running("lag", "--serve", POSTCART_METRICS_PORT=str(port)) as exporter:
        text = ""
        until = time.monotonic() + _DEADLINE_S
        while "postcart_consumer_group_lag{" not in text:
            assert exporter.poll() is None
            assert time.monotonic() < until
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
                    text = answer.read().decode()
            except OSError:
                continue  # it does not listen yet
        place = f'group="{ready.own}detect",partition="0",topic="{ready.shop}carts"'
        assert f"postcart_consumer_group_lag{{{place}}} 0.0" in text
        assert f'postcart_consumer_group_members{{group="{ready.own}detect"}} 0.0' in text
        exporter.send_signal(signal.SIGTERM)
        assert exporter.wait(60) == 0


def test_the_lag_exporter_needs_a_port(ready: Shell) -> None:
    """It says which setting."""
    ended = ready.run("lag", "--serve")
    assert ended.returncode == 1
    assert "POSTCART_METRICS_PORT is not set" in ended.stderr
