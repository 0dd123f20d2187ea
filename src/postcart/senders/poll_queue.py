"""Questions to carriers that wait or are under way: in line, each parcel once, none that is too old.

Owns: that line, and how far each partition has been dealt with. Must not: ask, or read a clock.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from confluent_kafka import Message

from postcart.events.polls import PollRequest

Place = tuple[str, int]


class Question(NamedTuple):
    """A request, and where it was read. ``appended_ms``: when the broker took it."""

    request: PollRequest
    message: Message
    place: Place
    position: int
    appended_ms: int


@dataclass(slots=True, eq=False)
class Waiting:
    """A question in line, or under way."""

    question: Question
    failures: int = 0
    not_before_s: float = 0.0
    under_way: bool = False


class PollQueue:
    """In the order of arrival. At most one question about a parcel: the latest, unless one is under way."""

    def __init__(self) -> None:
        self._line: OrderedDict[str, Waiting] = OrderedDict()
        self._next: dict[Place, int] = {}

    def __len__(self) -> int:
        return len(self._line)

    def put(self, question: Question) -> bool:
        """Add a question; True if it took the place of another, or one is under way."""
        key = question.request.parcel_key
        waiting = self._line.get(key)
        if waiting is None:
            self._line[key] = Waiting(question)
            return False
        if not waiting.under_way:
            waiting.question = question
        return True

    def in_line(self) -> Iterator[Waiting]:
        """Those that are not under way; the line may change meanwhile."""
        return iter([waiting for waiting in self._line.values() if not waiting.under_way])

    def done(self, waiting: Waiting) -> None:
        """It is dealt with."""
        key = waiting.question.request.parcel_key
        if self._line.get(key) is waiting:
            del self._line[key]

    def read_up_to(self, place: Place, position: int) -> None:
        """All before it was put here, or dealt with at once."""
        self._next[place] = position

    def own(self, places: Collection[Place]) -> None:
        """What is in line from elsewhere is others' by now."""
        lost = self._next.keys() - set(places)
        for place in lost:
            del self._next[place]
        if lost:
            for waiting in self.in_line():
                if waiting.question.place in lost:
                    self.done(waiting)

    def handled_up_to(self) -> dict[Place, int]:
        """Where a successor would have to go on, of each partition."""
        found = dict(self._next)
        for waiting in self._line.values():
            place = waiting.question.place
            if place in found:
                found[place] = min(found[place], waiting.question.position)
        return found
