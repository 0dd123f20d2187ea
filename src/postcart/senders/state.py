"""What the parts of a sender share on its event loop.

Owns: that state and the two events by which the parts wake each other. Must not: do I/O.
"""

import asyncio

from postcart.adapters.rdkafka.transaction import Record
from postcart.codecs.shop_events import ShopEventDecoder
from postcart.senders.config import SenderConfig
from postcart.senders.desk import Desk
from postcart.senders.item import Ended, Item
from postcart.senders.providers import Providers
from postcart.senders.scheduler import Scheduler
from postcart.senders.tables import Tables


class SenderState:
    """Of one sender.

    Args:
        config: Of the sender.
    """

    def __init__(self, config: SenderConfig) -> None:
        limits = config.limits
        self.desks: dict[int, Desk] = {}
        """By partition number: what is restored and owned."""
        self.scheduler: Scheduler[Item] = Scheduler(limits.in_flight)
        self.providers = Providers(config.plans, first_probe_s=limits.first_probe_s, most_probe_s=limits.most_probe_s)
        catalog = ShopEventDecoder("shop.catalog", stage="sender", registry=config.registry)
        self.tables = Tables(catalog, history=config.clock.is_replay)
        """Whole copies of catalogue and suppressions."""
        self.ended: list[Ended] = []
        """Attempts whose end is to be written."""
        self.dead: list[Record] = []
        """Dead letters to be written, before the offsets behind them."""
        self.wake = asyncio.Event()
        """There may be something to claim or to write."""
        self.flush = False
        """Offsets are wanted in the next transaction, whatever else is in it."""
        self.failure: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        self._written = asyncio.Event()

    def failing_since_ms(self) -> int | None:
        """Since when the channel has taken nothing, as far as the partitions owned now tell; real wall time."""
        books = [desk.book for desk in self.desks.values()]
        accepted_ms = max((book.accepted_ms for book in books), default=0)
        failed = (
            first if first > accepted_ms else latest
            for book in books
            if book.failed_ms is not None
            for first, latest in (book.failed_ms,)
            if latest > accepted_ms
        )
        return min(failed, default=None)

    def end(self, ended: Ended) -> None:
        """Have the end of an attempt written."""
        desk = self.desks.get(ended.item.partition)
        if desk is not None:
            desk.unwritten += 1
            self.ended.append(ended)
            self.wake.set()

    def fail(self, error: BaseException) -> None:
        """End the process; the first error is the one reported."""
        if not self.failure.done():
            self.failure.set_result(error)
        self.wake.set()
        self.wrote()

    async def failed(self) -> None:
        """Wait until something has failed."""
        await asyncio.wait([self.failure])

    def wrote(self) -> None:
        """Tell whoever waits that a round of writing is over."""
        self._written.set()
        self._written = asyncio.Event()

    async def next_round(self) -> None:
        """Wait until a round of writing that begins from now on is over, or until the sender has failed."""
        self.wake.set()
        if not self.failure.done():
            await self._written.wait()
