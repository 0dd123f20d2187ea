"""The sender on real Kafka and a real SMTP server: what becomes of each kind of job."""

import re
import signal
import socket
from collections import Counter, defaultdict
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from postcart.adapters.mail_sink import Drop, SinkOptions, running_sink
from postcart.events.gate import Stop
from postcart.events.ids import contact_id
from postcart.events.jobs import Job
from postcart.events.signals import LineState
from postcart.events.suppressions import suppression_key
from stream import sender_rig
from waiting import wait_for

DAY_MS = 86_400_000


def message_id(job: Job) -> str:
    return f"<{job.job_id}@shop.example>"


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
            assert order[f"p{n}@example.com"] == [message_id(rig.job(person, step)) for step in (1, 2, 3)]
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
        unlucky = {message_id(cart), message_id(shipping)}
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
        assert lost[message_id(cart)] == 1
        assert receipts[shipping.job_id].outcome == "accepted"
        assert lost[message_id(shipping)] == 2
        assert receipts[broken.job_id].status == "render"
        assert len([value for _, value in rig.read("dead") if value]) == 2
        # JOURNEY's next attempt is taken; a repeat of the former one is not.
        rig.emit(grey, rig.job(grey.person_id, attempt=2))
        wait_for(lambda: len(rig.receipts()) >= 7, what="the second attempt's receipt")
        assert [r.attempt for r in rig.receipts() if r.job_id == grey.job_id] == [1, 2]
        assert all("@" not in (r.detail or "") for r in rig.receipts())
        wait_for(lambda: rig.lag() == 0, what="lag 0")


def test_wrong_password_pauses_and_resumes(kafka: Any, tmp_path: Path) -> None:
    """No job is used up, one message says what to do, and once the server takes the login all goes out."""
    wrong = {"now": True}

    def script(stage: str, _: str) -> str | None:
        return "535 5.7.8 authentication failed" if stage == "auth" and wrong["now"] else None

    options = SinkOptions(script=script, credentials=("shop", "secret"))
    with running_sink(options, sender_rig.now_ms) as sink, sender_rig.rig(kafka, tmp_path) as rig:
        rig.smtp_port = sink.port
        rig.emit(*[rig.job(rig.person(f"p{n}")) for n in range(30)])
        rig.start(credentials=("shop", "secret"))
        wait_for(lambda: "channel_paused" in rig.log_of("one"), what="the pause")
        said = next(line for line in rig.log_of("one").splitlines() if "channel_paused" in line)
        assert "POSTCART_SMTP__PASSWORD" in said
        tries = sink.connections
        wait_for(lambda: sink.connections >= tries + 2, what="probes")
        assert rig.receipts() == []
        assert rig.lag() == 30
        wrong["now"] = False
        rig.await_receipts(30)
        assert rig.outcomes() == {"accepted": 30}
        assert rig.log_of("one").count("channel_paused") == 1
        assert rig.log_of("one").count("channel_resumed") == 1
        wait_for(lambda: rig.lag() == 0, what="lag 0")


PROMISED_S = 15
"""What was appended this long before the claim counts (docs/guarantees.md)."""


def test_what_comes_while_the_channel_is_held_back(kafka: Any, tmp_path: Path) -> None:
    """The server refuses; meanwhile people buy, opt out, come back, bounce, and the shop changes prices and stock.

    Once it takes mail again, nobody hears of a cart that is no more, and the others see the prices of now.
    """
    refusing = {"now": True}

    def script(stage: str, _: str) -> str | None:
        return "451 4.3.2 not accepting messages" if stage == "mail" and refusing["now"] else None

    def lines(*variants: str) -> tuple[LineState, ...]:
        return tuple(LineState(variant_id=v, quantity=2, changed_ms=0, unit_price=Decimal("9.00")) for v in variants)

    names = (
        "ordered", "fast_clock", "emptied", "returned", "refused",
        "bounced", "complained", "sold_out", "cheaper", "good",
    )  # fmt: skip
    with running_sink(SinkOptions(script=script), sender_rig.now_ms) as sink, sender_rig.rig(kafka, tmp_path) as rig:
        rig.smtp_port = sink.port
        carts = {name: rig.job(rig.person(name), lines=lines("keeps", "sells")) for name in names}
        carts["sold_out"] = rig.job(carts["sold_out"].person_id, lines=lines("gone"))
        carts["cheaper"] = rig.job(carts["cheaper"].person_id, lines=lines("gone", "falls"), value=Decimal("36.00"))
        parcels = {name: rig.job(carts[name].person_id, purpose="transactional") for name in ("ordered", "complained")}
        rig.sells("falls", "9.00", stock=4)
        rig.emit(*carts.values(), *parcels.values())
        rig.start(limits={"most_probe_s": 1.0})
        wait_for(lambda: "channel_paused" in rig.log_of("one"), what="the pause")
        now = sender_rig.now_ms()
        rig.person("ordered", stops=[Stop("ordered", now)])
        rig.person("fast_clock", stops=[Stop("ordered", now + 3_600_000)])
        rig.person("emptied", stops=[Stop("emptied", now)])
        rig.person("returned", stops=[Stop("returned", now)])
        rig.person("refused", consent=False)
        rig.suppress("bounced")
        rig.suppress("complained", "complaint")
        rig.sells("gone", "9.00", stock=0)
        rig.sells("falls", "7.50")
        rig.emit_raw("catalog", b"keeps", b"{")
        rig.flush()
        wait_for(lambda: sender_rig.now_ms() > now + PROMISED_S * 1000, what="the promised time")
        assert {r.outcome for r in rig.receipts()} <= {"suppressed"}, "nothing was used up"
        assert sink.received == []
        refusing["now"] = False
        found = {r.job_id: r for r in rig.await_receipts(len(carts) + len(parcels))}
        outcomes = {name: found[job.job_id].reason or found[job.job_id].outcome for name, job in carts.items()}
        assert outcomes == {
            "ordered": "ordered",
            "fast_clock": "ordered",
            "emptied": "emptied",
            "returned": "returned",
            "refused": "no_consent",
            "bounced": "suppressed_address",
            "complained": "suppressed_address",
            "sold_out": "out_of_stock",
            "cheaper": "accepted",
            "good": "accepted",
        }
        assert {found[job.job_id].outcome for job in parcels.values()} == {"accepted"}
        mails = {mail.entry.message_id: mail.data.decode() for mail in sink.received}
        assert mails.keys() == {message_id(job) for job in (carts["cheaper"], carts["good"], *parcels.values())}
        assert "2 x falls 7.50\r\n15.00" in mails[message_id(carts["cheaper"])]
        assert "2 x keeps 9.00, 2 x sells 9.00" in mails[message_id(carts["good"])]
        assert found[carts["good"].job_id].contact_id
        assert found[carts["bounced"].job_id].contact_id is None
        why = {one.job_id: one for one in rig.judged()}
        last = {name: why[job.job_id].rules[-1] for name, job in carts.items()}
        assert {name: (why[job.job_id].outcome, why[job.job_id].reason) for name, job in carts.items()} == {
            name: ("claimed", None) if outcome == "accepted" else ("suppressed", outcome)
            for name, outcome in outcomes.items()
        }
        assert {name: rule.rule for name, rule in last.items() if rule.verdict == "stop"} == {
            "ordered": "stops", "fast_clock": "stops", "emptied": "stops", "returned": "stops",
            "refused": "consent", "bounced": "suppression", "complained": "suppression", "sold_out": "stock",
        }  # fmt: skip
        assert "@" not in str([one.rules for one in rig.judged()])
        assert "table_records_unreadable" in rig.log_of("one")
        wait_for(lambda: rig.lag() == 0, what="lag 0")


def test_a_sender_that_stood_still_asks_again(kafka: Any, tmp_path: Path) -> None:
    """Stopped after the gate let a reminder pass, before its claim or before its socket; the person buys meanwhile."""
    points = ("before_claim", "claimed")
    with running_sink(SinkOptions(), sender_rig.now_ms) as sink, ExitStack() as stack:
        rigs = []
        for point in points:
            (tmp_path / point).mkdir()
            rig = stack.enter_context(sender_rig.rig(kafka, tmp_path / point, partitions=1))
            rig.smtp_port = sink.port
            rig.emit(rig.job(rig.person(f"buys-{point}")), rig.job(rig.person(f"waits-{point}")))
            rig.start(fault=(point, 1, "stop"), limits={"claim_age_max_s": 2.0})
            rigs.append(rig)
        for rig, point in zip(rigs, points, strict=True):
            wait_for(lambda rig=rig: is_stopped(rig), what="the stop")
            rig.person(f"buys-{point}", stops=[Stop("ordered", sender_rig.now_ms())])
            rig.flush()
        bought_ms = sender_rig.now_ms()
        wait_for(lambda: sender_rig.now_ms() > bought_ms + 3_000, what="the claims' age")
        for rig in rigs:
            rig.processes["one"].send_signal(signal.SIGCONT)
        for rig in rigs:
            rig.await_receipts(2)
            assert rig.outcomes() == {"accepted": 1, "suppressed:ordered": 1}
        assert sorted(mail.entry.recipient for mail in sink.received) == [f"waits-{p}@example.com" for p in points]


def is_stopped(rig: Any) -> bool:
    """Whether the sender stands still by a signal."""
    return "\nState:\tT" in Path(f"/proc/{rig.processes['one'].pid}/status").read_text()


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


@pytest.mark.slow
def test_memory_stays_bounded_while_nothing_can_be_sent(kafka: Any, tmp_path: Path) -> None:
    """A dead server and far more jobs than may be held: the process takes in no more than it may."""
    with sender_rig.rig(kafka, tmp_path) as rig:
        rig.smtp_port = unused_port()
        people = [rig.person(f"p{n}") for n in range(100)]
        rig.start(limits={"held": 2_000})
        log = tmp_path / "one.log"
        wait_for(lambda: log.read_text().count("sender_restored") == 4, what="the restore")
        before = resident_kb(rig)
        for first in range(0, 1_000, 100):
            rig.emit(*[rig.job(person, step) for step in range(first, first + 100) for person in people])
        wait_for(lambda: "channel_paused" in rig.log_of("one"), what="the pause")
        # It has read all that it will: what it holds does not move any more.
        sizes = [0]
        wait_for(lambda: (sizes.append(resident_kb(rig)), sizes[-1] - sizes[-2] < 64)[1], what="rest")
        assert rig.lag() == 100_000
        assert resident_kb(rig) - before < 60_000, "a job held takes about 3 KB: all of them would be 300 MB"


def unused_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def resident_kb(rig: Any) -> int:
    """Memory of the sender, which must be alive."""
    status = Path(f"/proc/{rig.processes['one'].pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+)", status)
    assert found, rig.log_of("one")
    return int(found[1])
