"""Watermarks and committed offsets, asked over clients of their own.

Owns: the admin client of a stage, for watermarks and topics. Must not: commit anything; ask it for a coordinator's word
(see ``group_offsets``).

The polling thread's consumer could be asked too, but it would stand still meanwhile; here one request covers all
partitions and nothing waits but the coroutine that asks.
"""

import asyncio
import contextlib
import functools
from collections import deque
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from typing import Any

import structlog
from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import ListOffsetsResultInfo, OffsetSpec

from postcart.adapters.rdkafka.group_offsets import GroupOffsets, Marks
from postcart.adapters.rdkafka.lane import leave_behind
from postcart.adapters.rdkafka.settings import ClientSettings
from postcart.adapters.rdkafka.trouble import unreachable
from postcart.errors import Fenced, TopologyError

log = structlog.get_logger(__name__)

_REQUEST_S = 5.0
_AGAIN_S = 0.1
_MOST_AT_ONCE = 16  # questions whose answers may be under way
_MOST_LEFT_BEHIND = 20
_MOCK = "mockCluster"  # how librdkafka's in-process broker names its cluster

Positions = dict[tuple[str, int], int]


def listed(answer: ListOffsetsResultInfo) -> int | None:
    """The offset that an admin client's answer tells; None: it tells none.

    Of partitions whose leader does not answer in time librdkafka 2.16 says -1001 ("invalid"), without any error.
    Taken for a watermark, it would say that everything has been read.
    """
    return answer.offset if answer.offset >= 0 else None


class Offsets:
    """Asks the broker where partitions end and where a group stands.

    Args:
        settings: Of the clients.
        client_id: Name in the broker's logs.
    """

    def __init__(self, settings: ClientSettings, *, client_id: str) -> None:
        self._config = settings.admin(client_id)
        self._admin = AdminClient(self._config)
        self._groups = GroupOffsets(settings, client_id=f"{client_id}.groups")
        self._left_behind = 0
        self._asked: deque[list[Future[Any]]] = deque(maxlen=_MOST_AT_ONCE)

    async def ends(self, partitions: Iterable[tuple[str, int]], *, stable: bool = False) -> Positions:
        """High watermark per partition; with ``stable``, where a ``read_committed`` reader must stop now.

        Partitions that can't be told now (a leader is being elected, nobody answers) are absent.
        """
        level = IsolationLevel.READ_COMMITTED if stable else IsolationLevel.READ_UNCOMMITTED
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        asked = {TopicPartition(topic, partition): latest for topic, partition in partitions}
        if not asked:
            return {}
        futures = self._admin.list_offsets(asked, isolation_level=level, request_timeout=_REQUEST_S)
        self._asked.append(list(futures.values()))
        found: Positions = {}
        trouble = "not_told"
        for tp, future in futures.items():
            try:
                offset = listed(await self._answer(future))
            except KafkaException as error:
                trouble = error.args[0].name()
            except TimeoutError:
                return found
            else:
                if offset is not None:
                    found[tp.topic, tp.partition] = offset
        if len(found) < len(asked):
            log.warning("watermarks_unknown", partitions=len(asked) - len(found), code=trouble)
            await self._learn_leaders()
        return found

    def stop(self) -> None:
        """Ask no more."""
        self._groups.stop()
        if not all(future.done() for futures in self._asked for future in futures):
            leave_behind(self._admin)  # its end, with questions open, would abort the process

    async def _answer(self, future: "Future[Any]") -> Any:
        """Wait for an answer, but not for one that never comes: then a new client asks the next question.

        Raises:
            TimeoutError: The client did not keep its own time-out.
            Fenced: That has happened too often.
        """
        try:
            async with asyncio.timeout(2 * _REQUEST_S):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            leave_behind(self._admin)
            self._left_behind += 1
            if self._left_behind > _MOST_LEFT_BEHIND:
                raise Fenced(f"{self._left_behind} admin clients had to be left behind") from None
            log.warning("admin_client_replaced", times=self._left_behind)
            self._admin = AdminClient(self._config)
            raise

    async def _learn_leaders(self) -> None:
        """Fetch all metadata: this client, other than a consumer, would go on asking former leaders."""
        ask = functools.partial(self._admin.list_topics, timeout=_REQUEST_S)
        with contextlib.suppress(KafkaException):
            await asyncio.get_running_loop().run_in_executor(None, ask)

    async def end(self, topic: str, partition: int) -> int:
        """High watermark of one partition; asks until the broker answers."""
        while True:
            end = (await self.ends([(topic, partition)])).get((topic, partition))
            if end is not None:
                return end
            await asyncio.sleep(_AGAIN_S)

    async def committed(
        self, group: str, partitions: Iterable[tuple[str, int]]
    ) -> Mapping[tuple[str, int], int | None]:
        """As ``GroupOffsets.committed``."""
        return await self._groups.committed(group, partitions)

    async def marks(self, group: str, partitions: Iterable[tuple[str, int]]) -> Marks:
        """As ``GroupOffsets.marks``."""
        return await self._groups.marks(group, partitions)

    def check(self, topics: Iterable[str]) -> bool:
        """Check that topics exist and have the same partition count. Blocks; not for the event loop.

        Returns:
            Whether this is librdkafka's mock broker, which forgets the offsets of transactions.

        Raises:
            BrokerUnavailable: Nobody answers.
            TopologyError: Topics are missing or their partition counts differ; all are named.
        """
        try:
            cluster = self._admin.list_topics(timeout=_REQUEST_S)
        except KafkaException as error:
            raise unreachable(error.args[0]) or error from error
        counts = {topic: len(cluster.topics[topic].partitions) if topic in cluster.topics else 0 for topic in topics}
        missing = [
            f"topic {topic} does not exist: run `postcart topics create`" for topic in counts if not counts[topic]
        ]
        if missing:
            raise TopologyError(*missing)
        if len(set(counts.values())) > 1:
            raise TopologyError(f"partition counts differ, but must be the same: {counts}")
        return str(cluster.cluster_id).startswith(_MOCK)
