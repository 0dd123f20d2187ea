"""Whose turn it is: first in, first out per person, a bounded number in flight over all persons.

Owns: the order. Must not: judge jobs, know Kafka, or read a clock.

A person has one line per rank (transactional before marketing) and at most one job in flight, so a marketing job that
waits never holds up the person's transactional ones.
"""

import heapq
from collections import Counter, deque
from collections.abc import Callable
from itertools import count
from typing import Generic, Literal, Protocol, TypeVar

RANKS = 2
"""0 transactional, 1 marketing."""


class Item(Protocol):
    """What can stand in line."""

    @property
    def person_id(self) -> str:
        """Whose line."""
        ...

    @property
    def partition(self) -> int:
        """A person's jobs are all on one partition number."""
        ...

    @property
    def rank(self) -> int:
        """Lower goes first."""
        ...


T = TypeVar("T", bound=Item)


class _Lane(Generic[T]):
    """One person's line of one rank. ``parked``: ready, but the person's other line is in flight."""

    __slots__ = ("items", "partition", "person", "rank", "state")

    def __init__(self, item: T) -> None:
        self.person, self.rank, self.partition = item.person_id, item.rank, item.partition
        self.items: deque[T] = deque()
        self.state: Literal["idle", "ready", "waiting", "parked", "busy", "dropped"] = "idle"


class Scheduler(Generic[T]):
    """The lines of all persons.

    Args:
        limit: Most items in flight at once.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lanes: dict[tuple[str, int], _Lane[T]] = {}
        self._ready: dict[tuple[int, int], deque[_Lane[T]]] = {}
        self._waiting: list[tuple[float, int, _Lane[T]]] = []
        self._busy: dict[str, _Lane[T]] = {}
        self._blocked: dict[str, int] = {}
        self._turn = 0
        self._held: Counter[tuple[int, int]] = Counter()
        self._ticket = count()

    @property
    def in_flight(self) -> int:
        """Items taken and not finished, given back or dropped."""
        return len(self._busy)

    @property
    def room(self) -> int:
        """How many more may be taken now."""
        return max(0, self._limit - len(self._busy))

    def held(self, rank: int, partition: int) -> int:
        """Items of this rank and partition, in line or in flight."""
        return self._held[rank, partition]

    def add(self, item: T) -> None:
        """Join the end of the person's line."""
        self._lane(item).items.append(item)
        self._joined(item)

    def add_first(self, item: T) -> None:
        """Join the head of the person's line, which must not be in flight."""
        self._lane(item).items.appendleft(item)
        self._joined(item)

    def take(self, most: int, now: float, is_open: Callable[[int, int], bool]) -> list[T]:
        """Take the heads of up to ``most`` lines, transactional ones first, partitions in turn.

        Args:
            most: How many.
            now: The time that ``put_back`` counts in.
            is_open: Says of (rank, partition) whether its items may be taken at all.
        """
        while self._waiting and self._waiting[0][0] <= now:
            lane = heapq.heappop(self._waiting)[2]
            if lane.state == "waiting":
                self._make_ready(lane)
        taken: list[T] = []
        most = min(most, self.room)
        self._turn += 1
        for rank in range(RANKS):
            lines = [lanes for (of, partition), lanes in self._ready.items() if of == rank and is_open(rank, partition)]
            shift = self._turn % max(1, len(lines))
            lines = lines[shift:] + lines[:shift]
            while lines and len(taken) < most:
                lines = [lanes for lanes in lines if lanes]
                for lanes in lines[: most - len(taken)]:
                    lane = lanes.popleft()
                    if lane.state == "ready" and self._start(lane):
                        taken.append(lane.items[0])
        return taken

    def finish(self, item: T) -> None:
        """The item in flight is dealt with; the person's next one may go. Does nothing for what was dropped."""
        lane = self._busy.get(item.person_id)
        if lane is None or lane.items[0] is not item:
            return
        lane.items.popleft()
        self._held[lane.rank, lane.partition] -= 1
        self._release(lane)
        if lane.items:
            self._make_ready(lane)
        else:
            lane.state = "idle"
            del self._lanes[lane.person, lane.rank]

    def put_back(self, item: T, until: float) -> None:
        """The item in flight waits at the head of its line, until then. Does nothing for what was dropped."""
        lane = self._busy.get(item.person_id)
        if lane is None or lane.items[0] is not item:
            return
        self._release(lane)
        lane.state = "waiting"
        heapq.heappush(self._waiting, (until, next(self._ticket), lane))

    def block(self, person_id: str, partition: int) -> None:
        """Take nothing of this person: an earlier owner's send has no known end yet. Idempotent."""
        self._blocked[person_id] = partition

    def unblock(self, person_id: str) -> None:
        """The person's turn may come again. Idempotent."""
        self._blocked.pop(person_id, None)
        if person_id not in self._busy:
            self._unpark(person_id)

    def drop(self, partition: int) -> None:
        """Forget everything of a partition, also what is in flight."""
        for key, lane in [(key, lane) for key, lane in self._lanes.items() if lane.partition == partition]:
            if lane.state == "busy":
                del self._busy[lane.person]
            lane.state = "dropped"
            del self._lanes[key]
        self._blocked = {person: of for person, of in self._blocked.items() if of != partition}
        for rank in range(RANKS):
            self._held.pop((rank, partition), None)
            self._ready.pop((rank, partition), None)

    def next_wake(self) -> float | None:
        """When the first of those that wait may be taken; ``None`` if none waits."""
        while self._waiting and self._waiting[0][2].state != "waiting":
            heapq.heappop(self._waiting)
        return self._waiting[0][0] if self._waiting else None

    # -- inside ---------------------------------------------------------------------------------------------------

    def _lane(self, item: T) -> _Lane[T]:
        key = (item.person_id, item.rank)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = _Lane(item)
        return lane

    def _joined(self, item: T) -> None:
        self._held[item.rank, item.partition] += 1
        lane = self._lanes[item.person_id, item.rank]
        if lane.state == "idle":
            self._make_ready(lane)

    def _make_ready(self, lane: _Lane[T]) -> None:
        lane.state = "ready"
        self._ready.setdefault((lane.rank, lane.partition), deque()).append(lane)

    def _start(self, lane: _Lane[T]) -> bool:
        if lane.person in self._busy or lane.person in self._blocked:
            lane.state = "parked"
            return False
        lane.state = "busy"
        self._busy[lane.person] = lane
        return True

    def _release(self, lane: _Lane[T]) -> None:
        del self._busy[lane.person]
        self._unpark(lane.person)

    def _unpark(self, person_id: str) -> None:
        for rank in range(RANKS):
            lane = self._lanes.get((person_id, rank))
            if lane is not None and lane.state == "parked":
                self._make_ready(lane)
