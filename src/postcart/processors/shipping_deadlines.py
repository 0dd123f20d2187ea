"""When orders, parcels and messages about them are to be looked at: an index beside that of the rows.

Owns: the order of those deadlines, which go by another clock than the rows' own, and how they are found after a
restart. Must not: know what falls due.
"""

from collections.abc import Iterator, Mapping
from heapq import heappop, heappush
from typing import Final

import msgspec
from msgspec import Struct

from postcart.domain.journey.person import FOR_EVER, Person
from postcart.domain.journey.shipping import deadlines_ms
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
    """Deadline by key, of rows that have one."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []

    def __len__(self) -> int:
        return len(self._known)

    def at_rest(self, rows: Mapping[str, bytes], start: int) -> None:
        """Restored rows, encoded from ``start`` on."""
        for key, encoded in mentioning(_NAMES, rows).items():
            outline = _decode(memoryview(encoded)[start:])
            retries = (item.retry_ms for item in outline.outstanding.values() if item.job.purpose != "marketing")
            moments = [at_ms for at_ms in retries if at_ms]
            self._set(key, min((*moments, *deadlines_ms(outline.orders, outline.errands)), default=FOR_EVER))

    def saw(self, key: str, person: Person | None) -> None:
        """The row as it is now; None: it is gone."""
        self._set(key, FOR_EVER if person is None else person.shipping_ms())

    def due(self, clock_ms: int, limit: int) -> Iterator[str]:
        """Keys with a deadline at or before ``clock_ms``, at most ``limit``; the caller looks at each, and says so."""
        heap, known = self._heap, self._known
        while heap and heap[0][0] <= clock_ms and limit:
            at_ms, key = heappop(heap)
            if known.get(key) == at_ms:
                limit -= 1
                del known[key]
                yield key

    def _set(self, key: str, at_ms: int) -> None:
        if at_ms == FOR_EVER:
            self._known.pop(key, None)
        elif self._known.get(key) != at_ms:
            self._known[key] = at_ms
            heappush(self._heap, (at_ms, key))
