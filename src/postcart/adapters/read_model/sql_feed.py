"""The in-app feed in the read model, over SQL: written by the projection, read by the gateway.

Owns: the order of writes, and queries bounded in what they return. Must not: know a driver (``Session`` does), open
what is sealed, or write anything but by ``mark_feed``.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from postcart.adapters.read_model import statements_feed as sql
from postcart.codecs.marks import ItemMark, KeyMark, StateMark
from postcart.events.feed import KEPT_MS

if TYPE_CHECKING:
    from postcart.adapters.read_model.sql import Session

_AT_ONCE: Final = 10_000
"""Rows deleted in one transaction."""
UNREAD_MOST: Final = 1_000
"""No more are counted."""
_UNSEEN_MOST: Final = 1_000
_NEWEST: Final = 2**63 - 1
View = Literal["active", "unread", "archived"]


class StoredItem(NamedTuple):
    """An item as it is stored."""

    item_id: str
    partition: int
    position: int
    changed: int
    appended_ms: int
    at_ms: int
    kind: str
    purpose: str
    sealed: str
    seen_ms: int | None
    read_ms: int | None
    archived_ms: int | None


def mark_feed(session: "Session", marks: Sequence[ItemMark | StateMark | KeyMark]) -> None:
    """Store what the topics ``feed`` and ``keys`` say; within the caller's transaction.

    Items go first: a mark names items that are before it, so it finds them.
    """
    items = [one for one in marks if isinstance(one, ItemMark)]
    session.many(
        sql.ADD_ITEM,
        [
            (
                one.item.item_id,
                one.item.person_id,
                one.partition,
                one.position,
                one.position,
                one.appended_ms,
                one.item.at_ms,
                one.item.kind,
                one.item.purpose,
                one.item.sealed,
            )
            for one in sorted(items, key=lambda one: one.item.item_id)
        ],
    )
    states = [one for one in marks if isinstance(one, StateMark)]
    for statement, group in groupby(states, key=_statement):
        session.many(statement, [_values(one) for one in group])
    keys = [one for one in marks if isinstance(one, KeyMark)]
    for destroyed, some in groupby(keys, key=lambda one: one.wrapped is None):
        rows = list(some)
        if destroyed:
            session.many(sql.DESTROY_KEY, [(one.person_id,) for one in rows])
            session.many(sql.DESTROY_ITEMS, [(one.person_id,) for one in rows])
        else:
            session.many(sql.SET_KEY, list(rows))


def forget_items(session: "Session", before_ms: int) -> int:
    """See ``port.ReadModel``."""
    forgotten = 0
    while True:
        done = session.run(sql.FORGET_ITEMS, before_ms, _AT_ONCE)
        forgotten += done
        if done < _AT_ONCE:
            return forgotten


class SqlFeed:
    """What persons are shown, as of ``now_ms``; one connection, one thread at a time.

    Every method raises ``ReadModelUnavailable`` if the database can't be reached.
    """

    def __init__(self, session: "Session") -> None:
        self._session = session

    def page(self, person_id: str, view: View, *, before: int | None, most: int, now_ms: int) -> list[StoredItem]:
        """At most ``most`` items of a view, newest first, that stand before a position (None: the newest)."""
        upto = _NEWEST if before is None else before
        rows = self._session.rows(sql.PAGE[view], person_id, upto, now_ms - KEPT_MS, most)
        return [StoredItem(*row) for row in rows]

    def unread(self, person_id: str, *, now_ms: int) -> int:
        """How many are neither read nor archived; ``UNREAD_MOST`` stands for any number above it."""
        return int(self._session.rows(sql.UNREAD, person_id, now_ms - KEPT_MS, UNREAD_MOST)[0][0])

    def item(self, person_id: str, item_id: str, *, now_ms: int) -> StoredItem | None:
        """One of the person's items."""
        rows = self._session.rows(sql.ITEM, item_id, person_id, now_ms - KEPT_MS)
        return StoredItem(*rows[0]) if rows else None

    def unseen(self, person_id: str, up_to: int) -> list[StoredItem]:
        """Those up to a position that were never shown, 1,000 at most."""
        return [StoredItem(*row) for row in self._session.rows(sql.UNSEEN, person_id, up_to, _UNSEEN_MOST)]

    def changed(self, person_id: str, *, since: int, until: int, most: int, now_ms: int) -> list[StoredItem]:
        """What changed at positions from ``since`` to before ``until``, in the order of the changes."""
        rows = self._session.rows(sql.CHANGED, person_id, since, until, now_ms - KEPT_MS, most)
        return [StoredItem(*row) for row in rows]

    def touched(self, partition: int, *, since: int, until: int) -> list[str]:
        """Persons of whose items any changed at these positions."""
        return [person_id for (person_id,) in self._session.rows(sql.TOUCHED, partition, since, until)]

    def key(self, person_id: str) -> bytes | None:
        """The person's wrapped key."""
        rows = self._session.rows(sql.KEY, person_id)
        return bytes(rows[0][0]) if rows else None

    def standings(self, topic: str) -> dict[int, int]:
        """By partition the position up to which the topic has been applied."""
        return dict(self._session.rows(sql.STANDINGS, topic))

    def close(self) -> None:
        """Let go of the connection."""
        self._session.close()


def _statement(one: StateMark) -> str:
    mark = one.mark
    return sql.MARK_ONE[mark.state] if mark.item_id is not None else sql.MARK_UP_TO[mark.state]


def _values(one: StateMark) -> tuple[object, ...]:
    mark = one.mark
    which = mark.item_id if mark.item_id is not None else (mark.up_to or 0)
    return (*[mark.at_ms] * sql.TIMES[mark.state], one.position, mark.person_id, which)
