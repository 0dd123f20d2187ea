"""PROJECT: records of Postcart's own topics become facts of the read model.

Owns: what is stored of a poll, in one transaction with the positions; and what to do where another worker was faster.
Must not: fetch (the worker does), or know a database.
"""

from collections.abc import Collection, Mapping, Sequence
from time import monotonic
from typing import Protocol

from postcart.adapters.rdkafka.batch import RecordBatch
from postcart.adapters.read_model import Move, Place, ReadModel, Standing
from postcart.codecs.facts import Source, told_by


class ProjectionMetrics(Protocol):
    """What is counted."""

    def processed(self, topic: str, *, applied: int, late: int, repeated: int, dead: int) -> None:
        """Records of a topic, and what became of them."""
        ...

    def batch(self, seconds: float) -> None:
        """A poll was stored."""
        ...


class Projection:
    """Stores what a worker reads.

    Args:
        sources: What each topic holds.
        metrics: Told of every record.
    """

    def __init__(self, sources: Mapping[str, Source], metrics: ProjectionMetrics) -> None:
        self._sources = sources
        self._metrics = metrics
        self._stored: dict[Place, int] = {}

    def resume(self, store: ReadModel, places: Collection[Place]) -> dict[Place, int]:
        """Where to go on, of those places of which anything is stored."""
        standings = store.standings()
        found = {place: standings[place].next for place in places if place in standings}
        for place in places:
            self._stored.pop(place, None)
        self._stored |= found
        return found

    def astray(self, standings: Mapping[Place, Standing], owned: Collection[Place]) -> dict[Place, int | None]:
        """Where to read on instead, of those partitions that stand elsewhere than was thought; None is the beginning.

        ``apply`` finds that too, but only when something is to be applied: a rebuild must not wait for that.
        """
        found = {place: standings[place].next if place in standings else None for place in owned}
        elsewhere = {place: position for place, position in found.items() if position != self._stored.get(place)}
        for place, position in elsewhere.items():
            if position is None:
                del self._stored[place]
            else:
                self._stored[place] = position
        return elsewhere

    def apply(self, store: ReadModel, batches: Sequence[RecordBatch], *, now_ms: int) -> dict[Place, int | None]:
        """Store a poll: all of it, or nothing.

        Returns:
            Empty; or, with nothing stored, where to read on instead, as the read model stands elsewhere than was
            thought: another worker was faster, or it is being rebuilt. None is the beginning.

        Raises:
            ReadModelUnavailable: Nothing was stored, or it can't be known; ask ``resume`` again.
        """
        began = monotonic()
        told = [
            [one for message in batch.records if (one := told_by(self._sources[batch.topic], message))]
            for batch in batches
        ]
        moves: dict[Place, Move] = {}
        for batch in batches:
            place = (batch.topic, batch.partition)
            former = moves.get(place)
            moves[place] = Move(former.before if former else self._stored.get(place), batch.next)
        facts = [one.fact for found in told for one in found if one.fact]
        marks = [one.mark for found in told for one in found if one.mark]
        outrun = store.apply(facts, marks, moves, now_ms=now_ms)
        if outrun:
            places = {(batch.topic, batch.partition) for batch in batches}
            known = self.resume(store, places)
            return {place: known.get(place) for place in places}
        self._stored |= {place: move.after for place, move in moves.items()}
        for batch, found in zip(batches, told, strict=True):
            dead = sum(one.fact is not None and one.fact.kind == "unreadable" for one in found)
            applied = len(batch.records) - dead
            self._metrics.processed(batch.topic, applied=applied, late=0, repeated=0, dead=dead)
        self._metrics.batch(monotonic() - began)
        return {}
