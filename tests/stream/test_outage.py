"""Brokers that are killed under stages and senders: nothing is lost or done twice, and all go on by themselves."""

import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from postcart.adapters.local_kafka import LocalKafka
from postcart.adapters.mail_sink import MailSink, SinkOptions, running_sink
from stream import outage, sender_rig
from stream.sender_judge import judge, people_with_jobs
from waiting import wait_for

_SESSION_S = 10  # group.consumer.session.timeout.ms of the test brokers; the transactions' time-out is the same


@contextmanager
def supervised(rig: Any) -> Iterator[Counter[int]]:
    """A sender that is started again whenever it ends, as a platform would; yields its exit codes."""
    exits: Counter[int] = Counter()
    ending = threading.Event()
    rig.start()

    def watch() -> None:
        while not ending.wait(0.1):
            if (code := rig.processes["one"].poll()) is not None:
                exits[code] += 1
                rig.start()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield exits
    finally:
        ending.set()
        thread.join()


def stay_away(seconds: float) -> None:
    """Let an outage last."""
    back_ms = sender_rig.now_ms() + 1000 * seconds
    wait_for(lambda: sender_rig.now_ms() > back_ms, what="the outage's end", seconds=2 * seconds + 60)


def await_mails(sink: MailSink, count: int) -> None:
    wait_for(lambda: len(sink.received) >= count, what=f"{count} mails", seconds=240)


@dataclass
class Running:
    """Stages that copy and a sender with jobs, on brokers of their own."""

    brokers: LocalKafka
    sink: MailSink
    copying: outage.Copying
    seconds: dict[str, float] = field(default_factory=dict)

    def await_copies(self, what: str) -> None:
        """Every partition has output again; how long that took is told at the end."""
        self.seconds[what] = round(self.copying.await_more(what), 1)


@contextmanager
def running(own_kafka: Any, folder: Path, *, brokers: int, people: int) -> Iterator[Running]:
    """All of it, with mails on their way; at the end everything is judged."""
    with (
        own_kafka(brokers) as (kafka, cluster),
        running_sink(SinkOptions(delay_s=0.05), sender_rig.now_ms) as sink,
        sender_rig.rig(cluster, folder) as rig,
        outage.copying(
            cluster.bootstrap, cluster.prefix("outage"), create=cluster.create, logs=folder / "copying"
        ) as copying,
    ):
        rig.smtp_port = sink.port
        jobs = people_with_jobs(rig, people)
        rig.emit(*jobs)
        with supervised(rig) as exits:
            await_mails(sink, 60)
            found = Running(kafka, sink, copying)
            yield found
            verdict = copying.finish()
            judge(rig, sink, jobs, kills=exits.total(), seconds=240)
    sys.stdout.write(f"output again {found.seconds}; {verdict}; sender {dict(exits)}\n")
    assert verdict.good, str(verdict)
    assert set(verdict.exits) | set(exits) <= {75}


@pytest.mark.slow
@pytest.mark.outage
def test_the_only_broker_goes_away(own_kafka: Any, tmp_path: Path) -> None:
    """Killed for longer than a session and a transaction may last: stages and senders wait, and go on."""
    with running(own_kafka, tmp_path, brokers=1, people=200) as found:
        found.brokers.kill(0)
        stay_away(_SESSION_S + 5)
        found.brokers.start(0)
        found.await_copies("after the broker came back")


@pytest.mark.slow
@pytest.mark.outage
def test_one_of_three_brokers_then_all(own_kafka: Any, tmp_path: Path) -> None:
    """One is killed: they go on without it. All are killed: they wait."""
    with running(own_kafka, tmp_path, brokers=3, people=300) as found:
        found.brokers.kill(0)
        found.await_copies("while one broker is away")
        await_mails(found.sink, len(found.sink.received) + 20)
        found.brokers.start(0)
        for number in range(3):
            found.brokers.kill(number)
        stay_away(_SESSION_S + 5)
        found.brokers.start(0, 1, 2)
        found.await_copies("after all brokers came back")
