"""Is the read model complete, and is every job accounted for?

Owns: the exact meaning of ``jobs_unaccounted``. Must not: ask Kafka (a ``Glimpse`` comes in), or read a clock.

**jobs_unaccounted.** A job is *taken on* once its record lies before the offset that the channel's sender group has
committed in the job's topic: the sender will not read it again by itself. Such a job must be in one of these states:

* *claimed*: the latest record about it in ``claims`` is an open claim of this attempt or a later one (a send is under
  way, or its sender is gone and the next owner will settle it);
* *ended*: ``receipts`` has a final receipt (accepted, rejected, suppressed, uncertain) of it; for a redriven job one
  that came after the redrive;
* *given back*: ``receipts`` has ``not_accepted`` of this attempt, and JOURNEY's next attempt is still to come.

What is in none of them is unaccounted for: it will never be sent and nothing says why. The number must be 0.

The committed offsets are asked for first, the ends of all topics after that, and the states are looked at once all of
these ends have been applied. The claims and receipts that a committed offset stands for are in the same transaction,
so they are before those ends, and nothing that is on its way can be taken for lost. One thing remains: a sender may
release a claim, with its offset, after the committed offsets were asked for. So a job counts only if a second such
look, at later offsets, finds it in the same place with the same latest claim record.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from postcart.adapters.read_model import Place, ReadModel, Unaccounted

_MOST = 1_000
"""More are not counted: one is too many."""


class Glimpse(NamedTuple):
    """Kafka at one moment.

    Attributes:
        at_ms: Real time before anything was asked.
        committed: The sender groups' offsets in the topics of jobs; asked for first.
        ends: High watermarks of all topics that are projected; asked for after that.
    """

    at_ms: int
    committed: Mapping[Place, int]
    ends: Mapping[Place, int]


class Accounting:
    """Takes glimpses, waits until the read model has caught up with them, and judges."""

    def __init__(self) -> None:
        self._glimpse: Glimpse | None = None
        self._suspects: frozenset[Unaccounted] = frozenset()
        self._marked: set[Place] = set()
        self.unaccounted: int | None = None
        """As of the last completed look; None before the second."""
        self.examples: tuple[str, ...] = ()
        """Ids of some of them."""
        self._looks = 0

    @property
    def waiting(self) -> bool:
        """Whether a glimpse has not been caught up with yet."""
        return self._glimpse is not None

    def take(self, glimpse: Glimpse) -> None:
        """A glimpse; while another is waited for it is passed over, else a read model that lags would never finish."""
        if self._glimpse is None:
            self._glimpse = glimpse
            self._marked = set()

    def look(self, store: ReadModel, owned: Mapping[Place, int]) -> bool:
        """See how far things are; True if this completed a look.

        Args:
            store: The read model.
            owned: This worker's own partitions and their next positions, all applied.
        """
        glimpse = self._glimpse
        if glimpse is None:
            return False
        reached = {place for place, position in owned.items() if position >= glimpse.ends.get(place, 0)} - self._marked
        if reached:
            store.complete(sorted(reached), at_ms=glimpse.at_ms)
            self._marked |= reached
        if not self._caught_up(store, glimpse, owned):
            return False
        found = frozenset(store.unaccounted(glimpse.committed, most=_MOST))
        self._looks += 1
        if self._looks > 1:
            confirmed = found & self._suspects
            self.unaccounted = len(confirmed)
            self.examples = tuple(sorted(one.job_id for one in confirmed)[:5])
        self._suspects = found
        self._glimpse = None
        return True

    def _caught_up(self, store: ReadModel, glimpse: Glimpse, owned: Mapping[Place, int]) -> bool:
        """Whether all that was in the topics then has been applied, by whichever worker."""
        if any(position < glimpse.ends.get(place, 0) for place, position in owned.items()):
            return False
        others: Collection[Place] = [place for place, end in glimpse.ends.items() if end and place not in owned]
        if not others:
            return True
        standings = store.standings()
        return all(place in standings and standings[place].next >= glimpse.ends[place] for place in others)
