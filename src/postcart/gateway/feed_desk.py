"""A person's in-app feed: pages, changes, and what the person does with items.

Owns: the records that are written of what was done: to the topic of the feed, from where the
projection stores it, and reports on delivery. Must not: know HTTP, or write to the read model.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple, Protocol
from uuid import UUID

import msgspec

from postcart.adapters.read_model import SqlFeed, StoredItem, View
from postcart.adapters.read_model.feed_pool import FeedPool
from postcart.adapters.record_log import LogRecord, RecordLog
from postcart.adapters.vault import Vault
from postcart.events.feed import FeedMark, FeedState
from postcart.events.ids import uuid5
from postcart.events.jobs import DeliveryReport
from postcart.gateway.feed_hub import FeedHub
from postcart.gateway.feed_item import ShownItem, opened

CHANGES_MOST: Final = 200
"""A stream that missed more is told to load the feed anew."""
_PROJECTED_WITHIN_S: Final = 3.0
_SHOWN: Final[frozenset[FeedState]] = frozenset({"seen", "read", "archived"})


class FeedMetrics(Protocol):
    """What is counted (metrics.gateway)."""

    def engaged(self, channel: str, kind: str, *, count: int = 1) -> None:
        """A person did something."""
        ...

    def reported(self, channel: str, provider: str, kind: str) -> None:
        """A report is on its topic."""
        ...


class Page(NamedTuple):
    """A page of a view.

    Attributes:
        before: Where the next page begins; None: there is none.
        stands: The position up to which this is true: streams go on from there.
    """

    items: list[ShownItem]
    before: int | None
    unread: int
    stands: int


class Change(NamedTuple):
    """An item as it is now; whoever has seen it goes on at ``next``, where that is known."""

    item: ShownItem
    next: int | None


class Changes(NamedTuple):
    """What changed since a position; ``reset``: too much, or nobody knows: load the feed anew."""

    changes: list[Change]
    unread: int
    next: int
    reset: bool = False


class Marked(NamedTuple):
    """What was asked is written; ``pending``: it can't be read back yet."""

    unread: int | None
    item: ShownItem | None = None
    pending: bool = False


@dataclass(frozen=True, kw_only=True)
class FeedDesk:
    """Serves all persons. Everything raises ReadModelUnavailable, and what writes BrokerUnavailable.

    Attributes:
        topic: Of the feed; ``receipts``: of reports.
        now_ms: Real time.
    """

    pool: FeedPool
    hub: FeedHub
    records: RecordLog
    topic: str
    receipts: str
    vault: Vault
    now_ms: Callable[[], int]
    metrics: FeedMetrics

    async def page(self, person_id: str, view: View, *, before: int | None, most: int) -> Page:
        """Newest first; positions are stable: what comes meanwhile is before the first page."""
        now_ms = self.now_ms()

        def asked(feed: SqlFeed) -> Page:
            stands = self._stands(feed, person_id)
            rows = feed.page(person_id, view, before=before, most=most + 1, now_ms=now_ms)
            unread, key = feed.unread(person_id, now_ms=now_ms), feed.key(person_id)
            shown = [one for row in rows[:most] if (one := opened(self.vault, person_id, key, row))]
            return Page(shown, rows[most - 1].position if len(rows) > most else None, unread, stands)

        return await self.pool.ask(asked)

    async def unread(self, person_id: str) -> int:
        """How many are neither read nor archived."""
        return await self.pool.ask(lambda feed: feed.unread(person_id, now_ms=self.now_ms()))

    async def changes(self, person_id: str, since: int | None) -> Changes:
        """What changed since a position; None: nothing is missed, only where it stands."""
        now_ms = self.now_ms()

        def asked(feed: SqlFeed) -> Changes:
            stands = self._stands(feed, person_id)
            unread = partial(feed.unread, person_id, now_ms=now_ms)
            if since is None or since > stands:
                return Changes([], unread(), stands, reset=since is not None)
            rows = feed.changed(person_id, since=since, until=stands, most=CHANGES_MOST + 1, now_ms=now_ms)
            if len(rows) > CHANGES_MOST:
                return Changes([], unread(), stands, reset=True)
            key = feed.key(person_id) if rows else None
            if rows and key is None:
                return Changes([], unread(), since)  # the key is on its way, or destroyed and the items with it
            return Changes(self._in_order(person_id, key, rows), unread(), stands)

        return await self.pool.ask(asked)

    async def mark_item(self, person_id: str, item_id: str, state: FeedState) -> Marked | None:
        """Do something with one item; None: the person has none of that id. Idempotent."""
        found = await self.pool.ask(lambda feed: feed.item(person_id, item_id, now_ms=self.now_ms()))
        if found is None:
            return None
        if not _is(found, state):
            mark = FeedMark(person_id=person_id, state=state, at_ms=self.now_ms(), item_id=item_id)
            unseen = [found] if found.seen_ms is None and state in _SHOWN else []
            if not await self._written(mark, unseen):
                return Marked(None, pending=True)
            self.metrics.engaged("inapp", state)

        def asked(feed: SqlFeed) -> Marked:
            now_ms = self.now_ms()
            row, key = feed.item(person_id, item_id, now_ms=now_ms), feed.key(person_id)
            shown = opened(self.vault, person_id, key, row) if row else None
            return Marked(feed.unread(person_id, now_ms=now_ms), shown)

        return await self.pool.ask(asked)

    async def mark_all(self, person_id: str, state: FeedState, *, up_to: str | None) -> Marked | None:
        """Do something with all items that are not archived, up to one (None: the newest). None: no such item."""
        now_ms = self.now_ms()

        def asked(feed: SqlFeed) -> tuple[StoredItem | None, list[StoredItem]]:
            if up_to is not None:
                last = feed.item(person_id, up_to, now_ms=now_ms)
            else:
                last = next(iter(feed.page(person_id, "active", before=None, most=1, now_ms=now_ms)), None)
            unseen = feed.unseen(person_id, last.position) if last and state in _SHOWN else []
            return last, unseen

        last, unseen = await self.pool.ask(asked)
        if last is None and up_to is not None:
            return None
        if last is not None and (state != "seen" or unseen):
            mark = FeedMark(person_id=person_id, state=state, at_ms=now_ms, up_to=last.position)
            if not await self._written(mark, unseen):
                return Marked(None, pending=True)
            self.metrics.engaged("inapp", state, count=len(unseen) or 1)
        return Marked(await self.unread(person_id))

    async def _written(self, mark: FeedMark, unseen: Sequence[StoredItem]) -> bool:
        """Write it, and that those were shown for the first time; whether it can be read back already."""
        person = mark.person_id.encode()
        reports = [_delivered(mark, one.item_id) for one in unseen]
        records = [
            LogRecord(topic, key=person, value=msgspec.json.encode(one), partition_key=person)
            for topic, one in [(self.topic, mark), *((self.receipts, report) for report in reports)]
        ]
        written = await asyncio.to_thread(self.records.append, records)
        for report in reports:
            self.metrics.reported(report.channel, report.source, report.kind)
        return await self.hub.reached(*written[0], within_s=_PROJECTED_WITHIN_S)

    def _stands(self, feed: SqlFeed, person_id: str) -> int:
        return feed.standings(self.topic).get(self.records.partition_of(self.topic, person_id.encode()), 0)

    def _in_order(self, person_id: str, key: bytes | None, rows: Sequence[StoredItem]) -> list[Change]:
        """Several items may have changed at one position: who has the last of them has all."""
        found = []
        for index, row in enumerate(rows, 1):
            shown = opened(self.vault, person_id, key, row)
            is_last = index == len(rows) or rows[index].changed > row.changed
            if shown is not None:
                found.append(Change(shown, row.changed + 1 if is_last else None))
        return found


def _is(row: StoredItem, state: FeedState) -> bool:
    """Whether it is in that state already."""
    return {
        "seen": row.seen_ms is not None,
        "read": row.read_ms is not None,
        "unread": row.read_ms is None,
        "archived": row.archived_ms is not None,
        "unarchived": row.archived_ms is None,
    }[state]


def _delivered(mark: FeedMark, item_id: str) -> DeliveryReport:
    return DeliveryReport(
        report_id=uuid5(UUID(item_id), "shown in the feed"),
        job_id=item_id,
        person_id=mark.person_id,
        channel="inapp",
        kind="delivered",
        at_ms=mark.at_ms,
        source="feed",
    )
