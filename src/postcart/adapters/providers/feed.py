"""The in-app feed as a provider: an item is taken once it is on the topic ``feed``.

Owns: appending what waits, many at a time. Must not: seal, or know the read model: the projection writes there.

Appending an item again does no harm, it is known by its id: so whatever fails is tried again, and nothing is uncertain.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Final

import msgspec

from postcart.adapters.providers import Accepted
from postcart.adapters.record_log import LogRecord, RecordLog
from postcart.errors import BrokerUnavailable, ChannelUnavailable
from postcart.events.feed import FeedItem

_ACCEPTED: Final = Accepted("written")


@dataclass(slots=True)
class _Waiting:
    records: list[LogRecord] = field(default_factory=list)
    answer: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class FeedProvider:
    """Appends items. What comes while some are under way goes together, after them.

    Args:
        records: The producer, which must know the topic.
        topic: Where to.
    """

    def __init__(self, records: RecordLog, topic: str) -> None:
        self._records = records
        self._topic = topic
        self._next: _Waiting | None = None
        self._task: asyncio.Task[None] | None = None

    async def send(self, message: FeedItem) -> Accepted:
        """Append one item.

        Raises:
            ChannelUnavailable: The broker does not have it, as far as is known.
            BrokerUnavailable: The producer can't go on: the process must end and start again.
        """
        person = message.person_id.encode()
        record = LogRecord(self._topic, key=person, value=msgspec.json.encode(message), partition_key=person)
        waiting = self._next = self._next or _Waiting()
        waiting.records.append(record)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._append())
        await asyncio.shield(waiting.answer)
        return _ACCEPTED

    async def close(self) -> None:
        """Wait for what is under way."""
        if self._task is not None:
            await self._task

    async def _append(self) -> None:
        while (waiting := self._next) is not None:
            self._next = None
            try:
                await asyncio.to_thread(self._records.append, waiting.records)
            except BrokerUnavailable as error:
                gone = self._records.failed is not None
                waiting.answer.set_exception(error if gone else ChannelUnavailable(str(error), status="broker"))
            else:
                waiting.answer.set_result(None)
