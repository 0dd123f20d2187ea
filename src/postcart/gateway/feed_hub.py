"""How far the feed has been projected, and whose items changed: what open streams and those who wrote wait for.

Owns: looking at the read model for all of them together. Must not: know what an item is.
"""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

import structlog

from postcart.adapters.read_model import SqlFeed
from postcart.adapters.read_model.feed_pool import FeedPool
from postcart.errors import ReadModelUnavailable

log = structlog.get_logger(__name__)

EVERY_S: Final = 0.2


class FeedHub:
    """One per process, on one event loop.

    Args:
        pool: Asked ``every_s`` seconds, at the price of one small query, and one per partition that moved if anybody
            listens.
        topic: Of the feed.
    """

    def __init__(self, pool: FeedPool, topic: str, *, every_s: float = EVERY_S) -> None:
        self._pool = pool
        self._topic = topic
        self._every_s = every_s
        self._standings: dict[int, int] = {}
        self._listeners: dict[str, set[asyncio.Event]] = {}
        self._moved = asyncio.Condition()
        self._away = False
        self.stopping = False
        """Streams are to end."""

    @property
    def open_streams(self) -> int:
        """How many listen."""
        return sum(map(len, self._listeners.values()))

    def streams_of(self, person_id: str) -> int:
        """How many of them for one person."""
        return len(self._listeners.get(person_id, ()))

    @contextmanager
    def listening(self, person_id: str) -> Iterator[asyncio.Event]:
        """An event that is set after items of that person have changed, and when streams are to end.

        Whoever clears it and then reads misses nothing.
        """
        woken = asyncio.Event()
        self._listeners.setdefault(person_id, set()).add(woken)
        try:
            yield woken
        finally:
            left = self._listeners[person_id]
            left.discard(woken)
            if not left:
                del self._listeners[person_id]

    async def reached(self, partition: int, position: int, *, within_s: float) -> bool:
        """Wait until the record at a position has been projected; False if that takes too long."""
        async with self._moved:
            try:
                async with asyncio.timeout(within_s):
                    await self._moved.wait_for(lambda: self._standings.get(partition, 0) > position)
            except TimeoutError:
                return False
        return True

    async def watch(self) -> None:
        """Look again and again; outlasts a database that is away."""
        while True:
            try:
                await self.look()
                self._away = False
            except ReadModelUnavailable as error:
                if not self._away:
                    log.warning("read_model_away", detail=str(error))
                self._away = True
            await asyncio.sleep(self._every_s)

    async def look(self) -> None:
        """Look once. Raises ReadModelUnavailable."""
        former, heard = self._standings, bool(self._listeners)

        def asked(feed: SqlFeed) -> tuple[dict[int, int], set[str] | None]:
            standings = feed.standings(self._topic)
            if any(standings.get(one, 0) < position for one, position in former.items()):
                return standings, None  # it is being rebuilt
            touched: set[str] = set()
            for partition, position in standings.items():
                since = former.get(partition, 0)
                if heard and position > since:
                    touched.update(feed.touched(partition, since=since, until=position))
            return standings, touched

        standings, touched = await self._pool.ask(asked)
        if standings == former:
            return
        self._wake(self._listeners.keys() if touched is None else touched & self._listeners.keys())
        async with self._moved:
            self._standings = standings
            self._moved.notify_all()

    async def stop(self) -> None:
        """End all streams."""
        self.stopping = True
        self._wake(self._listeners.keys())

    def _wake(self, persons: Iterable[str]) -> None:
        for person_id in persons:
            for woken in self._listeners.get(person_id, ()):
                woken.set()
