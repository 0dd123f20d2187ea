"""The sender on real Kafka while mail can not go out: what waits, what it is judged by afterwards, what it takes."""

import re
import signal
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ports import free_port
from postcart.adapters.mail_sink import SinkOptions, running_sink
from postcart.events.gate import Stop
from postcart.events.signals import LineState
from stream import sender_rig
from waiting import wait_for


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
        assert mails.keys() == {
            sender_rig.message_id(job) for job in (carts["cheaper"], carts["good"], *parcels.values())
        }
        assert "2 x falls 7.50\r\n15.00" in mails[sender_rig.message_id(carts["cheaper"])]
        assert "2 x keeps 9.00, 2 x sells 9.00" in mails[sender_rig.message_id(carts["good"])]
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


@pytest.mark.slow
def test_memory_stays_bounded_while_nothing_can_be_sent(kafka: Any, tmp_path: Path) -> None:
    """A dead server and far more jobs than may be held: the process takes in no more than it may."""
    with sender_rig.rig(kafka, tmp_path) as rig:
        rig.smtp_port = free_port()
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


def resident_kb(rig: Any) -> int:
    """Memory of the sender, which must be alive."""
    status = Path(f"/proc/{rig.processes['one'].pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+)", status)
    assert found, rig.log_of("one")
    return int(found[1])
