"""The fault matrix: one description per row.

Owns: what each row does and allows, in the words of the table. Must not: do anything by itself.
"""

from collections.abc import Sequence
from random import Random
from typing import get_args

from faults.mailroom import Ambiguous, Drop, Late, Refusing
from faults.scenario import (
    SENDER_POINTS,
    TRANSACTION_POINTS,
    Allowed,
    At,
    Leave,
    Mails,
    Outage,
    Row,
    Storm,
    Strike,
)
from faults.worker import Kind

KINDS: tuple[Kind, ...] = get_args(Kind)
_ASLEEP_S = 14.0
"""The brokers' session time-out is 10 s."""
_MINUTE_MS = 60_000
_IN_DOUBT = Allowed(uncertain=True)


def strikes(kind: Kind, points: Sequence[str], action: str, *, asleep_s: float = 0.0) -> object:
    """One fault at each point, in an order that the seed decides, evenly over the first two thirds."""

    def steps(random: Random) -> list[At]:
        order = random.sample(points, len(points))
        return [
            At(0.1 + 0.6 * number / len(order), Strike(kind, point, action, asleep_s))  # type: ignore[arg-type]
            for number, point in enumerate(order)
        ]

    return steps


ROWS: tuple[Row, ...] = (
    Row(
        name="calm",
        fault="nothing",
        expected="lost 0, duplicates 0",
        load_s=20.0,
    ),
    Row(
        name="kill-sender",
        fault="kill -9 of a sender before the claim, claimed, accepted, before the commit",
        expected="lost 0; carts never twice, shipping ≤ C; resumed ≤ 15 s",
        steps=strikes("email", SENDER_POINTS, "kill"),
        load_s=60.0,
        allowed=_IN_DOUBT,
        resumes_within_s=15.0,
    ),
    *(
        Row(
            name=f"kill-{kind}",
            fault=f"kill -9 of a {kind} worker at four points of its transaction",
            expected="lost 0, duplicates 0; resumed ≤ 15 s",
            steps=strikes(kind, TRANSACTION_POINTS, "kill"),
            load_s=60.0,
            resumes_within_s=15.0,
        )
        for kind in KINDS[:2]
    ),
    Row(
        name="term",
        fault="SIGTERM under load, each kind of worker twice",
        expected="lost 0, duplicates 0, uncertain 0; out ≤ 30 s; elsewhere ≤ 3 s",
        steps=lambda _: [At(0.1 + 0.1 * number, Leave(kind)) for number, kind in enumerate(KINDS * 2)],
        resumes_within_s=3.0,
    ),
    Row(
        name="stop-sender",
        fault="SIGSTOP of a sender past its session at the four points, then CONT",
        expected="lost 0; fenced; carts never twice, shipping ≤ C",
        steps=strikes("email", SENDER_POINTS, "stop", asleep_s=_ASLEEP_S),
        load_s=90.0,
        allowed=_IN_DOUBT,
    ),
    *(
        Row(
            name=f"stop-{kind}",
            fault=f"SIGSTOP of a {kind} worker past its session, its transaction open, then CONT",
            expected="lost 0, duplicates 0; its commit fenced",
            steps=strikes(kind, ("begun", "produced", "offsets"), "stop", asleep_s=_ASLEEP_S),
            load_s=75.0,
        )
        for kind in KINDS[:2]
    ),
    Row(
        name="smtp-lost-answer",
        fault="connection lost after the final dot, the mail taken",
        expected="carts never twice; shipping ≤ 1 copy with the same Message-ID",
        steps=lambda _: [At(0.05, Mails(lambda: Ambiguous(Drop(kept=True), share=0.2)))],
        allowed=_IN_DOUBT,
    ),
    Row(
        name="smtp-late-answer",
        fault="answer later than the time-out, the mail taken",
        expected="carts never twice; shipping ≤ 1 copy with the same Message-ID",
        steps=lambda _: [At(0.05, Mails(lambda: Ambiguous(Late(8.0), share=0.15)))],
        allowed=_IN_DOUBT,
    ),
    Row(
        name="tripled",
        fault="every event three times, shuffled within the allowed disorder",
        expected="one send each; a bought cart none",
        times=3,
        late_ms=5 * _MINUTE_MS - 1,
        load_s=25.0,
    ),
    Row(
        name="broker-one",
        fault="1 of 3 brokers down, one after the other",
        expected="lost 0, duplicates 0",
        steps=lambda _: [At(0.1, Outage((0,), 15.0)), At(0.4, Outage((1,), 15.0)), At(0.7, Outage((2,), 15.0))],
        brokers=3,
        load_s=75.0,
        allowed=_IN_DOUBT,
    ),
    Row(
        name="broker-all",
        fault="all 3 brokers down for 30 s",
        expected="lost 0, duplicates 0; drains afterwards",
        steps=lambda _: [At(0.3, Outage((0, 1, 2), 30.0))],
        brokers=3,
        load_s=60.0,
        allowed=_IN_DOUBT,
    ),
    Row(
        name="storm",
        fault="rebalance storm: 1 to 6 workers of each kind started and stopped every 5 s for 30 s",
        expected="lost 0, duplicates 0, uncertain 0; lag 0 within 2 minutes",
        steps=lambda _: [At(0.1, Storm(("email",), 30.0)), At(0.5, Storm(("detect", "journey"), 30.0, most=3))],
        partitions=6,
        load_s=90.0,
    ),
    Row(
        name="smtp-450",
        fault="SMTP 451 to a fifth of the recipients for a while",
        expected="no loss; each comes later, once",
        steps=lambda _: [
            At(0.05, Mails(lambda: Refusing("rcpt", "451 4.7.1 Greylisted, try again in 30 seconds", share=0.2))),
            At(0.6, Mails(lambda: Refusing("rcpt", "", share=0.0))),
        ],
    ),
)

BY_NAME = {row.name: row for row in ROWS}
