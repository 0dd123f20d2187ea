"""The fault matrix: one description per row.

Owns: what each row does and allows, in the words of the table. Must not: do anything by itself.
"""

from faults import checks, live
from faults.crash import KILLER, crash
from faults.load import over_change_of_clocks
from faults.mailroom import Ambiguous, Drop, Late, by_policy, greylisting, holding_back, locked, nobody_there, polite
from faults.places import fill_disk
from faults.poison import mend, own_templates, poison
from faults.proxied import disturb
from faults.registry import MixedEncoder, learn_and_redrive, served_registry, unknown_version, with_late_comers
from faults.scenario import (
    ASLEEP_S,
    IMPATIENT,
    KINDS,
    SENDER_POINTS,
    TRANSACTION_POINTS,
    Allowed,
    At,
    Do,
    Leave,
    Mails,
    Outage,
    Row,
    Storm,
    strikes,
)

_MINUTE_MS = 60_000
IN_DOUBT = Allowed(uncertain=True)
APART = 0.2


CART_ROWS: tuple[Row, ...] = (
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
        allowed=IN_DOUBT,
        resumes_within_s=15.0,
    ),
    *(
        Row(
            name=f"kill-{kind}",
            fault=f"kill -9 of a {kind} worker at four points of its transaction, and between batches of a turn",
            expected="lost 0, duplicates 0; resumed ≤ 15 s",
            steps=strikes(kind, (*TRANSACTION_POINTS, "amid"), "kill"),
            load_s=60.0,
            resumes_within_s=15.0,
        )
        for kind in KINDS[:2]
    ),
    Row(
        name="term",
        alone=True,
        fault="SIGTERM under load, each kind of worker twice",
        expected="lost 0, duplicates 0, uncertain 0; out ≤ 30 s; elsewhere ≤ 3 s",
        steps=lambda _: [At(0.1 + 0.1 * number, Leave(kind)) for number, kind in enumerate(KINDS * 2)],
        resumes_within_s=3.0,
    ),
    Row(
        name="stop-sender",
        fault="SIGSTOP of a sender past its session at the four points, then CONT",
        expected="lost 0; fenced; carts never twice, shipping ≤ C",
        steps=strikes("email", SENDER_POINTS, "stop", count=2, asleep_s=ASLEEP_S),
        load_s=90.0,
        allowed=IN_DOUBT,
    ),
    *(
        Row(
            name=f"stop-{kind}",
            fault=f"SIGSTOP of a {kind} worker past its session, its transaction open, then CONT",
            expected="lost 0, duplicates 0; its commit fenced",
            steps=strikes(kind, ("begun", "produced", "offsets"), "stop", count=2, asleep_s=ASLEEP_S),
            load_s=75.0,
        )
        for kind in KINDS[:2]
    ),
    Row(
        name="smtp-lost-answer",
        fault="connection lost after the final dot, the mail taken",
        expected="carts never twice; shipping ≤ 1 copy with the same Message-ID",
        steps=lambda _: [At(0.05, Mails(lambda: Ambiguous(Drop(kept=True), share=0.2)))],
        allowed=IN_DOUBT,
    ),
    Row(
        name="smtp-late-answer",
        fault="answer later than the time-out, the mail taken",
        expected="carts never twice; shipping ≤ 1 copy with the same Message-ID",
        steps=lambda _: [At(0.05, Mails(lambda: Ambiguous(Late(8.0), share=0.15)))],
        variables=IMPATIENT,
        allowed=IN_DOUBT,
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
        allowed=IN_DOUBT,
    ),
    Row(
        name="broker-all",
        fault="all 3 brokers down for 30 s",
        expected="lost 0, duplicates 0; drains afterwards",
        steps=lambda _: [At(0.3, Outage((0, 1, 2), 30.0))],
        brokers=3,
        load_s=60.0,
        allowed=IN_DOUBT,
    ),
    Row(
        name="broker-all-long",
        fault="all 3 brokers down for 5 minutes",
        expected="lost 0, duplicates 0; drains afterwards",
        steps=lambda _: [At(0.3, Outage((0, 1, 2), 300.0))],
        brokers=3,
        load_s=60.0,
        allowed=IN_DOUBT,
        seeds=1,
    ),
    Row(
        name="network",
        fault="connections reset again and again, and slow by 250 ms, through proxies as advertised listeners",
        expected="lost 0, duplicates 0",
        steps=lambda _: [At(0.15, Do(disturb, "resets and delays")), At(0.55, Do(disturb, "resets and delays"))],
        brokers=3,
        proxied=True,
        load_s=60.0,
        allowed=IN_DOUBT,
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
        name="smtp-451",
        fault="SMTP 451 to every recipient for a third of the time (half an hour, scaled)",
        expected="no loss; each comes later, once",
        steps=lambda _: [At(0.2, Mails(greylisting)), At(0.55, Mails(lambda: polite))],
        load_s=30.0,
    ),
    Row(
        name="smtp-550-5.1.1",
        fault="550 5.1.1 for a fifth of the addresses",
        expected="one attempt each, then suppressed; all others unharmed",
        steps=lambda _: [At(0.0, Mails(lambda: nobody_there(APART)))],
        allowed=Allowed(rejected=True, suppressed=frozenset({"suppressed_address"})),
        apart=APART,
        check=checks.one_attempt_each,
        load_s=120.0,
    ),
    Row(
        name="smtp-550-5.7.1",
        fault="550 5.7.1 for a fifth of the addresses, for half of the time",
        expected="rejected with an alert, nobody suppressed",
        steps=lambda _: [
            At(0.0, Mails(lambda: by_policy(APART))),
            At(0.6, Mails(lambda: polite)),
        ],
        allowed=Allowed(rejected=True),
        apart=APART,
        check=checks.nobody_suppressed,
        load_s=25.0,
    ),
    Row(
        name="smtp-535",
        fault="535: the server refuses our login for a third of the time",
        expected="channel paused, no attempt used up, resumes by itself",
        steps=lambda _: [
            At(0.2, Mails(locked)),
            At(0.55, Mails(lambda: polite)),
        ],
        check=checks.no_attempt_used_up,
        load_s=30.0,
    ),
    Row(
        name="poison",
        fault="poison: bad Avro, wrong type, template error, 5 MB, bad keys; then mended and redriven",
        expected="one dead letter each with its reason; everything else through; redrive works",
        steps=lambda _: [At(0.2, Do(poison, "poison")), At(0.6, Do(mend, "mend and redrive"))],
        around=own_templates,
        load_s=30.0,
    ),
    Row(
        name="schemas",
        fault="old and new schema, JSON and both Avro framings mixed; an unknown version, redriven once it is known",
        expected="compatible 100 %; unknown dead-lettered and redrivable",
        steps=lambda _: [At(0.3, Do(unknown_version, "unknown version")), At(1.0, Do(learn_and_redrive, "redrive"))],
        around=served_registry,
        load=with_late_comers,
        encoder=MixedEncoder,
        load_s=25.0,
    ),
    Row(
        name="order-first",
        fault="order appended 15 s before the reminder is due, or after, while the channel is held back by 451",
        expected="0 reminders after an order",
        steps=lambda _: [At(0.0, Mails(holding_back)), At(0.5, Do(live.reopen, "the channel opens"))],
        live=True,
        load=live.shoppers,
        around=live.short_campaign,
        check=live.nobody_who_ordered,
        allowed=Allowed(suppressed=frozenset({"ordered"})),
    ),
    Row(
        name="opt-out",
        fault="opt-out between plan and send, the channel held back by 451",
        expected="0 reminders to whoever opted out",
        steps=lambda _: [
            At(0.0, Mails(holding_back)),
            At(0.5, Do(live.opt_out, "opt-outs")),
            At(1.0, Do(live.reopen, "the channel opens")),
        ],
        live=True,
        load=live.leavers,
        around=live.short_campaign,
        check=live.nobody_who_opted_out,
        allowed=Allowed(suppressed=frozenset({"no_consent"}), same_decisions=False),
    ),
    Row(
        name="clock",
        fault="all workers' clocks jump by +1 h and back, then by -1 h and back",
        expected="lost 0; no early and no second reminder; quiet hours hold",
        steps=live.jumps,
        live=True,
        load=live.leavers,
        around=live.faked_clock,
        check=live.in_time,
        # libfaketime does not reach librdkafka's waits: while the clock is ahead each of them lasts an hour longer, not
        # only those that had begun. So a call to Kafka may fail twice, and end a sender, which no real clock does.
        allowed=Allowed(same_decisions=False, uncertain=True),
    ),
    Row(
        name="daylight",
        fault="histories over the change of clocks, workers in a zone that changes",
        expected="lost 0, duplicates 0; quiet hours hold",
        load=over_change_of_clocks,
        variables={"TZ": "Europe/Berlin"},
        load_s=25.0,
    ),
    Row(
        name="crash",
        fault="a record that kills the process, one for each kind of worker",
        expected="set aside after 3 crashes, a job uncertain after 2; everything else through",
        steps=lambda _: [At(0.2, Do(crash, "killer records"))],
        told={"crash_on": KILLER},
        allowed=Allowed(uncertain=True, codes=frozenset({-6, 75})),
        load_s=60.0,
    ),
    Row(
        name="disk-full",
        fault="the broker's disk is full for 15 s",
        expected="no send without a claim; lost 0; recovers by itself",
        steps=lambda _: [At(0.3, Do(fill_disk, "disk full"))],
        disk_mb=256,
        allowed=IN_DOUBT,
        load_s=60.0,
    ),
    Row(
        name="descriptors",
        fault="64 file descriptors for each worker",
        expected="lost 0; recovers by itself",
        told={"descriptors": 64},
        load_s=25.0,
    ),
)

CARTS_BY_NAME = {row.name: row for row in CART_ROWS}
