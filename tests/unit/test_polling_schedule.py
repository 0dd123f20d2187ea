"""When a carrier that pushes nothing is asked about a parcel: laws of the schedule."""

from collections.abc import Sequence
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parcels import KEY, MONDAY, hours, random_history, registered, scan, weekdays
from postcart.domain.track import fold
from postcart.domain.track.outcome import Context, Tracked
from postcart.domain.track.parcel import FOR_EVER, Parcel, ParcelEvent
from postcart.domain.track.polling import GROWTH, JITTER
from postcart.domain.track.rules import Polling, Rules
from postcart.events.polls import PollRequest
from postcart.events.times import DAY_MS, HOUR_MS, MINUTE_MS

POLLING = Polling(carriers=frozenset({"dhl"}))
RULES = Rules(polling=POLLING)
LEAST_MS = POLLING.interval_ms * (1 - JITTER)
MOST_MS = POLLING.longest_ms * (1 + JITTER)
_decode = msgspec.msgpack.Decoder(Parcel).decode


class Row:
    """A parcel's row under a clock that goes on in steps. ``restarts``: it is written and read between two of them."""

    def __init__(self, events: Sequence[ParcelEvent] = (), *, rules: Rules = RULES, restarts: bool = False) -> None:
        self.parcel = Parcel(key=KEY)
        self.out = Tracked()
        self.rules = rules
        self.restarts = restarts
        self.lives = True
        fold.arrive(self.parcel, events, self.out)

    def to(self, clock_ms: int, *, present_ms: int = 0) -> None:
        """Fold up to there."""
        context = Context(rules=self.rules, business_days=weekdays, present_ms=max(present_ms, clock_ms))
        self.lives = fold.advance(self.parcel, clock_ms, context, self.out)
        if self.restarts:
            self.parcel = _decode(msgspec.msgpack.encode(self.parcel))

    def hear(self, *events: ParcelEvent) -> None:
        """Events arrive."""
        fold.arrive(self.parcel, events, self.out)

    @property
    def polls(self) -> list[PollRequest]:
        """So far."""
        return self.out.polls

    @property
    def asked_ms(self) -> list[int]:
        """When."""
        return [poll.at_ms for poll in self.polls]


def run(row: Row, until_ms: int, *, from_ms: int = MONDAY, step_ms: int = MINUTE_MS) -> None:
    """The clock as it usually goes."""
    for clock_ms in range(from_ms, until_ms + 1, step_ms):
        row.to(clock_ms)


steps = st.lists(
    st.one_of(st.integers(1, 2 * HOUR_MS), st.sampled_from((1, MINUTE_MS, 30 * MINUTE_MS, 5 * DAY_MS))),
    min_size=1,
    max_size=150,
)


@given(seed=st.integers(0, 5_000), steps=steps)
def test_never_too_often_never_after_the_end_and_as_after_a_restart(seed: int, steps: list[int]) -> None:
    """Whatever happens to the parcel and however the clock goes; nothing that is told depends on it."""
    events = random_history(seed)
    whole, restarted, silent = Row(events), Row(events, restarts=True), Row(events, rules=Rules())
    clock_ms = MONDAY
    for step_ms in steps:
        clock_ms += step_ms
        asked = len(whole.polls)
        for row in (whole, restarted, silent):
            row.to(clock_ms)
        parcel = whole.parcel
        assert len(whole.polls) <= asked + 1, "once, however many rounds went by"
        if len(whole.polls) > asked:
            assert parcel.parcel_id == whole.polls[-1].parcel_id
            assert not parcel.final_ms
            assert parcel.status != "expired"
        if parcel.poll is not None and parcel.poll.due_ms < FOR_EVER:
            assert clock_ms < parcel.poll.due_ms
            assert not parcel.poll.asked_ms or parcel.poll.due_ms <= parcel.poll.asked_ms + MOST_MS + 1
    of_one = {poll.parcel_id for poll in whole.polls}
    for parcel_id in of_one:
        times = [poll.at_ms for poll in whole.polls if poll.parcel_id == parcel_id]
        assert all(later - earlier >= LEAST_MS - 1 for earlier, later in pairwise(times))
        assert [poll.round for poll in whole.polls if poll.parcel_id == parcel_id] == list(range(len(times)))
    assert whole.polls == restarted.polls
    assert not silent.polls
    assert (whole.out.news, whole.out.moments) == (silent.out.news, silent.out.moments)
    assert whole.lives == silent.lives


def pauses_ms(row: Row) -> list[int]:
    """Between rounds."""
    return [later - earlier for earlier, later in pairwise(row.asked_ms)]


def near(pause_ms: int, plain_ms: float) -> bool:
    """Within the jitter, and a minute, in which steps the clock goes."""
    return plain_ms * (1 - JITTER) <= pause_ms <= plain_ms * (1 + JITTER) + MINUTE_MS


def test_pauses_grow_while_nothing_is_new_and_shrink_with_news() -> None:
    """30 minutes after the registration, then half as long again each time up to 4 hours; a scan begins anew."""
    row = Row([registered()])
    run(row, hours(20))
    assert near(row.asked_ms[0] - MONDAY, POLLING.interval_ms)
    grown = [min(POLLING.interval_ms * GROWTH**number, POLLING.longest_ms) for number in range(9)]
    assert all(near(*pair) for pair in zip(pauses_ms(row), grown, strict=False))
    assert near(pauses_ms(row)[-1], POLLING.longest_ms)
    assert len(set(pauses_ms(row)[-3:])) == 3, "parcels of one van are not asked about together"
    rounds = len(row.polls)
    row.hear(scan(hours(20.1), "in_transit"))
    run(row, hours(24), from_ms=hours(20))
    news = row.asked_ms[rounds:]
    assert news[0] - row.asked_ms[rounds - 1] >= LEAST_MS
    assert near(news[1] - news[0], POLLING.interval_ms)
    assert near(news[2] - news[1], POLLING.interval_ms * GROWTH)


@pytest.mark.parametrize("status", ["delivered", "returned"])
def test_the_end_ends_it(status: str) -> None:
    """Also if the carrier writes on."""
    row = Row([registered(), scan(hours(2), "picked_up"), scan(hours(5), status)])  # type: ignore[arg-type]  # a status
    run(row, hours(5))
    assert row.polls
    asked = len(row.polls)
    row.hear(scan(hours(6), "in_transit"))
    run(row, hours(40), from_ms=hours(5))
    assert len(row.polls) == asked
    assert row.parcel.poll is None


def test_what_the_carrier_gave_up_is_asked_again_with_a_scan() -> None:
    """And not sooner after the last round than ever."""
    row = Row([registered(), scan(hours(1), "in_transit"), scan(hours(4), "expired")])
    run(row, hours(30))
    assert max(row.asked_ms) < hours(4)
    row.hear(scan(hours(30.5), "in_transit", "again"))
    run(row, hours(32), from_ms=hours(30))
    assert min(at_ms for at_ms in row.asked_ms if at_ms > hours(4)) <= hours(30.6)


def test_a_row_that_dies_is_asked_about_no_more() -> None:
    """120 days after its last event."""
    row = Row([registered()])
    run(row, MONDAY + 140 * DAY_MS, step_ms=HOUR_MS)
    assert MONDAY + 119 * DAY_MS < row.asked_ms[-1] < MONDAY + 130 * DAY_MS
    assert not row.lives


def test_after_an_outage_a_parcel_is_asked_once() -> None:
    """Whether the clock leaps, or goes through the days that were missed while the present is known."""
    leapt = Row([registered()])
    run(leapt, hours(3))
    asked = len(leapt.polls)
    leapt.to(hours(80))
    assert len(leapt.polls) == asked + 1
    slow = Row([registered()])
    run(slow, hours(3))
    for clock_ms in range(hours(3), hours(80), 10 * MINUTE_MS):
        slow.to(clock_ms, present_ms=hours(80))
    late = [at_ms for at_ms in slow.asked_ms if at_ms > hours(3)]
    assert len(late) <= 1
    assert all(at_ms >= hours(80) - POLLING.interval_ms for at_ms in late)
    slow.to(hours(80))
    assert len([at_ms for at_ms in slow.asked_ms if at_ms > hours(3)]) == 1


def test_a_task_that_is_always_behind_asks_all_the_same() -> None:
    """Rounds wait for the present once: it may never come."""
    row = Row([registered()])
    for clock_ms in range(MONDAY, hours(24), MINUTE_MS):
        row.to(clock_ms, present_ms=clock_ms + 2 * HOUR_MS)
    assert len(row.polls) >= 4


def test_only_carriers_that_push_nothing_are_asked() -> None:
    """Others' rows are as ever; what is switched on later begins with the row's next event or deadline."""
    others = Row([registered()], rules=Rules(polling=Polling(carriers=frozenset({"ups"}))))
    run(others, hours(10))
    assert not others.polls
    assert others.parcel.poll is None
    assert msgspec.msgpack.encode(others.parcel) == msgspec.msgpack.encode(_as_of(10, Rules()))
    later = Row()
    later.parcel = _as_of(10, Rules())
    later.to(hours(10.5))
    assert later.asked_ms == [hours(10.5)]
    everyone = Row([registered()], rules=Rules(polling=Polling(carriers=frozenset(), every=True)))
    run(everyone, hours(2))
    assert everyone.polls


def _as_of(hour: int, rules: Rules) -> Parcel:
    row = Row([registered()], rules=rules)
    run(row, hours(hour))
    return row.parcel


def test_what_is_asked_names_the_parcel_and_since_when() -> None:
    """Of a number that is used again nothing of the former parcel is wanted."""
    row = Row([registered(), scan(hours(2), "delivered"), registered(MONDAY + 70 * DAY_MS, "r2", order_id="o2")])
    row.to(MONDAY + 71 * DAY_MS)
    (poll,) = row.polls
    assert (poll.carrier, poll.tracking_number, poll.parcel_key) == ("dhl", "JD 0146", KEY)
    assert poll.parcel_id == row.parcel.parcel_id
    assert poll.since_ms == MONDAY + 40 * DAY_MS
    quick = Row([registered(), scan(MONDAY + 50 * DAY_MS, "delivered"), registered(MONDAY + 70 * DAY_MS, "r2")])
    quick.to(MONDAY + 71 * DAY_MS)
    assert quick.polls[-1].since_ms == MONDAY + 50 * DAY_MS + 1
