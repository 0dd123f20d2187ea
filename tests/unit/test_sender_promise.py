"""Nothing after the purchase: from the order's arrival at JOURNEY on, the gate lets no reminder of that cart out.

JOURNEY's rules, its gate records and the gate itself together, without Kafka: whenever the order comes, whatever its
event time says, whether or not the job exists, and also if the episode was armed anew.
"""

from collections.abc import Sequence
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postcart.domain.campaign import DEFAULT
from postcart.domain.journey import fold as journey
from postcart.domain.journey.outcome import Context, Decided
from postcart.domain.journey.person import Happening, Person
from postcart.domain.journey.receipts import settle
from postcart.domain.zones import resolver
from postcart.events.consents import ConsentRecorded
from postcart.events.gate import GatePerson
from postcart.events.jobs import Job
from postcart.events.shop import Consent, OrderPlaced, ProfileUpdated
from postcart.events.signals import (
    Abandonment,
    AbandonmentRecovered,
    Emptied,
    LineState,
    Returning,
    SignalOrder,
    Tags,
    VisitEnded,
    VisitStarted,
)
from postcart.events.times import HOUR_MS, MINUTE_MS
from postcart.senders.freshness import Freshness
from postcart.senders.gate import SEND, GateRules, Judgement, Known, Wait, judge
from receipts import receipt_of
from tasks_in_memory import gate_writer

START_MS = 1_664_618_400_000  # 10:00 UTC: the first step is due at 11:15 or later, at no quiet hour
LEFT_MS = START_MS + 15 * MINUTE_MS
DUE_MS = LEFT_MS + HOUR_MS
CONTEXT = Context(campaign=DEFAULT, zones=resolver(None))
RULES = GateRules(quiet_hours={DEFAULT.name: None})


class Told:
    """JOURNEY's row of one person, and what senders have been told of it."""

    def __init__(self, visits: Sequence[Happening] | None = None) -> None:
        self.person = Person(person_id="p")
        self.jobs: list[Job] = []
        self.gate: GatePerson | None = None
        self.writer = gate_writer()
        profile = ProfileUpdated(
            id="profile",
            time=START_MS - HOUR_MS,
            person_id="p",
            email="sealed",
            time_zone="UTC",
            consents=(Consent(channel="email", purpose="marketing", given=True),),
        )
        self.take([profile, *(visit(START_MS, LEFT_MS) if visits is None else visits)], clock_ms=LEFT_MS)

    def take(self, happenings: Sequence[Happening], *, clock_ms: int) -> None:
        """Records arrive, the clock stands there: one transaction, jobs and gate together."""
        out = Decided()
        journey.arrive(self.person, list(happenings), out)
        self.close(out, clock_ms)

    def close(self, out: Decided, clock_ms: int) -> None:
        """End the transaction: what falls due up to the clock, and what is told."""
        journey.advance(self.person, clock_ms, CONTEXT, out)
        self.jobs += out.jobs
        for person in out.gate.values():
            self.writer.changed(person)
        for output in self.writer.drain():
            self.gate = msgspec.json.decode(output.value or b"", type=GatePerson)

    def settle(self, outcome: str, *, clock_ms: int) -> None:
        """A receipt for whatever is out."""
        out = Decided()
        for item in list(self.person.outstanding.values()):
            assert settle(self.person, receipt_of(item.job, outcome, at_ms=item.job.due_ms), out)
        self.close(out, clock_ms)

    def judged(self, job: Job, now_ms: int) -> Judgement:
        """As a sender judges that is up to date."""
        known = Known(self.gate, has_key=True, freshness=Freshness(0.1, 500))
        return judge(job, known, moment_ms=now_ms, rules=RULES)


def visit(start_ms: int, end_ms: int, *, first: str = "1") -> list[Happening]:
    """A visit that leaves one line in the cart."""
    line = LineState(variant_id="v", quantity=1, changed_ms=start_ms, unit_price=Decimal(9), currency="EUR")
    end_id = f"00000000-0000-5000-8000-00000000000{first}"
    abandonment = Abandonment(
        abandonment_id=end_id,
        visitor_id="d",
        person_id="p",
        session_id=None,
        trigger="inactivity",
        abandoned_ms=end_ms,
        lines=(line,),
        value=Decimal(9),
        currency="EUR",
        tags=Tags(),
    )
    common = {"person_id": "p", "visitor_id": "d"}
    return [
        VisitStarted(at_ms=start_ms, order=SignalOrder(), **common),  # type: ignore[arg-type]  # texts
        VisitEnded(
            at_ms=end_ms, end_id=end_id, trigger="inactivity", lines=(line,), abandonment=abandonment,
            order=SignalOrder(phase=1), **common,  # type: ignore[arg-type]  # texts
        ),
    ]  # fmt: skip


def order(at_ms: int) -> OrderPlaced:
    return OrderPlaced(id=f"order-{at_ms}", time=at_ms, person_id="p", order_id="o")


def test_without_an_order_the_reminder_goes_out() -> None:
    """What the law below would not notice if everything were always stopped."""
    told = Told()
    told.take([], clock_ms=LEFT_MS + HOUR_MS)
    (job,) = told.jobs
    assert told.judged(job, LEFT_MS + HOUR_MS).verdict is SEND


@given(
    arrives_ms=st.integers(0, 3 * 60).map(lambda n: LEFT_MS + n * MINUTE_MS),
    ordered_ms=st.integers(0, 6 * 60).map(lambda n: START_MS + n * MINUTE_MS),
    disorder_ms=st.sampled_from([0, 5 * MINUTE_MS]),
    waits_ms=st.lists(st.integers(0, 90).map(lambda n: n * MINUTE_MS), max_size=6),
    rejected=st.sampled_from([None, "before", "after"]),
)
def test_an_order_that_has_arrived_stops_every_reminder(
    arrives_ms: int, ordered_ms: int, disorder_ms: int, waits_ms: list[int], rejected: str | None
) -> None:
    """Law: its event time may lie long before, or hours ahead of the wall clock; the job may exist or come later.

    Also one that was rejected, before the order or after it, and goes out as a later revision, redriven.
    """
    told = Told()
    now_ms = arrives_ms
    told.take([], clock_ms=now_ms - disorder_ms)
    if rejected == "before":
        told.settle("rejected", clock_ms=now_ms - disorder_ms)
    told.take([order(ordered_ms)], clock_ms=now_ms - disorder_ms)
    if rejected == "after":
        told.settle("rejected", clock_ms=now_ms - disorder_ms)
    for wait_ms in (0, *waits_ms):
        now_ms += wait_ms
        told.take([], clock_ms=now_ms - disorder_ms)
        for job in told.jobs:
            assert told.judged(job, now_ms).verdict is not SEND, (job.step, told.gate)


@given(
    again_ms=st.integers(20, 200).map(lambda n: LEFT_MS + n * MINUTE_MS),
    late_ms=st.integers(0, 60).map(lambda n: n * MINUTE_MS),
    waits_ms=st.lists(st.integers(1, 90).map(lambda n: n * MINUTE_MS), max_size=4),
)
def test_an_order_after_a_new_arming(again_ms: int, late_ms: int, waits_ms: list[int]) -> None:
    """Law: the person was back meanwhile; the order is later than all lines, but older than the latest arming."""
    told = Told()
    told.take(visit(again_ms, again_ms + 15 * MINUTE_MS, first="2"), clock_ms=again_ms + 15 * MINUTE_MS)
    now_ms = again_ms + 15 * MINUTE_MS + late_ms
    told.take([], clock_ms=now_ms)
    told.take([order(again_ms + MINUTE_MS)], clock_ms=now_ms)
    for wait_ms in (0, *waits_ms):
        now_ms += wait_ms
        told.take([], clock_ms=now_ms)
        assert not [job for job in told.jobs if told.judged(job, now_ms).verdict is SEND]


@given(
    kind=st.sampled_from(["returned", "emptied", "opt_out"]),
    arrives_ms=st.integers(0, 3 * 60).map(lambda n: LEFT_MS + n * MINUTE_MS),
    ahead_ms=st.integers(-20, 120).map(lambda n: n * MINUTE_MS),
    disorder_ms=st.sampled_from([0, 5 * MINUTE_MS]),
)
def test_so_do_a_return_a_clear_and_an_opt_out(kind: str, arrives_ms: int, ahead_ms: int, disorder_ms: int) -> None:
    """Law: told at once, ahead of their place in event time; a return or a clear concerns the carts armed before it."""
    told, out = Told(), Decided()
    told.take([], clock_ms=arrives_ms - disorder_ms)
    at_ms = max(LEFT_MS + 1, arrives_ms + ahead_ms)
    if kind == "opt_out":
        record = ConsentRecorded(person_id="p", channel="email", purpose="marketing", given=False, at_ms=at_ms)
        journey.consent(told.person, record, out)
    else:
        signal = Returning if kind == "returned" else Emptied
        journey.hint(told.person, signal(person_id="p", visitor_id="d", at_ms=at_ms), out)
        journey.arrive(told.person, visit(at_ms, at_ms + 15 * MINUTE_MS, first="2")[:1], out)  # DETECT folds it
    told.close(out, arrives_ms - disorder_ms)
    for now_ms in (arrives_ms, arrives_ms + HOUR_MS, arrives_ms + 2 * HOUR_MS):
        told.take([], clock_ms=now_ms - disorder_ms)
        assert not [job for job in told.jobs if told.judged(job, now_ms).verdict is SEND]


def told_of_a_hint(signal: type[Returning | Emptied]) -> tuple[Told, Job]:
    """The first reminder is out, and what comes a minute later is told ahead of its place."""
    told, out = Told(), Decided()
    told.take([], clock_ms=DUE_MS)
    (job,) = told.jobs
    journey.hint(told.person, signal(person_id="p", visitor_id="d", at_ms=DUE_MS + MINUTE_MS), out)
    told.close(out, DUE_MS)
    return told, job


@pytest.mark.parametrize("signal", [Returning, Emptied])
def test_what_turns_out_to_be_somebody_elses_return_only_holds_up(signal: type[Returning | Emptied]) -> None:
    """Who had been identified on the device came behind: once the clock has passed it, the reminder goes out."""
    told, job = told_of_a_hint(signal)
    held = told.judged(job, DUE_MS + MINUTE_MS)
    assert held.verdict == Wait("return_unconfirmed")
    assert held.rules[-1].verdict == "wait"
    assert told.person.deadline_ms() == DUE_MS + MINUTE_MS
    told.take([], clock_ms=DUE_MS + MINUTE_MS - 1)
    assert told.judged(job, DUE_MS + 2 * MINUTE_MS).verdict == Wait("return_unconfirmed")
    told.take([], clock_ms=DUE_MS + MINUTE_MS)
    assert told.judged(job, DUE_MS + 6 * MINUTE_MS).verdict is SEND


@pytest.mark.parametrize("outcome", ["accepted", "rejected", "uncertain"])
@pytest.mark.parametrize("signal", [Returning, Emptied])
def test_what_came_to_nothing_after_the_last_job_does_not_hold_up_the_next(
    signal: type[Returning | Emptied], outcome: str
) -> None:
    """It is told while a job is out, and turns out to be nothing when none is: senders must not keep it for ever."""
    told, job = told_of_a_hint(signal)
    told.settle(outcome, clock_ms=DUE_MS)
    assert told.judged(job, DUE_MS + MINUTE_MS).verdict == Wait("return_unconfirmed")
    told.take([], clock_ms=DUE_MS + 2 * MINUTE_MS)
    assert told.judged(job, DUE_MS + 2 * MINUTE_MS).verdict is SEND  # as a later revision, redriven
    told.take([], clock_ms=DUE_MS + 24 * HOUR_MS)
    assert len(told.jobs) == 2
    assert told.judged(told.jobs[-1], DUE_MS + 24 * HOUR_MS).verdict is SEND


def test_a_return_before_the_visitor_was_known_stops_nothing() -> None:
    """An abandonment recovered by a login is armed in the past: what the person did meanwhile came before it."""
    told = Told(visits=())
    at_ms = LEFT_MS + 30 * MINUTE_MS
    (_, ended) = visit(START_MS, LEFT_MS)
    assert isinstance(ended, VisitEnded)
    assert ended.abandonment
    other = {"person_id": "p", "visitor_id": "another device", "at_ms": LEFT_MS + 10 * MINUTE_MS}
    told.take(
        [
            VisitStarted(order=SignalOrder(), **other),  # type: ignore[arg-type]  # texts
            VisitEnded(order=SignalOrder(position=1), end_id="e", trigger="ended", **other),  # type: ignore[arg-type]
            AbandonmentRecovered(
                person_id="p", visitor_id="d", at_ms=at_ms, abandonment=ended.abandonment, lines=ended.lines
            ),
        ],
        clock_ms=LEFT_MS + HOUR_MS,
    )
    (job,) = told.jobs
    assert (job.armed_ms, job.heeds_from_ms) == (LEFT_MS, at_ms)
    assert told.judged(job, LEFT_MS + HOUR_MS).verdict is SEND
