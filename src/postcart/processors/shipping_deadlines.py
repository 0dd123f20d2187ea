"""When orders, parcels and messages about them are to be looked at: an index beside that of the rows.

Owns: the order of those deadlines, which go by other clocks than the rows' own, and how they are found after a
restart. Must not: know what falls due.
"""

from collections.abc import Iterator, Mapping, Sequence
from heapq import heappop, heappush
from itertools import chain
from typing import Final

import msgspec
from msgspec import Struct

from postcart.domain.journey.person import FOR_EVER, Person
from postcart.domain.journey.shipping import deadlines_ms, unpacked_ms
from postcart.processors.outlines import ErrandOutline, OrderOutline, mentioning

_NAMES: Final = (b"orders", b"errands", b"retry_ms")
"""Rows at rest leave out what is empty: one in which none of these occurs waits for nothing here."""


class _Job(Struct, gc=False):
    purpose: str


class _Outstanding(Struct, gc=False):
    job: _Job
    retry_ms: int = 0


class _Outline(Struct, gc=False):
    orders: dict[str, OrderOutline] = {}
    errands: dict[str, ErrandOutline] = {}
    outstanding: dict[str, _Outstanding] = {}


_decode = msgspec.msgpack.Decoder(_Outline).decode


class ShippingDeadlines:
    """Deadlines by key, of rows that have one."""

    def __init__(self) -> None:
        self._known, self._unpacked = _Index(), _Index()

    def at_rest(self, rows: Mapping[str, bytes], start: int) -> None:
        """Restored rows, encoded from ``start`` on."""
        for key, encoded in mentioning(_NAMES, rows).items():
            outline = _decode(memoryview(encoded)[start:])
            retries = (item.retry_ms for item in outline.outstanding.values() if item.job.purpose != "marketing")
            moments = [at_ms for at_ms in retries if at_ms]
            self._known.set(key, min((*moments, *deadlines_ms(outline.orders, outline.errands)), default=FOR_EVER))
            self._unpacked.set(key, min(unpacked_ms(outline.orders), default=FOR_EVER))

    def saw(self, key: str, person: Person | None) -> None:
        """The row as it is now; None: it is gone."""
        self._known.set(key, FOR_EVER if person is None else person.shipping_ms())
        self._unpacked.set(key, FOR_EVER if person is None else person.unpacked_ms())

    def due(self, clock_ms: int, parcels_ms: int, limit: int) -> Sequence[str]:
        """Keys with something due, at most ``limit``; the caller looks at each, and says so.

        Args:
            clock_ms: What is due at or before it, by the shipping clock.
            parcels_ms: The same of orders that should be packed: TRACK has told of all parcels up to then.
            limit: The later the deadline, the sooner a key is left for the next time.
        """
        keys, found = chain(self._known.due(clock_ms), self._unpacked.due(parcels_ms)), dict[str, None]()
        while len(found) < limit and (key := next(keys, None)) is not None:
            found[key] = None
        return tuple(found)


class _Index:
    """The earliest deadline of each key, in their order."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []

    def set(self, key: str, at_ms: int) -> None:
        if at_ms == FOR_EVER:
            self._known.pop(key, None)
        elif self._known.get(key) != at_ms:
            self._known[key] = at_ms
            heappush(self._heap, (at_ms, key))

    def due(self, clock_ms: int) -> Iterator[str]:
        """Take out what is due, one by one."""
        heap, known = self._heap, self._known
        while heap and heap[0][0] <= clock_ms:
            at_ms, key = heappop(heap)
            if known.get(key) == at_ms:
                del known[key]
                yield key
