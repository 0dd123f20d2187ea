"""Senders that are killed or stopped at the worst moments: nothing lost, no cart mailed twice.

Real Kafka, real processes, a real SMTP server whose ledger is the judge.
"""

import importlib.util
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from postcart.adapters.mail_sink import MailSink, SinkOptions, running_sink

DAY_MS = 86_400_000
POINTS = ("before_claim", "claimed", "accepted", "before_receipts")
IN_FLIGHT = 8


def _load_rig() -> Any:
    if "sender_rig" in sys.modules:
        return sys.modules["sender_rig"]
    spec = importlib.util.spec_from_file_location("sender_rig", Path(__file__).with_name("sender_rig.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


sender_rig = _load_rig()


def mails(sink: MailSink) -> Counter[str]:
    """How often each job's mail was accepted."""
    return Counter(mail.entry.message_id.strip("<>").split("@")[0] for mail in sink.received)


def judge(rig: Any, sink: MailSink, jobs: list[Any], *, kills: int) -> None:
    """Conservation: each job ended once, what the server took is what receipts say, less the uncertain."""
    receipts = rig.await_receipts(len(jobs), seconds=120)
    final = {r.job_id: r for r in receipts if r.outcome != "not_accepted"}
    repeated = [j for j, n in Counter(r.job_id for r in receipts if r.outcome != "not_accepted").items() if n > 1]
    assert not repeated, "two final receipts for a job"
    assert final.keys() == {job.job_id for job in jobs}
    taken = mails(sink)
    accepted = {job_id for job_id, receipt in final.items() if receipt.outcome == "accepted"}
    uncertain = {job_id for job_id, receipt in final.items() if receipt.outcome == "uncertain"}
    carts = {job.job_id for job in jobs if job.purpose == "marketing"}
    assert accepted | uncertain == final.keys()
    assert accepted <= taken.keys(), "a receipt without a mail"
    assert taken.keys() <= accepted | uncertain, "a mail without a receipt"
    assert not [job_id for job_id, count in taken.items() if count > 1 and job_id in carts], "a cart mailed twice"
    assert sum(count - 1 for count in taken.values()) <= IN_FLIGHT * kills
    assert len(uncertain) <= IN_FLIGHT * kills
    sender_rig.wait_for(lambda: rig.lag() == 0, what="lag 0")


def people_with_jobs(rig: Any, count: int) -> list[Any]:
    people = [rig.person(f"p{n}") for n in range(count)]
    carts = [rig.job(person, step) for step in (1, 2) for person in people]
    return carts + [rig.job(person, 1, purpose="transactional") for person in people[: count // 4]]


@pytest.mark.slow
def test_killed_at_each_point(kafka: Any, tmp_path: Path) -> None:
    """Four lives, each ended by kill -9 at another point; a fifth finishes. Nothing lost, carts never twice."""
    with running_sink(SinkOptions(delay_s=0.05), sender_rig.now_ms) as sink, sender_rig.rig(kafka, tmp_path) as rig:
        rig.smtp_port = sink.port
        jobs = people_with_jobs(rig, 120)
        rig.emit(*jobs)
        for point in POINTS:
            process = rig.start(fault=(point, 3, "kill"))
            assert process.wait(60) == -signal.SIGKILL, rig.log_of("one")
        rig.start()
        judge(rig, sink, jobs, kills=4)


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
def test_stopped_past_the_session(kafka: Any, tmp_path: Path, point: str) -> None:
    """A sender stands still until another has its partitions; when it wakes it is fenced, and sends nothing more."""
    with running_sink(SinkOptions(delay_s=0.05), sender_rig.now_ms) as sink, sender_rig.rig(kafka, tmp_path) as rig:
        rig.smtp_port = sink.port
        jobs = [job for job in people_with_jobs(rig, 60) if job.purpose == "marketing"]
        rig.emit(*jobs)
        stopped = rig.start("one", fault=(point, 3, "stop"))
        sender_rig.wait_for(lambda: _is_stopped(stopped.pid), what=f"stopped at {point}")
        rig.start("two")
        rig.await_receipts(len(jobs), seconds=120)
        stopped.send_signal(signal.SIGCONT)
        assert stopped.wait(60) == 75, rig.log_of("one")
        judge(rig, sink, jobs, kills=1)


def test_stopped_for_a_while(kafka: Any, tmp_path: Path) -> None:
    """Within the session, but longer than a claim may be old: it claims again, and everything is accepted."""
    with running_sink(SinkOptions(), sender_rig.now_ms) as sink, sender_rig.rig(kafka, tmp_path) as rig:
        rig.smtp_port = sink.port
        jobs = [rig.job(rig.person(f"p{n}")) for n in range(20)]
        rig.emit(*jobs)
        stopped = rig.start("one", fault=("claimed", 2, "stop"), limits={"claim_age_max_s": 0.5})
        sender_rig.wait_for(lambda: _is_stopped(stopped.pid), what="stopped")
        claimed_ms = max(claim.at_ms for claim in rig.claims() if claim.state == "claimed")
        sender_rig.wait_for(lambda: sender_rig.now_ms() > claimed_ms + 1_000, what="an old claim")
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
        sender_rig.wait_for(lambda: "channel_paused" in rig.log_of("one"), what="the pause")
        tries = sink.connections
        sender_rig.wait_for(lambda: sink.connections >= tries + 3, what="probes")
        assert _memory_mb(process.pid) < 250
        assert rig.receipts() == []
        refusing["now"] = False
        _await_mails(sink, 300)


def _await_mails(sink: MailSink, count: int) -> None:
    sender_rig.wait_for(lambda: len(sink.received) >= count, what=f"{count} mails")


def _memory_mb(pid: int) -> float:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def _is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "Tt"
