"""What Faust sees of Kafka: the transport of the URL scheme ``rdkafka://``.

Owns: turning batches into Faust messages, and telling Faust what is assigned. Must not: commit, acknowledge or produce:
Faust's own acknowledgements, left on, commit past a transaction that is then aborted.

The app that uses this transport is a ``RdkafkaApp``: it says which listener and client settings belong to it.
Faust is told of every assignment, but never of a revocation: it would suspend its flow and empty its buffers, also of
partitions that stay. What is still buffered of a revoked partition is turned away by the stage, by its positions.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Protocol, cast

from faust.transport import base
from faust.transport.consumer import Consumer as FaustConsumer
from faust.transport.consumer import Fetcher as FaustFetcher
from faust.transport.producer import Producer as FaustProducer
from faust.types import TP, ConsumerMessage

from postcart.adapters.rdkafka.batch import RecordBatch
from postcart.adapters.rdkafka.listener import Listener, TopicPartition
from postcart.adapters.rdkafka.poller import Poller
from postcart.adapters.rdkafka.settings import ClientSettings

_GENERATION = 1  # Faust drops messages of another generation; which batches count is decided by positions instead


class RdkafkaApp(Protocol):
    """What the transport needs of the Faust app beyond Faust."""

    rdkafka_settings: ClientSettings
    rdkafka_client_id: str
    rdkafka_group: str
    rdkafka_listener: Listener

    async def rdkafka_may_join(self) -> None:
        """Wait until membership makes sense: topics are there, and fit together."""


class Consumer(FaustConsumer):
    """The group member as Faust knows it; the work is the poller's."""

    consumer_stopped_errors: ClassVar[tuple[type[BaseException], ...]] = ()
    poller: Poller | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._telling = asyncio.Lock()

    async def subscribe(self, topics: Iterable[str]) -> None:
        """Start polling, as soon as the app says so; librdkafka joins the group by that."""
        if self.poller is not None:
            return
        self.app.consumer_generation_id = _GENERATION
        app = cast("RdkafkaApp", self.app)
        self.poller = Poller(
            app.rdkafka_settings,
            client_id=app.rdkafka_client_id,
            consumer_group=app.rdkafka_group,
            topics=topics,
            listener=_Relay(self, app.rdkafka_listener),
            loop=asyncio.get_running_loop(),
        )
        self.add_future(self.tell_faust())  # not awaited: it waits for this subscription; see ``tell_faust``
        self.add_future(self._join(self.poller))

    async def _join(self, poller: Poller) -> None:
        await cast("RdkafkaApp", self.app).rdkafka_may_join()
        if not poller.leaving:
            poller.start()

    async def tell_faust(self) -> None:
        """Tell Faust what is assigned now, in the order in which it wants to hear it.

        Once also before anything is assigned: so Faust's own start does not depend on the group.
        """
        async with self._telling:
            if not self.should_stop and not self.app.should_stop:
                self.app.on_rebalance_start()
                await self.on_partitions_assigned(self.assignment(), _GENERATION)

    async def _drain_messages(self, fetcher: Any) -> None:
        """Faust's fetcher: one Faust message per batch, until stopped."""
        callback = self.callback
        poller = self.poller
        if poller is None:
            raise RuntimeError("the fetcher runs before the subscription")
        while not (self.should_stop or fetcher.should_stop):
            batch = await poller.handover.take()
            await callback(_message(batch))

    async def stop_polling(self) -> None:
        """Leave the group politely: everything is revoked through the listener, then the thread ends."""
        if self.poller is not None:
            self.poller.close()
            await self.poller.ended()

    async def on_stop(self) -> None:
        """Faust stops this service; membership has ended before, or there is nothing to save."""
        if self.poller is not None:
            self.poller.abandon()
            await self.poller.ended()

    # -- what Faust asks for and librdkafka, or nobody, does -------------------------------------------------------

    def assignment(self) -> set[TP]:
        """Partitions owned now."""
        return {TP(*tp) for tp in self.poller.owned} if self.poller else set()

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:  # noqa: FBT001, FBT002, ARG002
        """Nothing: the transaction's map of next offsets is the only one."""
        return False

    async def perform_seek(self) -> None:
        """Nothing: the stage says where each partition starts."""

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Nothing, for the same reason."""
        return {}

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """Not supported: only the stage seeks."""
        raise NotImplementedError

    async def _seek(self, partition: TP, offset: int) -> None:
        raise NotImplementedError

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:  # noqa: ARG002
        return False

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:  # noqa: ASYNC109
        raise NotImplementedError

    async def position(self, tp: TP) -> int | None:  # noqa: ARG002
        """Unknown here; the stage knows."""
        return None

    async def earliest_offsets(self, *partitions: TP) -> Mapping[TP, int]:
        """Not needed without tables."""
        return dict.fromkeys(partitions, 0)

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int]:
        """Not needed without tables."""
        return dict.fromkeys(partitions, 0)

    def highwater(self, tp: TP) -> int:  # noqa: ARG002
        """Unknown here; lag is measured by an admin client."""
        return 0

    def topic_partitions(self, topic: str) -> int | None:  # noqa: ARG002
        """Unknown here; topics are checked before the start."""
        return None

    def key_partition(self, topic: str, key: bytes | None, partition: int | None = None) -> int | None:  # noqa: ARG002
        """Not needed: Faust does not produce."""
        return partition

    def _new_topicpartition(self, topic: str, partition: int) -> TP:
        return TP(topic, partition)

    def _to_message(self, tp: TP, record: Any) -> ConsumerMessage:
        raise NotImplementedError

    async def create_topic(self, topic: str, partitions: int, replication: int, **_: Any) -> None:
        """Not supported: topics are created beforehand."""
        raise NotImplementedError

    async def seek_to_latest(self, *partitions: TP) -> None:
        """Not needed without tables."""

    async def seek_to_beginning(self, *partitions: TP) -> None:
        """Not needed without tables."""


class _Relay:
    """Passes ownership on to the stage, then to Faust."""

    def __init__(self, consumer: Consumer, stage: Listener) -> None:
        self._consumer = consumer
        self._stage = stage

    async def assigned(self, partitions: frozenset[TopicPartition]) -> None:
        await self._consumer.tell_faust()
        await self._stage.assigned(partitions)

    async def revoking(self, partitions: frozenset[TopicPartition]) -> None:
        await self._stage.revoking(partitions)

    async def lost(self, partitions: frozenset[TopicPartition]) -> None:
        await self._stage.lost(partitions)

    def failed(self, error: BaseException) -> None:
        self._stage.failed(error)


class Producer(FaustProducer):
    """Faust wants one; nothing may be produced through it."""

    async def flush(self) -> None:
        """Nothing to flush."""


class Transport(base.Transport):
    """Entry point of ``faust.transports``."""

    Consumer = Consumer
    Producer = Producer
    Fetcher = FaustFetcher
    driver_version = "confluent-kafka"


def _message(batch: RecordBatch) -> ConsumerMessage:
    return ConsumerMessage(
        batch.topic,
        batch.partition,
        batch.start,
        0.0,
        0,
        None,
        None,
        cast("Any", batch),
        None,
        serialized_key_size=0,
        serialized_value_size=0,
        tp=TP(batch.topic, batch.partition),
        generation_id=_GENERATION,
    )
