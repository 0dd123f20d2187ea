"""Claims: a job is never sent twice, whatever is repeated, released or restarted."""

from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from postcart.events.jobs import Claim, Outcome
from postcart.senders.claims import ClaimBook
from postcart.senders.positions import Positions
from postcart.senders.records import decode_claim

IDS = ["0b1f3a52-7c33-5f0e-9d1c-2f5f7f0f6a01", "0b1f3a52-7c33-5f0e-9d1c-2f5f7f0f6a02", "not-a-uuid"]
State = Literal["claimed", "released", "settled"]


def claim(job_id: str, state: State, attempt: int = 1, outcome: Outcome | None = None, **changes: Any) -> Claim:
    fields: dict[str, Any] = {"person_id": "p", "episode_id": "e", "step": 1, "at_ms": 0}
    return Claim(job_id=job_id, attempt=attempt, state=state, outcome=outcome, **(fields | changes))


def test_life_of_a_claim() -> None:
    """Free, claimed, released to the next attempt, claimed, spent."""
    book = ClaimBook(10)
    job = IDS[0]
    assert book.standing(job, 1) == "free"
    book.fold(claim(job, "claimed"))
    assert [book.standing(job, attempt) for attempt in (1, 2, 3)] == ["claimed", "early", "early"]
    book.fold(claim(job, "released", outcome="not_accepted"))
    assert book.standing(job, 1) == "spent"
    assert book.standing(job, 2) == "free"
    book.fold(claim(job, "claimed", 2))
    book.fold(claim(job, "settled", 2, "accepted"))
    assert [book.standing(job, attempt) for attempt in (1, 2, 3)] == ["spent"] * 3
    assert not book.open


def test_released_by_the_channel() -> None:
    """Nothing was handed over: the same attempt may be claimed again; what was unanswered is remembered."""
    book = ClaimBook(10)
    book.fold(claim(IDS[0], "claimed"))
    book.fold(claim(IDS[0], "released"))
    assert book.standing(IDS[0], 1) == "free"
    assert not book.resent(IDS[0])
    book.fold(claim(IDS[0], "released", resent=True))
    assert book.resent(IDS[0])


@pytest.mark.parametrize(
    ("outcome", "again"),
    [("rejected", True), ("suppressed", True), ("accepted", False), ("uncertain", False), (None, False)],
)
def test_a_later_revision(outcome: Outcome | None, *, again: bool) -> None:
    """Free once more where nobody can have the message; what a former release wrote without saying, never."""
    book, job = ClaimBook(10), IDS[0]
    book.fold(claim(job, "settled", outcome=outcome))
    assert [book.standing(job, 1, revision) for revision in (0, 1, 7)] == ["spent", *["free" if again else "spent"] * 2]


def test_the_life_of_a_revision() -> None:
    """Claimed, deferred and settled like any job; the former life's records and jobs mean nothing any more."""
    book, job = ClaimBook(10), IDS[0]
    book.fold(claim(job, "settled", outcome="rejected"))
    book.fold(claim(job, "claimed", revision=2))
    assert book.standing(job, 1, 2) == book.standing(job, 1, 0) == book.standing(job, 1, 3) == "claimed"
    book.fold(claim(job, "settled", outcome="rejected"))
    assert book.open[job].revision == 2
    book.fold(claim(job, "released", revision=2))
    assert [book.standing(job, 1, revision) for revision in (0, 1, 2, 3)] == ["spent", "spent", "free", "spent"]
    book.fold(claim(job, "claimed", revision=2))
    book.fold(claim(job, "settled", outcome="accepted", revision=2))
    assert {book.standing(job, attempt, revision) for attempt in (1, 2) for revision in range(9)} == {"spent"}
    assert len(book) == 1


def test_since_when_a_job_has_been_deferred() -> None:
    """From the first deferral by a provider on, however often it was claimed again; the channel's trouble is none."""
    book, job = ClaimBook(10), IDS[0]
    book.fold(claim(job, "released", at_ms=5))
    assert book.deferred_since_ms(job) is None
    book.fold(claim(job, "released", 1, "not_accepted", at_ms=10))
    book.fold(claim(job, "claimed", 2, at_ms=20))
    book.fold(claim(job, "released", 2, at_ms=30))
    book.fold(claim(job, "released", 2, "not_accepted", at_ms=40))
    assert book.deferred_since_ms(job) == 10
    book.fold(claim(job, "settled", 3, "rejected", at_ms=50))
    assert book.deferred_since_ms(job) is None


def test_memory_is_bounded() -> None:
    """The oldest settled jobs are forgotten first."""
    book = ClaimBook(2)
    for number in range(4):
        book.fold(claim(f"job-{number}", "settled", outcome="accepted"))
    assert len(book) == 2
    assert [book.standing(f"job-{number}", 1) for number in range(4)] == ["free", "free", "spent", "spent"]


def test_a_claim_of_an_older_release_is_read() -> None:
    """Fields that came later have defaults; ones to come are passed over."""
    written = (
        b'{"job_id":"j","person_id":"p","episode_id":"e","step":1,"attempt":1,"state":"claimed","at_ms":5,"new":1}'
    )
    assert decode_claim(written) == claim("j", "claimed", at_ms=5)


records = st.builds(
    claim,
    st.sampled_from(IDS),
    st.sampled_from(["claimed", "released", "settled"]),
    st.integers(1, 3),
    st.sampled_from([None, "not_accepted"]),
)
OUTCOMES: tuple[Outcome, ...] = ("accepted", "uncertain", "rejected", "suppressed")
lives = st.builds(
    lambda job, state, attempt, outcome, revision: claim(
        job, state, attempt, outcome if state == "settled" else None, revision=revision
    ),
    st.sampled_from(IDS),
    st.sampled_from(["claimed", "released", "settled"]),
    st.integers(1, 3),
    st.sampled_from(OUTCOMES),
    st.integers(0, 3),
)


@given(st.lists(lives, max_size=30))
def test_no_revision_after_it_may_have_been_taken(history: list[Claim]) -> None:
    """Law: once any revision of a job was settled as accepted or uncertain, none is ever free again."""
    book, taken = ClaimBook(100), set()
    for record in history:
        book.fold(record)
        if record.state == "settled" and record.outcome in {"accepted", "uncertain"}:
            taken.add(record.job_id)
        for job_id in taken:
            assert {book.standing(job_id, 9, revision) for revision in range(20)} == {"spent"}


@given(st.lists(records, max_size=20))
def test_settled_stays_settled(history: list[Claim]) -> None:
    """Law: once settled, no attempt of a job is ever free again; reading a history twice changes nothing for it."""
    book = ClaimBook(100)
    settled: set[str] = set()
    for record in history + history:
        book.fold(msgspec.json.decode(msgspec.json.encode(record), type=Claim))
        if record.state == "settled":
            settled.add(record.job_id)
        for job_id in settled:
            assert {book.standing(job_id, attempt) for attempt in range(1, 6)} == {"spent"}
            assert job_id not in book.open


Ends = Literal["accepted", "deferred", "unavailable", "lost"]


class SenderModel(RuleBasedStateMachine):
    """One job, a log of committed claims, and senders that crash anywhere: the provider takes it at most once.

    ``handed`` counts sends whose message may have been taken. The model follows the rules of the sender: claim,
    commit, send, write what became of it; a successor restores from the log and settles open claims as uncertain.
    """

    def __init__(self) -> None:
        super().__init__()
        self.log: list[Claim] = []
        self.book = ClaimBook(10)
        self.job_attempts = [1]
        self.handed = 0
        self.in_socket: int | None = None
        self.pending: Claim | None = None

    def _commit(self, record: Claim) -> None:
        self.log.append(record)
        self.book.fold(record)

    @rule()
    def repeat_job(self) -> None:
        """The job is in its topic once more."""
        self.job_attempts.append(self.job_attempts[0])

    @precondition(lambda self: self.in_socket is None and self.pending is None)
    @rule(data=st.data())
    def send(self, data: st.DataObject) -> None:
        """Claim, then open the socket."""
        attempt = data.draw(st.sampled_from(self.job_attempts))
        if self.book.standing(IDS[0], attempt) == "free":
            self._commit(claim(IDS[0], "claimed", attempt))
            self.in_socket = attempt

    @precondition(lambda self: self.in_socket is not None)
    @rule(end=st.sampled_from(["accepted", "deferred", "unavailable", "lost"]))
    def answer(self, end: Ends) -> None:
        """The socket ends."""
        attempt = self.in_socket or 0
        self.in_socket = None
        if end in {"accepted", "lost"}:
            self.handed += 1
        assert self.handed <= 1, "handed to a provider twice"
        self.pending = {
            "accepted": claim(IDS[0], "settled", attempt, "accepted"),
            "lost": claim(IDS[0], "settled", attempt, "uncertain"),
            "deferred": claim(IDS[0], "released", attempt, "not_accepted"),
            "unavailable": claim(IDS[0], "released", attempt),
        }[end]

    @precondition(lambda self: self.pending is not None)
    @rule()
    def write(self) -> None:
        """What became of it is committed."""
        if self.pending is not None:
            self._commit(self.pending)
            if self.pending.outcome == "not_accepted":
                self.job_attempts.append(self.pending.attempt + 1)
        self.pending = None

    @rule(taken=st.booleans())
    def crash(self, taken: bool) -> None:  # noqa: FBT001 -- hypothesis passes by name
        """The sender dies; its successor restores."""
        if self.in_socket is not None and taken:
            self.handed += 1
        self.in_socket = self.pending = None
        self.book = ClaimBook(10)
        for record in self.log:
            self.book.fold(record)
        for open_claim in list(self.book.open.values()):
            self._commit(claim(IDS[0], "settled", open_claim.attempt, "uncertain"))


SenderModel.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestSenderModel = SenderModel.TestCase


@given(st.lists(st.tuples(st.sampled_from(["take", "let_go", "hold"]), st.integers(0, 20)), max_size=40))
def test_nothing_in_line_is_committed_past(steps: list[tuple[str, int]]) -> None:
    """Law: the committed offset is the lowest in line, or the next position."""
    positions = Positions(0)
    line: set[int] = set()
    for step, pick in steps:
        if step == "take":
            offset = positions.next + pick % 3
            positions.hold(offset)
            positions.move(offset + 1)
            line.add(offset)
        elif step == "let_go":
            positions.let_go(pick)
            line.discard(pick)
        else:
            positions.hold(pick)  # also one that was not taken in yet: an earlier owner's
            line.add(pick)
        assert positions.low_water() == min(line | {positions.next})
        assert len(positions) == len(line)
