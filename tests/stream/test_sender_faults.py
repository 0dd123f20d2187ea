"""Senders that are killed or stopped at the worst moments: nothing lost, no cart mailed twice.

Real Kafka, real processes, a real SMTP server whose ledger is the judge.
"""

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from postcart.adapters.mail_sink import MailSink, SinkOptions, running_sink
from stream import sender_rig
from stream.sender_judge import judge, people_with_jobs
from waiting import wait_for

DAY_MS = 86_400_000
POINTS = ("before_claim", "claimed", "accepted", "before_receipts")


@dataclass
class Trial:
    """A sender of its own, to be stopped at one of the points."""

    point: str
    rig: Any
    sink: MailSink
    jobs: list[Any] = field(default_factory=list)


@contextmanager
def at_each_point(kafka: Any, folder: Path) -> Iterator[list[Trial]]:
    """One trial for each point, side by side: most of their time is waiting for a dead member's session to end."""
    with ExitStack() as stack:
        trials = []
        for point in POINTS:
            (folder / point).mkdir()
            sink = stack.enter_context(running_sink(SinkOptions(delay_s=0.05), sender_rig.now_ms))
            rig = stack.enter_context(sender_rig.rig(kafka, folder / point, partitions=2))
            rig.smtp_port = sink.port
            trials.append(Trial(point, rig, sink))
        yield trials


@pytest.mark.slow
def test_killed_at_each_point(kafka: Any, tmp_path: Path) -> None:
    """Ended by kill -9 at each of the points, twice; a third life finishes. Nothing lost, carts never twice."""
    with at_each_point(kafka, tmp_path) as trials:
        for trial in trials:
            trial.jobs = people_with_jobs(trial.rig, 60)
            trial.rig.emit(*trial.jobs)
        for life in (1, 2):
            for trial in trials:
                trial.rig.start(fault=(trial.point, 2 * life, "kill"))
            for trial in trials:
                died = trial.rig.processes["one"].wait(60)
                assert died == -signal.SIGKILL, f"{trial.point}: {trial.rig.log_of('one')}"
        for trial in trials:
            trial.rig.start()
        for trial in trials:
            judge(trial.rig, trial.sink, trial.jobs, kills=2)


@pytest.mark.slow
def test_stopped_past_the_session(kafka: Any, tmp_path: Path) -> None:
    """A sender stands still until another has its partitions; when it wakes it is fenced, and sends nothing more."""
    with at_each_point(kafka, tmp_path) as trials:
        for trial in trials:
            trial.jobs = [job for job in people_with_jobs(trial.rig, 40) if job.purpose == "marketing"]
            trial.rig.emit(*trial.jobs)
            trial.rig.start("one", fault=(trial.point, 3, "stop"))
        for trial in trials:
            stopped = trial.rig.processes["one"]
            wait_for(lambda stopped=stopped: _is_stopped(stopped.pid), what=f"stopped at {trial.point}")
            trial.rig.start("two")
        for trial in trials:
            trial.rig.await_receipts(len(trial.jobs), seconds=120)
            trial.rig.processes["one"].send_signal(signal.SIGCONT)
        for trial in trials:
            assert trial.rig.processes["one"].wait(60) == 75, f"{trial.point}: {trial.rig.log_of('one')}"
            judge(trial.rig, trial.sink, trial.jobs, kills=1)


def test_stopped_for_a_while(kafka: Any, tmp_path: Path) -> None:
    """Within the session, but longer than a claim may be old: it claims again, and everything is accepted."""
    with running_sink(SinkOptions(), sender_rig.now_ms) as sink, sender_rig.rig(kafka, tmp_path) as rig:
        rig.smtp_port = sink.port
        jobs = [rig.job(rig.person(f"p{n}")) for n in range(20)]
        rig.emit(*jobs)
        stopped = rig.start("one", fault=("claimed", 2, "stop"), limits={"claim_age_max_s": 0.5})
        wait_for(lambda: _is_stopped(stopped.pid), what="stopped")
        claimed_ms = max(claim.at_ms for claim in rig.claims() if claim.state == "claimed")
        wait_for(lambda: sender_rig.now_ms() > claimed_ms + 1_000, what="an old claim")
        stopped.send_signal(signal.SIGCONT)
        judge(rig, sink, jobs, kills=0)
        assert [claim for claim in rig.claims() if claim.state == "released"]


@pytest.mark.slow
def test_workers_come_and_go(kafka: Any, tmp_path: Path) -> None:
    """Senders join and leave politely under load: each job once, nothing uncertain."""
    options = SinkOptions(delay_s=0.02)
    with running_sink(options, sender_rig.now_ms) as sink, sender_rig.rig(kafka, tmp_path) as rig:
        rig.smtp_port = sink.port
        jobs = people_with_jobs(rig, 400)
        rig.emit(*jobs)
        rig.start("one")
        for count, name in ((100, "two"), (200, "three")):
            _await_mails(sink, count)
            rig.start(name)
        for count, name in ((400, "one"), (500, "three")):
            _await_mails(sink, count)
            rig.processes[name].send_signal(signal.SIGTERM)
            assert rig.processes[name].wait(30) == 0, rig.log_of(name)
        judge(rig, sink, jobs, kills=0)


@pytest.mark.slow
def test_memory_is_bounded(kafka: Any, tmp_path: Path) -> None:
    """A server that is down and tens of thousands of jobs: the sender holds its bound of them, then sends all."""
    refusing = {"now": True}

    def script(stage: str, _: str) -> str | None:
        return "421 4.3.2 not now" if stage == "mail" and refusing["now"] else None

    options = SinkOptions(script=script)
    with running_sink(options, sender_rig.now_ms) as sink, sender_rig.rig(kafka, tmp_path) as rig:
        rig.smtp_port = sink.port
        person = [rig.person(f"p{n}") for n in range(200)]
        rig.emit(
            *[rig.job(person[n % 200], n // 200, not_after_ms=sender_rig.now_ms() + DAY_MS) for n in range(30_000)]
        )
        process = rig.start(limits={"held": 1000})
        wait_for(lambda: "channel_paused" in rig.log_of("one"), what="the pause")
        tries = sink.connections
        wait_for(lambda: sink.connections >= tries + 3, what="probes")
        assert _memory_mb(process.pid) < 250
        assert rig.receipts() == []
        refusing["now"] = False
        _await_mails(sink, 300)


def _await_mails(sink: MailSink, count: int) -> None:
    wait_for(lambda: len(sink.received) >= count, what=f"{count} mails")


def _memory_mb(pid: int) -> float:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def _is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "Tt"
