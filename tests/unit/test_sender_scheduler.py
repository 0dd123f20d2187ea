"""Lines: first in, first out per person; bounded in flight; transactional first."""

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from postcart.senders.scheduler import Scheduler


@dataclass(eq=False)
class Entry:
    """Something in line."""

    person_id: str
    partition: int
    rank: int
    number: int


def always(_rank: int, _partition: int) -> bool:
    return True


def entry(person: str, number: int = 0, rank: int = 1, partition: int = 0) -> Entry:
    return Entry(person, partition, rank, number)


def test_one_at_a_time_per_person() -> None:
    """The second waits for the first; other persons don't."""
    scheduler: Scheduler[Entry] = Scheduler(10)
    first, second, other = entry("a", 1), entry("a", 2), entry("b", 3)
    for item in (first, second, other):
        scheduler.add(item)
    assert scheduler.take(10, 0.0, always) == [first, other]
    scheduler.finish(first)
    assert scheduler.take(10, 0.0, always) == [second]
    assert scheduler.in_flight == 2


def test_transactional_first() -> None:
    """Also when marketing came earlier; and a waiting marketing job holds nothing else up."""
    scheduler: Scheduler[Entry] = Scheduler(10)
    marketing, shipping = entry("a", 1), entry("a", 2, rank=0)
    scheduler.add(marketing)
    assert scheduler.take(1, 0.0, always) == [marketing]
    scheduler.put_back(marketing, 5.0)
    scheduler.add(shipping)
    assert scheduler.take(1, 0.0, always) == [shipping]
    scheduler.finish(shipping)
    assert scheduler.take(1, 4.9, always) == []
    assert scheduler.next_wake() == 5.0
    assert scheduler.take(1, 5.0, always) == [marketing]


def test_closed_partitions_are_passed_over() -> None:
    """What is not fresh is not even looked at."""
    scheduler: Scheduler[Entry] = Scheduler(10)
    closed, open_one = entry("a", 1, partition=0), entry("b", 2, partition=1)
    scheduler.add(closed)
    scheduler.add(open_one)
    assert scheduler.take(10, 0.0, lambda _rank, partition: partition == 1) == [open_one]


def test_blocked_persons_wait() -> None:
    """Until an earlier owner's claim has its end; then its job goes first."""
    scheduler: Scheduler[Entry] = Scheduler(10)
    scheduler.block("a", 0)
    later, first = entry("a", 2, rank=0), entry("a", 1, rank=0)
    scheduler.add(later)
    assert scheduler.take(10, 0.0, always) == []
    scheduler.add_first(first)
    scheduler.unblock("a")
    assert scheduler.take(10, 0.0, always) == [first]


def test_dropping_frees_places() -> None:
    """Items of a partition that went elsewhere are no longer in flight; finishing them does nothing."""
    scheduler: Scheduler[Entry] = Scheduler(1)
    gone, kept = entry("a", 1, partition=0), entry("b", 2, partition=1)
    scheduler.add(gone)
    scheduler.add(kept)
    assert scheduler.take(1, 0.0, lambda _rank, partition: partition == 0) == [gone]
    assert scheduler.room == 0
    scheduler.drop(0)
    assert scheduler.take(1, 0.0, always) == [kept]
    scheduler.finish(gone)
    scheduler.put_back(gone, 0.0)
    assert scheduler.in_flight == 1
    assert scheduler.held(1, 0) == 0


LIMIT = 3


class SchedulerMachine(RuleBasedStateMachine):
    """Against a model: per person and rank a list, and what is in flight."""

    def __init__(self) -> None:
        super().__init__()
        self.scheduler: Scheduler[Entry] = Scheduler(LIMIT)
        self.lines: dict[tuple[str, int], list[Entry]] = {}
        self.flying: list[Entry] = []
        self.waits: dict[tuple[str, int], float] = {}
        self.now = 0.0
        self.number = 0

    @rule(person=st.sampled_from("abcd"), rank=st.integers(0, 1))
    def add(self, person: str, rank: int) -> None:
        """A job comes."""
        self.number += 1
        item = Entry(person, ord(person) % 2, rank, self.number)
        self.lines.setdefault((person, rank), []).append(item)
        self.scheduler.add(item)

    @rule(most=st.integers(0, 5))
    def take(self, most: int) -> None:
        """Some are taken."""
        taken = self.scheduler.take(most, self.now, always)
        assert len(taken) <= most
        for item in taken:
            line = (item.person_id, item.rank)
            assert self.lines[line][0] is item, "first in, first out"
            assert self.waits.pop(line, 0.0) <= self.now, "not before its time"
            assert item.person_id not in {other.person_id for other in self.flying}, "one per person"
            self.flying.append(item)
        assert len(self.flying) <= LIMIT
        if len(taken) < min(most, LIMIT - len(self.flying) + len(taken)):
            ready = [
                line
                for line, items in self.lines.items()
                if items and self.waits.get(line, 0.0) <= self.now and line[0] not in {i.person_id for i in self.flying}
            ]
            assert not ready, "nobody who could go is left standing"

    @precondition(lambda self: self.flying)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        """One in flight is done."""
        item = self.flying.pop(data.draw(st.integers(0, len(self.flying) - 1)))
        self.lines[item.person_id, item.rank].pop(0)
        self.scheduler.finish(item)

    @precondition(lambda self: self.flying)
    @rule(data=st.data(), wait=st.floats(0, 3))
    def put_back(self, data: st.DataObject, wait: float) -> None:
        """One in flight has to wait."""
        item = self.flying.pop(data.draw(st.integers(0, len(self.flying) - 1)))
        self.waits[item.person_id, item.rank] = self.now + wait
        self.scheduler.put_back(item, self.now + wait)

    @rule(partition=st.integers(0, 1))
    def drop(self, partition: int) -> None:
        """A partition goes elsewhere."""
        self.scheduler.drop(partition)
        gone = {line for line in self.lines if ord(line[0]) % 2 == partition}
        for line in gone:
            del self.lines[line]
            self.waits.pop(line, None)
        self.flying = [item for item in self.flying if item.partition != partition]

    @rule(by=st.floats(0, 2))
    def wait(self, by: float) -> None:
        """Time passes."""
        self.now += by

    @invariant()
    def counts_agree(self) -> None:
        """What it says of itself is so."""
        assert self.scheduler.in_flight == len(self.flying)
        for rank in range(2):
            for partition in range(2):
                held = sum(
                    len(items)
                    for (person, of), items in self.lines.items()
                    if of == rank and ord(person) % 2 == partition
                )
                assert self.scheduler.held(rank, partition) == held


SchedulerMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestScheduler = SchedulerMachine.TestCase
