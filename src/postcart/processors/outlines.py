"""What a row waits for, told from little of it: of a row at rest nothing else is decoded.

Owns: the kinds of deadlines, a closed set, and which kind a row has. Must not: decide when anything falls due.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from postcart.domain.detect.visitor import Visitor
from postcart.domain.journey.person import Person
from postcart.domain.journey.shipping import deadlines_ms, unpacked_ms
from postcart.domain.track.parcel import Parcel

Kind = Literal["session_end", "step", "retry", "notice", "delay", "registration", "poll"]
FORGET: Final = "forget"
"""The kind of rows that wait for nothing but to be forgotten."""


class _Part(Struct, gc=False):
    """Something of which only the presence counts."""


class _Step(Struct, gc=False):
    planned_ms: int = 0
    job_id: str | None = None

    @property
    def pending(self) -> bool:
        return self.planned_ms != 0 and self.job_id is None


class _Episode(Struct, gc=False):
    steps: list[_Step]


class _Outstanding(Struct, gc=False):
    retry_ms: int = 0


class OrderOutline(Struct, gc=False):
    """What an order waits for."""

    unpaid_ms: int = 0
    unpacked_ms: int = 0


class ErrandOutline(Struct, gc=False):
    """What a message about an order or a parcel waits for."""

    due_ms: int = 0


class PersonOutline(Struct, gc=False):
    """Those fields of a person that tell its kind."""

    episode: _Episode | None = None
    outstanding: dict[str, _Outstanding] = {}
    orders: dict[str, OrderOutline] = {}
    errands: dict[str, ErrandOutline] = {}


class ParcelOutline(Struct, gc=False):
    """Those fields of a parcel that tell its kind."""

    watches: dict[str, _Part] = {}
    waiting: list[_Part] = []
    poll: _Part | None = None


def visitor_kind(visitor: Visitor) -> Kind | None:
    """A session that is to end, or events that may yet open one; else None."""
    return "session_end" if visitor.session is not None or visitor.pending else None


def person_kind(person: Person | PersonOutline) -> Kind | None:
    """A planned step, else a job that is to be sent again, else an order or a message about one; else None."""
    episode = person.episode
    if episode is not None and any(step.pending for step in episode.steps):
        return "step"
    if person.outstanding and any(item.retry_ms for item in person.outstanding.values()):
        return "retry"
    if any(deadlines_ms(person.orders, person.errands)) or any(unpacked_ms(person.orders)):
        return "notice"
    return None


def parcel_kind(parcel: Parcel | ParcelOutline) -> Kind | None:
    """A delay that may come about, else scans that wait for the word whose parcel it is, else a question; else None."""
    if parcel.watches:
        return "delay"
    if parcel.waiting:
        return "registration"
    return "poll" if parcel.poll is not None else None


def mentioning(names: Iterable[bytes], rows: Mapping[str, bytes]) -> dict[str, bytes]:
    """Those of encoded rows in which one of the names occurs: one pass per name is faster than a call per row."""
    found: dict[str, bytes] = {}
    for name in names:
        # Not "in", which first tries the name as a number: the error that it drops costs more than the search.
        found.update([(key, encoded) for key, encoded in rows.items() if encoded.find(name) >= 0])
    return found


AtRest = Callable[[Mapping[str, bytes], int], Iterable[tuple[str, Kind | None]]]
"""Tells the kinds of rows as they rest, encoded from a place on; those that wait for nothing may be left out."""


def by_outline(kind: Callable[[Any], Kind | None], outline: type[Struct]) -> AtRest:
    """For rows with names of fields, which leave out what is empty: one without these names need not be decoded at all.

    Args:
        kind: Of an outline.
        outline: Struct of the fields that ``kind`` looks at.
    """
    decode = msgspec.msgpack.Decoder(outline).decode
    names = tuple(name.encode() for name in outline.__struct_fields__)

    def at_rest(rows: Mapping[str, bytes], start: int) -> Iterator[tuple[str, Kind | None]]:
        for key, encoded in mentioning(names, rows).items():
            yield key, kind(decode(memoryview(encoded)[start:]))

    return at_rest


_NOTHING = msgspec.msgpack.encode((None, []))[1:]
"""No session, no events: the first two fields of a visitor that waits for nothing."""
_ARRAY_HEAD = 3
"""Bytes before the first field of an array with more than fifteen."""


def _visitors_at_rest(rows: Mapping[str, bytes], start: int) -> Iterator[tuple[str, Kind | None]]:
    first = start + _ARRAY_HEAD
    return ((key, "session_end") for key, encoded in rows.items() if not encoded.startswith(_NOTHING, first))


class Waiting:
    """How many rows wait, by kind. Keeps keys only of those that wait for more than to be forgotten.

    Args:
        kind: Of a row.
        at_rest: Tells it of rows as they rest.
        kinds: All that ``kind`` may say.

    Attributes:
        kind: As handed in.
        known: Kind by key, of rows that have one.
    """

    def __init__(self, kind: Callable[[Any], Kind | None], at_rest: AtRest, kinds: tuple[Kind, ...]) -> None:
        self.kind = kind
        self.known: dict[str, Kind] = {}
        self._at_rest = at_rest
        self._counts: dict[Kind, int] = dict.fromkeys(kinds, 0)

    def saw_at_rest(self, rows: Mapping[str, bytes], start: int) -> None:
        """Rows as they rest, encoded from ``start`` on."""
        for key, kind in self._at_rest(rows, start):
            self.keep(key, kind)

    def counts(self, rows: int) -> Mapping[str, int]:
        """Of ``rows`` in all, by kind."""
        return {**{str(kind): count for kind, count in self._counts.items()}, FORGET: rows - len(self.known)}

    def keep(self, key: str, kind: Kind | None) -> None:
        """The row is of this kind now; None also where it is gone."""
        former = self.known.get(key)
        if former is not None:
            self._counts[former] -= 1
        if kind is None:
            self.known.pop(key, None)
        else:
            self.known[key] = kind
            self._counts[kind] += 1


def waiting_visitors() -> Waiting:
    """For DETECT's rows."""
    return Waiting(visitor_kind, _visitors_at_rest, ("session_end",))


def waiting_persons() -> Waiting:
    """For JOURNEY's rows."""
    return Waiting(person_kind, by_outline(person_kind, PersonOutline), ("step", "retry", "notice"))


def waiting_parcels() -> Waiting:
    """For TRACK's rows."""
    return Waiting(parcel_kind, by_outline(parcel_kind, ParcelOutline), ("delay", "registration", "poll"))
