"""Watermarks and committed offsets, asked over a client of its own.

Owns: the admin client of a stage. Must not: commit anything.

The polling thread's consumer could be asked too, but it would stand still meanwhile; here one request covers all
partitions and nothing waits but the coroutine that asks.
"""

import asyncio
import functools
import math
import time
from collections import deque
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from typing import Any

import structlog
from confluent_kafka import ConsumerGroupTopicPartitions, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec

from postcart.adapters.rdkafka.lane import leave_behind
from postcart.adapters.rdkafka.settings import ClientSettings
from postcart.adapters.rdkafka.trouble import unreachable
from postcart.errors import Fenced, TopologyError

log = structlog.get_logger(__name__)

_REQUEST_S = 5.0
_AGAIN_S = 0.1  # between two tries, for a predecessor's transaction to be resolved or a broker to come back
_MOST_AT_ONCE = 16  # questions whose answers may be under way
_PENDING_S = 3.0
_MOST_RENEWALS = 50
_PATIENCE_S = 6.0  # with one client; then another one asks
_NONE = -1001  # librdkafka's "no offset stored"
_UNSTABLE = KafkaError.UNSTABLE_OFFSET_COMMIT
_TIMED_OUT = KafkaError._TIMED_OUT  # noqa: SLF001 -- the client publishes its own codes with an underscore
_MOCK = "mockCluster"  # how librdkafka's in-process broker names its cluster

Positions = dict[tuple[str, int], int]


class Offsets:
    """Asks the broker where partitions end and where a group stands.

    Args:
        settings: Of the clients.
        client_id: Name in the broker's logs.
    """

    def __init__(self, settings: ClientSettings, *, client_id: str) -> None:
        self._config = settings.client(client_id)
        self._admin = AdminClient(self._config)
        self._renewals = 0
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
        trouble: KafkaException | None = None
        for tp, future in futures.items():
            try:
                found[tp.topic, tp.partition] = (await self._answer(future)).offset
            except KafkaException as error:
                trouble = error
            except TimeoutError:
                return found
        if trouble is not None:
            log.warning("watermarks_unknown", partitions=len(asked) - len(found), code=trouble.args[0].name())
            await self._learn_leaders()
        return found

    def stop(self) -> None:
        """Ask no more. What has been asked and not been answered would make the client's end abort the process."""
        if not all(future.done() for futures in self._asked for future in futures):
            leave_behind(self._admin)

    async def _answer(self, future: "Future[Any]") -> Any:
        """Wait for an answer, but not for one that never comes: then a new client asks the next question.

        Raises:
            TimeoutError: The client did not keep its own time-out.
        """
        try:
            async with asyncio.timeout(2 * _REQUEST_S):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            await self._renew()
            raise

    async def _learn_leaders(self) -> bool:
        """Fetch all metadata: this client, other than a consumer, would go on asking former leaders.

        Returns:
            Whether a broker answered.
        """
        ask = functools.partial(self._admin.list_topics, timeout=_REQUEST_S)
        try:
            await asyncio.get_running_loop().run_in_executor(None, ask)
        except KafkaException:
            return False
        return True

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
        """Stable committed position per partition, ``None`` where the group has none. Waits as ``_stable`` does."""
        return {
            (tp.topic, tp.partition): None if tp.offset == _NONE else tp.offset
            for tp in await self._stable(group, partitions)
        }

    async def marks(self, group: str, partitions: Iterable[tuple[str, int]]) -> Mapping[tuple[str, int], str | None]:
        """What the transactions that committed the group's offsets left beside them. Waits while no broker answers.

        Empty where one is pending and stays so, although its producer has a successor: see ``Committer``.
        """
        found = await self._stable(group, partitions, pending_s=_PENDING_S)
        return {(tp.topic, tp.partition): tp.metadata for tp in found}

    async def _stable(
        self, group: str, partitions: Iterable[tuple[str, int]], *, pending_s: float = math.inf
    ) -> list[TopicPartition]:
        """The group's stable offsets; nothing if a transaction that holds some is pending for so long.

        Waits while no broker answers.
        """
        wanted = [TopicPartition(topic, partition) for topic, partition in partitions]
        answered_s = renewed_s = time.monotonic()
        while True:
            found, trouble = await self._try_offsets(group, wanted)
            if trouble is None:
                return found
            now_s = time.monotonic()
            if trouble.code() != _UNSTABLE:
                answered_s = now_s
            elif now_s - answered_s > pending_s:
                log.warning("offsets_stay_pending", group=group)
                return []
            if now_s - renewed_s > _PATIENCE_S:
                log.warning("offsets_unknown", group=group, code=trouble.name())
                await self._renew()
                renewed_s = now_s
            await asyncio.sleep(_AGAIN_S)

    async def _try_offsets(
        self, group: str, wanted: list[TopicPartition]
    ) -> tuple[list[TopicPartition], KafkaError | None]:
        """The offsets, or why they can't be told now.

        Raises:
            KafkaException: They can't be told at all.
        """
        request = [ConsumerGroupTopicPartitions(group, wanted)]
        try:
            futures = self._admin.list_consumer_group_offsets(request, require_stable=True, request_timeout=_REQUEST_S)
            self._asked.append(list(futures.values()))
            found: list[TopicPartition] = (await self._answer(futures[group])).topic_partitions
            troubles = [tp.error for tp in found if tp.error is not None]
        except TimeoutError:
            return [], KafkaError(_TIMED_OUT)
        except KafkaException as error:
            found, troubles = [], [error.args[0]]
        for trouble in troubles:
            if trouble.code() != _UNSTABLE and unreachable(trouble) is None:
                raise KafkaException(trouble)
        return found, troubles[0] if troubles else None

    async def _renew(self) -> None:
        """Go on with a new client, if it is the present one that is at fault and not the broker.

        It may ask a former coordinator for ever, or wait for a change of a connection that has come before. Ending it
        with its questions open makes librdkafka 2.16 abort the process, so it is left behind.

        Raises:
            Fenced: Too many had to be.
        """
        if not await self._learn_leaders():
            return
        self._renewals += 1
        if self._renewals > _MOST_RENEWALS:
            raise Fenced(f"{self._renewals} admin clients had to be left behind")
        leave_behind(self._admin)
        self._admin = AdminClient(self._config)
        log.warning("admin_client_replaced", times=self._renewals)

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
