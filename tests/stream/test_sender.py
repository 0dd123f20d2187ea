"""The sender on real Kafka and a real SMTP server: what becomes of each kind of job."""

import signal
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from msgspec import structs

from postcart.adapters.mail_sink import Drop, SinkOptions, running_sink
from postcart.events.gate import Stop
from postcart.events.ids import contact_id
from postcart.events.suppressions import suppression_key
from stream import sender_rig
from waiting import wait_for

DAY_MS = 86_400_000


def leave(rig: Any, name: str = "one") -> None:
    """End a worker by SIGTERM, which must be polite and quick."""
    rig.processes[name].send_signal(signal.SIGTERM)
    assert rig.processes[name].wait(30) == 0, rig.log_of(name)


def test_jobs_become_mails_and_receipts(kafka: Any, tmp_path: Path) -> None:
    """Each job ends once, mails keep each person's order, nothing is left behind, repeats change nothing."""
    with running_sink(SinkOptions(), sender_rig.now_ms) as sink, sender_rig.rig(kafka, tmp_path) as rig:
        rig.smtp_port = sink.port
        people = [rig.person(f"p{n}") for n in range(20)]
        jobs = [rig.job(person, step) for step in (1, 2, 3) for person in people]
        rig.emit(*jobs, *jobs)
        rig.start()
        receipts = rig.await_receipts(60)
        order = defaultdict(list)
        for mail in sink.received:
            order[mail.entry.recipient].append(mail.entry.message_id)
        for n, person in enumerate(people):
            assert order[f"p{n}@example.com"] == [sender_rig.message_id(rig.job(person, step)) for step in (1, 2, 3)]
        wait_for(lambda: rig.lag() == 0, what="lag 0")
        leave(rig)
        rig.start()
        rig.emit(*jobs[:5], rig.job(people[0], 4))
        rig.await_receipts(61)
        wait_for(lambda: rig.lag() == 0, what="lag 0")
        leave(rig)
        assert {r.outcome for r in receipts} == {"accepted"}
        assert len(rig.receipts()) == len(sink.received) == 61


def test_the_gate_holds(kafka: Any, tmp_path: Path) -> None:
    """Each reason not to send, a key that comes late, and knowledge that is not fresh."""
    with running_sink(SinkOptions(), sender_rig.now_ms) as sink, sender_rig.rig(kafka, tmp_path) as rig:
        rig.smtp_port = sink.port
        now = sender_rig.now_ms()
        good, late = rig.person("good"), rig.person("late", key=False)
        jobs = {
            "accepted": rig.job(good),
            "suppressed:no_consent": rig.job(rig.person("refused", consent=False)),
            "suppressed:no_contact": rig.job(rig.person("unreachable", contact=False)),
            "suppressed:ordered": rig.job(rig.person("bought", stops=[Stop("ordered", now - 1000)])),
            "suppressed:not_after": rig.job(rig.person("slow"), not_after_ms=now - 1),
            "suppressed:too_old": rig.job(rig.person("old"), due_ms=now - 26 * DAY_MS),
        }
        rig.progress_age_ms = 60_000
        rig.emit(*jobs.values(), rig.job(late), rig.job(good, purpose="transactional"))
        rig.start()
        # Without fresh order progress only transactional mail gets through.
        rig.await_receipts(1)
        assert rig.outcomes() == {"accepted": 1}
        rig.progress_age_ms = 0
        rig.await_receipts(7)
        assert rig.outcomes() == {**dict.fromkeys(jobs, 1), "accepted": 2}
        assert {mail.entry.recipient for mail in sink.received} == {"good@example.com"}
        rig.person("late")
        rig.await_receipts(8)
        assert sink.received[-1].entry.recipient == "late@example.com"
        wait_for(lambda: rig.lag() == 0, what="lag 0")


def test_a_replay_is_judged_by_event_time(kafka: Any, tmp_path: Path) -> None:
    """Years later by the wall clock: due times decide about expiry and stops, not the moment of sending."""
    due = 1_664_640_000_000  # 2022-10-01T16:00Z
    with running_sink(SinkOptions(), sender_rig.now_ms) as sink, sender_rig.rig(kafka, tmp_path) as rig:
        rig.smtp_port = sink.port
        times = {"armed_ms": due - 1000, "planned_ms": due, "due_ms": due, "not_after_ms": due + DAY_MS}
        stops = {"before": due - 1000, "at": due, "after": due + 1}
        jobs = {name: rig.job(rig.person(name, stops=[Stop("ordered", at)]), **times) for name, at in stops.items()}
        rig.emit(*jobs.values())
        rig.start(replay=True)
        found = {r.job_id: r.outcome for r in rig.await_receipts(3)}
        assert found == {
            jobs["before"].job_id: "accepted",  # at the arming itself
            jobs["at"].job_id: "suppressed",
            jobs["after"].job_id: "accepted",
        }


def test_answers_of_the_server(kafka: Any, tmp_path: Path) -> None:
    """Deferred, rejected, lost after the dot, unreadable, unrenderable: each has its outcome, others go on."""
    lost: Counter[str] = Counter()

    def script(stage: str, who: str) -> str | Drop | None:
        if stage == "rcpt" and who.startswith("unknown"):
            return "550 5.1.1 no such user"
        if stage == "rcpt" and who.startswith("grey"):
            return "451 4.7.1 try again later"
        if stage == "accept":
            lost[who] += 1
            if who in unlucky and lost[who] == 1:
                return Drop(kept=True)
        return None

    with running_sink(SinkOptions(script=script), sender_rig.now_ms) as sink, sender_rig.rig(kafka, tmp_path) as rig:
        rig.smtp_port = sink.port
        grey = rig.job(rig.person("grey"))
        cart, shipping = rig.job(rig.person("cart")), rig.job(rig.person("parcel"), purpose="transactional")
        unlucky = {sender_rig.message_id(cart), sender_rig.message_id(shipping)}
        broken = rig.job(rig.person("broken"), template="broken")
        rig.emit(grey, cart, shipping, broken, rig.job(rig.person("unknown")), rig.job(rig.person("good")))
        rig.emit_raw("jobs.email.marketing", b"someone", b"{")
        rig.start()
        receipts = {r.job_id: r for r in rig.await_receipts(5)}
        wait_for(lambda: len(rig.receipts()) >= 6, what="the deferred one's receipt")
        receipts = {r.job_id: r for r in rig.receipts()}
        deferred = receipts[grey.job_id]
        assert (deferred.outcome, deferred.status) == ("not_accepted", "451 4.7.1")
        assert 30_000 <= deferred.not_before_ms - deferred.at_ms <= 42_000
        assert rig.outcomes() == {"not_accepted": 1, "uncertain": 1, "accepted": 2, "rejected": 2}
        assert receipts[cart.job_id].outcome == "uncertain"
        assert lost[sender_rig.message_id(cart)] == 1
        assert receipts[shipping.job_id].outcome == "accepted"
        assert lost[sender_rig.message_id(shipping)] == 2
        assert receipts[broken.job_id].status == "render"
        assert len([value for _, value in rig.read("dead") if value]) == 2
        # JOURNEY's next attempt is taken; a repeat of the former one is not.
        rig.emit(grey, rig.job(grey.person_id, attempt=2))
        wait_for(lambda: len(rig.receipts()) >= 7, what="the second attempt's receipt")
        assert [r.attempt for r in rig.receipts() if r.job_id == grey.job_id] == [1, 2]
        assert all("@" not in (r.detail or "") for r in rig.receipts())
        wait_for(lambda: rig.lag() == 0, what="lag 0")


def test_refusals_for_good(kafka: Any, tmp_path: Path) -> None:
    """An unknown recipient: one attempt, and its contact point is named. A policy: besides, somebody is told."""

    def script(stage: str, who: str) -> str | None:
        if stage != "rcpt":
            return None
        return "550 5.1.1 no such user" if who.startswith("unknown") else "550 5.7.1 rejected by policy"

    tried: Counter[str] = Counter()

    def counting(stage: str, who: str) -> str | None:
        if stage == "rcpt":
            tried[who] += 1
        return script(stage, who)

    with running_sink(SinkOptions(script=counting), sender_rig.now_ms) as sink, sender_rig.rig(kafka, tmp_path) as rig:
        rig.smtp_port = sink.port
        jobs = {name: rig.job(rig.person(name)) for name in ("unknown", "disliked")}
        rig.emit(*jobs.values(), *jobs.values())
        rig.start()
        receipts = {r.job_id: r for r in rig.await_receipts(2)}
        wait_for(lambda: rig.lag() == 0, what="lag 0")
        found = {name: (receipts[job.job_id].outcome, receipts[job.job_id].status) for name, job in jobs.items()}
        assert found == {"unknown": ("rejected", "550 5.1.1"), "disliked": ("rejected", "550 5.7.1")}
        assert all(receipts[job.job_id].contact_id for job in jobs.values())
        assert sorted(tried.values()) == [1, 1]
        assert rig.log_of("one").count("refused_by_policy") == 1
        assert "channel_paused" not in rig.log_of("one")


def test_a_later_revision_of_what_nobody_has(kafka: Any, tmp_path: Path) -> None:
    """An edited redrive goes out once where the job was rejected or suppressed, never where it was accepted.

    Restarts change nothing about that.
    """
    with running_sink(SinkOptions(), sender_rig.now_ms) as sink, sender_rig.rig(kafka, tmp_path) as rig:
        rig.smtp_port = sink.port
        rig.suppress("lifted")
        jobs = {
            "accepted": rig.job(rig.person("accepted")),
            "broken": rig.job(rig.person("broken"), template="broken"),
            "lifted": rig.job(rig.person("lifted")),
        }
        rig.emit(*jobs.values())
        rig.start()
        rig.await_receipts(3)
        leave(rig)
        rig.emit_raw(
            "suppressions", suppression_key("email", contact_id(b"identity", "email", "lifted@example.com")), None
        )
        again = [structs.replace(job, revision=1, template="cart-reminder") for job in jobs.values()]
        rig.emit(*jobs.values(), *again, *again)
        rig.start()
        wait_for(lambda: rig.lag() == 0 and len(rig.receipts()) == 5, what="two more receipts")
        leave(rig)
        rig.emit(*again, *jobs.values())
        rig.start()
        wait_for(lambda: rig.lag() == 0, what="lag 0")
        assert sorted(mail.entry.recipient for mail in sink.received) == [
            "accepted@example.com",
            "broken@example.com",
            "lifted@example.com",
        ]
        assert len(rig.receipts()) == 5
