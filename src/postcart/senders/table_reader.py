"""Reads the compacted topics of which a sender keeps whole copies, all partitions from the beginning.

Owns: a consumer outside of any group, on a thread of its own, and the watermarks that prove freshness. Must not: judge.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Mapping

import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, TopicPartition

from postcart.adapters.rdkafka.grouping import group
from postcart.adapters.rdkafka.offsets import Offsets
from postcart.adapters.rdkafka.settings import ClientSettings
from postcart.adapters.rdkafka.trouble import unreachable, verdict
from postcart.errors import Fenced, RegistryUnavailable, TopologyError
from postcart.senders.elapsed import elapsed_s
from postcart.senders.tables import Proof, Table

log = structlog.get_logger(__name__)

_POLL_S = 0.1
_BATCH = 2000
_AGAIN_S = 0.5
_LOADING_EVERY_S = 0.1
_METADATA_S = 5.0
_ABSENT_TIMES = 10
_STOP_S = 2.0


class TableReader:
    """Fills tables.

    Args:
        settings: Of the clients.
        client_id: Name in the broker's logs.
        tables: By topic.
        proof: Told what has been read, and up to where it should be.
        offsets: Asked for high watermarks.
        every_s: How often, once everything has been read.
        failed: Told, on any thread, of an error that ends the reader.
    """

    def __init__(
        self,
        settings: ClientSettings,
        *,
        client_id: str,
        tables: Mapping[str, Table],
        proof: Proof,
        offsets: Offsets,
        every_s: float,
        failed: Callable[[BaseException], None],
    ) -> None:
        self._config = settings.reader(client_id)
        self._tables = dict(tables)
        self._proof = proof
        self._offsets = offsets
        self._every_s = every_s
        self._failed = failed
        self._partitions: list[tuple[str, int]] = []
        self._excused = False
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="table-reader", daemon=True)

    # -- on the event loop ------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start reading."""
        self._thread.start()

    async def watch(self) -> None:
        """Ask for high watermarks again and again, until cancelled: what proves that the copies are fresh.

        Raises:
            Fenced: The reader stands still: the process must end and start again.
        """
        loaded = False
        while True:
            wanted = self._partitions
            asked_s = elapsed_s()
            ends = await self._offsets.ends(wanted) if wanted else {}
            # Only all together prove anything; without an answer the copies grow old, and marketing waits by itself.
            if wanted and len(ends) == len(wanted):
                self._proof.watermarks(asked_s, ends)
            if self._proof.stalled and not self._excused:
                raise Fenced(f"standing still although there is something to read: {sorted(self._tables)}")
            if not loaded and self._proof.proven_s is not None:
                loaded = True
                log.info("tables_loaded", partitions=len(wanted), unreadable=self._unreadable())
            await asyncio.sleep(self._every_s if loaded else _LOADING_EVERY_S)

    async def stop(self) -> None:
        """Let the thread end, and wait for it a little: the interpreter must not end in the middle of its call."""
        self._stopped.set()
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join, _STOP_S)

    # -- on the thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        consumer = None
        try:
            consumer = Consumer(self._config)
            partitions = [(topic, number) for topic in self._tables for number in range(self._count(consumer, topic))]
            positions = dict.fromkeys(partitions, 0)
            consumer.assign([TopicPartition(*partition, OFFSET_BEGINNING) for partition in partitions])
            self._proof.expect(partitions)
            self._partitions = partitions
            while not self._stopped.is_set():
                self._read(consumer, positions)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the process must hear of it
            self._failed(error)
        finally:
            if consumer is not None:
                with contextlib.suppress(KafkaException, RuntimeError):
                    consumer.close()

    def _count(self, consumer: Consumer, topic: str) -> int:
        """How many partitions a topic has; asks until a broker answers."""
        silent = 0
        while not self._stopped.is_set():
            try:
                found = consumer.list_topics(topic, timeout=_METADATA_S).topics.get(topic)
            except KafkaException as error:
                if unreachable(error.args[0]) is None:
                    raise
                self._stopped.wait(_AGAIN_S)
                continue
            if found is not None and found.partitions:
                return len(found.partitions)
            silent += 1  # a young topic's leader may not be known yet
            if silent > _ABSENT_TIMES:
                raise TopologyError(f"topic {topic} does not exist: run `postcart topics create`")
            self._stopped.wait(_AGAIN_S)
        return 0

    def _read(self, consumer: Consumer, positions: dict[tuple[str, int], int]) -> None:
        first = consumer.poll(0)
        if first is None:
            self._stopped.wait(_POLL_S)  # not inside librdkafka, see ``rdkafka.awake``
            return
        batches, errors = group([first, *consumer.consume(_BATCH - 1, 0)], positions)
        for batch in batches:
            table = self._tables[batch.topic]
            before = table.malformed
            for record in batch.records:
                self._take(table, record)
            if table.malformed > before:
                log.warning("table_records_unreadable", topic=batch.topic, count=table.malformed - before)
            self._proof.reached((batch.topic, batch.partition), batch.next)
        for error, message in errors:
            meaning = verdict(
                error, topic=message.topic(), partition=message.partition(), group=str(self._config["group.id"])
            )
            if meaning is not None:
                raise meaning
            log.warning("table_reader_trouble", code=error.name(), detail=error.str())

    def _take(self, table: Table, record: Message) -> None:
        """Take a record in; while the schema registry can't be asked, wait: the copies grow old meanwhile."""
        while not self._stopped.is_set():
            try:
                table.record(record.key(), record.value())
            except RegistryUnavailable as error:
                if not self._excused:
                    log.warning("registry_unavailable", detail=str(error))
                self._excused = True
                self._stopped.wait(_AGAIN_S)
            else:
                self._excused = False
                return

    def _unreadable(self) -> int:
        return sum(table.malformed for table in self._tables.values())
