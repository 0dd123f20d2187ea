"""Connections to the feeds of the read model, shared by those who ask at a time.

Owns: how many there are, their threads, and that a broken one is replaced. Must not: know what is asked.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from postcart.adapters.read_model.sql_feed import SqlFeed
from postcart.errors import ReadModelUnavailable

T = TypeVar("T")


class FeedPool:
    """Asks on threads of its own, as many as there are connections; who comes meanwhile waits.

    Args:
        open_: Makes a connection; called on one of the threads, when one is needed.
        size: Most connections.
    """

    def __init__(self, open_: Callable[[], SqlFeed], *, size: int) -> None:
        self._open = open_
        self._idle: list[SqlFeed] = []
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="feed")

    async def ask(self, question: Callable[[SqlFeed], T]) -> T:
        """Ask one question, which may be several statements; it may be asked again if its connection was broken.

        Raises:
            ReadModelUnavailable: The database can't be reached, or has no feeds yet.
        """
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._answer, question)

    async def close(self) -> None:
        """Let go of all connections, once nobody asks any more."""
        await asyncio.to_thread(self._threads.shutdown)
        while self._idle:
            self._idle.pop().close()

    def _answer(self, question: Callable[[SqlFeed], T]) -> T:
        while self._idle:
            try:
                return self._asked(self._idle.pop(), question)
            except (IndexError, ReadModelUnavailable):
                continue  # taken by another thread, or broken meanwhile: the next one, or a new one
        return self._asked(self._open(), question)

    def _asked(self, feed: SqlFeed, question: Callable[[SqlFeed], T]) -> T:
        try:
            found = question(feed)
        except BaseException:
            feed.close()
            raise
        self._idle.append(feed)
        return found
