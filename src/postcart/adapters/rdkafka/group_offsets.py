"""Where a consumer group stands, asked by consumers that never join it.

Owns: these consumers, and their thread. Must not: commit anything.

librdkafka's admin client (2.16) is no choice for that: once a question to a coordinator has timed out, the same client
hangs on the following ones, or aborts the process when the coordinator comes back.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Literal

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from postcart.adapters.rdkafka.lane import Lane, let_go
from postcart.adapters.rdkafka.settings import ClientSettings
from postcart.adapters.rdkafka.trouble import unreachable

log = structlog.get_logger(__name__)

_REQUEST_S = 3.0
_AGAIN_S = 0.1
_TELL_S = 6.0
_NONE = -1001  # librdkafka's "no offset stored"

Isolation = Literal["read_committed", "read_uncommitted"]
Marks = Mapping[tuple[str, int], str | None]


class GroupOffsets:
    """Asks for committed offsets.

    Args:
        settings: Of the clients.
        client_id: Name in the broker's logs.
    """

    def __init__(self, settings: ClientSettings, *, client_id: str) -> None:
        self._config = settings.client(client_id)
        self._consumers: dict[tuple[str, Isolation], Consumer] = {}
        self._lane: Lane | None = None

    async def committed(
        self, group: str, partitions: Iterable[tuple[str, int]]
    ) -> Mapping[tuple[str, int], int | None]:
        """Stable committed position per partition, ``None`` where the group has none.

        Waits while a transaction that holds offsets of the group is pending, and while no broker answers.
        """
        wanted, told_s = list(partitions), time.monotonic()
        while True:
            found, trouble = await self._try(group, wanted, "read_committed")
            if trouble is None:
                return {(tp.topic, tp.partition): None if tp.offset == _NONE else tp.offset for tp in found}
            if time.monotonic() - told_s > _TELL_S:
                told_s = time.monotonic()
                log.warning("offsets_unknown", group=group, code=trouble.name())
            await asyncio.sleep(_AGAIN_S)

    async def marks(self, group: str, partitions: Iterable[tuple[str, int]]) -> Marks:
        """What the transactions that committed the group's offsets left beside them. Waits while no broker answers.

        Empty where one is pending: the caller's producer has a successor, so it will stay so; see ``Committer``.
        """
        wanted = list(partitions)
        while True:
            found, trouble = await self._try(group, wanted, "read_committed")
            if trouble is None:
                return {(tp.topic, tp.partition): tp.metadata for tp in found}
            # The broker does not say that something is pending; the client waits for it until its time is up.
            _, at_all = await self._try(group, wanted, "read_uncommitted")
            if at_all is None:
                log.warning("offsets_stay_pending", group=group)
                return {}
            await asyncio.sleep(_AGAIN_S)

    def stop(self) -> None:
        """Let go of clients and thread."""
        clients = list(self._consumers.values())
        self._consumers.clear()
        let_go(clients)
        if self._lane is not None:
            self._lane.close()

    async def _try(
        self, group: str, wanted: list[tuple[str, int]], isolation: Isolation
    ) -> tuple[list[TopicPartition], KafkaError | None]:
        """The offsets, or why they can't be told now.

        Raises:
            KafkaException: They can't be told at all.
        """
        if self._lane is None:
            self._lane = Lane("group-offsets")
        try:
            found = await self._lane.run(self._ask, group, wanted, isolation)
            troubles = [tp.error for tp in found if tp.error is not None]
        except KafkaException as error:
            found, troubles = [], [error.args[0]]
        for trouble in troubles:
            if unreachable(trouble) is None and trouble.code() not in _PASSING:
                raise KafkaException(trouble)
        return found, troubles[0] if troubles else None

    # -- on the thread ----------------------------------------------------------------------------------------------

    def _ask(self, group: str, wanted: list[tuple[str, int]], isolation: Isolation) -> list[TopicPartition]:
        consumer = self._consumers.get((group, isolation))
        if consumer is None:
            config = self._config | {"group.id": group, "enable.auto.commit": False, "isolation.level": isolation}
            consumer = self._consumers[group, isolation] = Consumer(config)
        partitions = [TopicPartition(topic, number) for topic, number in wanted]
        try:
            return consumer.committed(partitions, timeout=_REQUEST_S)
        finally:
            consumer.poll(0)  # what it has to say of its connections would pile up


_PASSING = frozenset(
    {
        KafkaError.UNSTABLE_OFFSET_COMMIT,
        KafkaError.NOT_COORDINATOR,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError._WAIT_COORD,  # noqa: SLF001 -- the client publishes its own codes with an underscore
    }
)
