"""The choice among several providers of a channel: order, weights, rates, circuits, holds, and who is never asked."""

import math
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from postcart.domain.rate import TokenBucket
from postcart.errors import ProviderBusy
from postcart.events.jobs import Job, Purpose
from postcart.senders.answers import of_error
from postcart.senders.claims import ClaimBook, claim_of
from postcart.senders.item import Release
from postcart.senders.providers import ProviderPlan, Providers
from postcart.senders.records import Stamp, entry_of

FIRST, SECOND, SPARE = "first", "second", "spare"


def cart_job(purpose: Purpose = "marketing") -> Job:
    return Job(
        job_id="7d1f0d7e-55f4-5b63-8a5e-0d1c2f3a4b5c", person_id="p", episode_id="e", step=1, channel="sms",
        purpose=purpose, campaign="c", campaign_version="1", journey="s", template="t", armed_ms=0, planned_ms=0,
        due_ms=0, not_after_ms=0,
    )  # fmt: skip


def plans(**changes: float) -> tuple[ProviderPlan, ...]:
    return (
        ProviderPlan(name=FIRST, weight=3.0, in_flight=100, **changes),
        ProviderPlan(name=SECOND, weight=1.0, in_flight=100, **changes),
        ProviderPlan(name=SPARE, order=1, in_flight=100, **changes),
    )


@given(
    rate=st.floats(0.1, 500.0),
    burst=st.none() | st.floats(1.0, 50.0),
    steps=st.lists(st.floats(0.0, 3.0), max_size=60),
)
def test_a_bucket_never_gives_more_than_its_rate(rate: float, burst: float | None, steps: list[float]) -> None:
    """In any stretch of time at most burst + rate * time, however greedily it is asked."""
    bucket, now, given_at = TokenBucket(rate, burst=burst), 100.0, []
    for step in steps:
        now += step
        given_at += [now] * sum(bucket.take(now) for _ in range(200))
    most = 1.0 + rate * 0.25 if burst is None else burst
    for begin, at in enumerate(given_at):
        for end in range(begin, len(given_at), 7):
            assert end - begin + 1 <= most + rate * (given_at[end] - at) + 1e-6


def test_a_bucket_gives_its_whole_rate() -> None:
    """Asked ten times a second it gives all that came, also where that is less than one each time."""
    for rate in (0.5, 3.0, 40.0, 400.0):
        bucket = TokenBucket(rate)
        taken = sum(bucket.take(tick / 10) for tick in range(1_001) for _ in range(100))
        assert abs(taken - 100 * rate) <= 2 + rate / 4


def test_weights_share_and_a_job_keeps_its_provider() -> None:
    """Three to one by weight; the same job goes to the same one each time; the spare one gets nothing."""
    chosen: Counter[str | None] = Counter()
    for number in range(4_000):
        book = Providers(plans())
        first = book.choose(f"job-{number}", 0.0)
        assert first == book.choose(f"job-{number}", 1.0)
        chosen[first] += 1
    assert set(chosen) == {FIRST, SECOND}
    assert abs(chosen[FIRST] - 3_000) < 4 * math.sqrt(4_000 * 0.75 * 0.25)


def test_a_higher_order_gets_jobs_only_while_no_lower_one_works() -> None:
    """Failures in a row open circuits one by one; the probe, once answered, brings the first ones back."""
    book, now = Providers(plans(), first_probe_s=60.0), 0.0
    for name in (FIRST, SECOND):
        for _ in range(5):
            book.failed(name, now)
    assert {book.choose(f"{n}", now) for n in range(40)} == {SPARE}
    now = 61.0
    probes = [book.choose("a", now), book.choose("b", now)]
    assert sorted(map(str, probes)) == [FIRST, SECOND]
    assert book.choose("c", now) == SPARE
    book.works(FIRST)
    assert book.choose("d", now) == FIRST


def test_a_job_that_failed_at_one_goes_to_the_next() -> None:
    """Before any circuit opens: who did not take it up is avoided, within its order, then beyond it."""
    book = Providers(plans())
    assert book.choose("job", 0.0, avoid={FIRST}) == SECOND
    assert book.choose("job", 0.0, avoid={FIRST, SECOND}) == SPARE
    assert book.choose("job", 0.0, avoid={FIRST, SECOND, SPARE}) in {FIRST, SECOND}


def test_who_may_have_it_is_the_only_one_asked() -> None:
    """Also while it does not work: the job waits; another could send it a second time."""
    book = Providers(plans())
    assert book.choose("job", 0.0, bound=SPARE) == SPARE
    for _ in range(5):
        book.failed(SPARE, 0.0)
    assert book.choose("job", 1.0, bound=SPARE) is None
    assert book.choose("job", 61.0, bound=SPARE) == SPARE


def test_a_full_provider_makes_its_jobs_wait_instead_of_paying_the_spare_one() -> None:
    """A rate or full hands are no failure."""
    book = Providers((ProviderPlan(name=FIRST, in_flight=2), ProviderPlan(name=SPARE, order=1)))
    assert [book.choose(str(n), 0.0) for n in range(3)] == [FIRST, FIRST, None]
    book.finished(FIRST)
    assert book.allowance(0.0) == 1


class ProvidersMachine(RuleBasedStateMachine):
    """Whatever happens in whatever order, what must never happen does not."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.book = Providers(
            (
                ProviderPlan(name=FIRST, in_flight=3, rate_per_s=2.0, burst=2.0),
                ProviderPlan(name=SECOND, in_flight=4, weight=2.0),
                ProviderPlan(name=SPARE, order=1, in_flight=2),
            ),
            first_probe_s=10.0,
            most_probe_s=10.0,
        )
        self.out: list[str] = []
        self.given: list[tuple[float, str]] = []
        self.held: dict[str, float] = {}
        self.number = 0

    @rule(seconds=st.floats(0.0, 15.0))
    def time_goes_by(self, seconds: float) -> None:
        """Nothing else happens."""
        self.now += seconds

    @rule(bound=st.none() | st.sampled_from([FIRST, SECOND, SPARE]))
    def choose(self, bound: str | None) -> None:
        """A message is to go out; perhaps only by one provider."""
        self.number += 1
        before = {name: self.book.state(name) for name in self.book.names}
        some = self.book.allowance(self.now) > 0
        found = self.book.choose(str(self.number), self.now, bound=bound)
        if bound is None:
            assert (found is not None) == some, "the allowance and the choice disagree"
        else:
            assert found in {bound, None}
        if found is None:
            return
        assert self.now >= self.held.get(found, -1.0), "asked while it wanted to be left alone"
        assert before[found] != "probing", "two probes at a time"
        if found == SPARE and bound is None and before[SPARE] != "paused":
            for name in (FIRST, SECOND):
                assert before[name] in {"paused", "probing"} or self.now < self.held.get(name, -1.0)
        self.out.append(found)
        self.given.append((self.now, found))

    @precondition(lambda self: self.out)
    @rule(data=st.data(), answer=st.sampled_from(["works", "failed", "refused", "held", "given_up"]))
    def answer(self, data: st.DataObject, answer: str) -> None:
        """A provider answers one of what is out."""
        name = self.out.pop(data.draw(st.integers(0, len(self.out) - 1)))
        if answer == "works":
            self.book.works(name)
        elif answer == "given_up":
            self.book.given_up(name)
        elif answer == "held":
            until = self.now + 20.0
            self.held[name] = max(until, self.held.get(name, 0.0))
            self.book.hold(name, until)
        else:
            self.book.failed(name, self.now, at_once=answer == "refused")
        self.book.finished(name)

    @invariant()
    def bounds_hold(self) -> None:
        """Never more out than a provider takes."""
        flying = Counter(self.out)
        assert flying[FIRST] <= 3
        assert flying[SECOND] <= 4
        assert flying[SPARE] <= 2
        times = [at for at, name in self.given if name == FIRST]
        for begin, at in enumerate(times):
            for end in range(begin, len(times)):
                assert end - begin + 1 <= 2.0 + 2.0 * (times[end] - at) + 1e-6

    @precondition(lambda self: not self.out)
    @rule()
    def it_always_recovers(self) -> None:
        """Once all is answered and time has gone by, somebody may be asked."""
        self.now += 40.0
        assert self.book.allowance(self.now) > 0


ProvidersMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestProviders = ProvidersMachine.TestCase


def test_what_it_was_given_before_a_pause_is_kept_back() -> None:
    """But for the probe, by which a pause ends."""
    book = Providers((ProviderPlan(name=FIRST), ProviderPlan(name=SPARE, order=1)), first_probe_s=10.0)
    assert book.takes(FIRST, 0.0)
    book.failed(FIRST, 0.0, at_once=True)
    assert not book.takes(FIRST, 1.0)
    assert book.takes(SPARE, 1.0)
    assert book.choose("job", 11.0, able={FIRST}) == FIRST
    assert book.takes(FIRST, 11.0)
    book.hold(SPARE, 20.0)
    assert not book.takes(SPARE, 19.0)
    assert book.takes(SPARE, 20.0)


def test_a_busy_provider_is_left_alone_for_as_long_as_it_says() -> None:
    """No attempt is used up, and the circuit counts no failure; without a word it is 5 s, at most an hour."""
    for asked_ms, hold_s in ((120_000, 120.0), (None, 5.0), (86_400_000, 3_600.0)):
        meaning = of_error(ProviderBusy("429", retry_after_ms=asked_ms), cart_job(), now_ms=0, resent=False, failures=3)
        assert meaning.ending == Release()
        assert (meaning.provider, meaning.hold_s, meaning.result) == ("held", hold_s, "throttled")


def test_a_claim_remembers_who_may_have_it() -> None:
    """After a send without an answer its provider stays known, over a restart and over deferrals of the gate."""
    job, book = cart_job("transactional"), ClaimBook(10)
    stamp = Stamp(at_ms=1, real_ms=1, channel="sms", provider=SECOND)
    claim = claim_of(job, offset=1, at_ms=1, provider=SECOND)
    book.fold(claim)
    book.fold(entry_of(claim, Release(), partition=0, stamp=stamp).claim)
    assert book.bound(job.job_id) is None  # it was handed to nobody
    book.fold(claim)
    book.fold(entry_of(claim, Release(resent=True), partition=0, stamp=stamp).claim)
    assert (book.resent(job.job_id), book.bound(job.job_id)) == (True, SECOND)
    book.fold(entry_of(claim_of(job, offset=1, at_ms=2, resent=True, provider=SECOND), Release(), partition=0,
                       stamp=stamp).claim)  # fmt: skip
    assert book.bound(job.job_id) == SECOND
