"""Reads ``gate`` and ``keys`` of the partitions whose jobs this sender owns, whole and from the beginning.

Owns: a consumer outside of any group, on a thread of its own, and the watermarks that prove freshness. Must not: judge.
"""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable

import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition

from postcart.adapters.rdkafka.grouping import group
from postcart.adapters.rdkafka.leaders import learn_leaders
from postcart.adapters.rdkafka.offsets import Offsets
from postcart.adapters.rdkafka.settings import ClientSettings
from postcart.adapters.rdkafka.trouble import verdict
from postcart.errors import Fenced
from postcart.senders.elapsed import elapsed_s
from postcart.senders.gate_view import GateView

log = structlog.get_logger(__name__)

_POLL_S = 0.05
_BATCH = 2000
_WATERMARK_EVERY_S = 0.25
_LOADING_EVERY_S = 0.05
_STOP_S = 2.0


class GateReader:
    """Fills one ``GateView`` per partition number.

    Args:
        settings: Of the clients.
        client_id: Name in the broker's logs.
        gate: Topic with persons and progress.
        keys: Topic with wrapped per-person keys.
        offsets: Asked for high watermarks.
        failed: Told, on any thread, of an error that ends the reader.
    """

    def __init__(
        self,
        settings: ClientSettings,
        *,
        client_id: str,
        gate: str,
        keys: str,
        offsets: Offsets,
        failed: Callable[[BaseException], None],
    ) -> None:
        self._config = settings.reader(client_id)
        self._gate, self._keys = gate, keys
        self._offsets = offsets
        self._failed = failed
        self._views: dict[int, GateView] = {}
        self._changes: queue.SimpleQueue[tuple[int, GateView | None]] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gate-reader", daemon=True)

    # -- on the event loop ------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start reading."""
        self._thread.start()

    async def open(self, partition: int) -> GateView:
        """Read a partition from its beginning; returns once it was read up to a watermark asked for after the call."""
        view = self._views[partition] = GateView()
        self._changes.put((partition, view))
        while not view.loaded:  # noqa: ASYNC110 -- filled by a thread that should not wake the loop for each batch
            await asyncio.sleep(_LOADING_EVERY_S)
        log.info("gate_loaded", partition=partition, people=len(view))
        return view

    def close_partition(self, partition: int) -> None:
        """Forget a partition. Idempotent."""
        if self._views.pop(partition, None) is not None:
            self._changes.put((partition, None))

    async def watch(self) -> None:
        """Ask for high watermarks again and again, until cancelled: what proves that the views are fresh.

        Raises:
            Fenced: The reader stands still: the process must end and start again.
        """
        while True:
            await self._ask()
            await asyncio.sleep(_WATERMARK_EVERY_S if self._all_loaded() else _LOADING_EVERY_S)

    async def stop(self) -> None:
        """Let the thread end, and wait for it a little: the interpreter must not end in the middle of its call."""
        self._stopped.set()
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join, _STOP_S)

    async def _ask(self) -> None:
        views = dict(self._views)
        wanted = [(self._gate, number) for number in views]
        wanted += [(self._keys, number) for number, view in views.items() if not view.loaded]
        asked_s = elapsed_s()
        # Those that can't be told now are absent: their views grow old, and marketing waits by itself.
        ends = await self._offsets.ends(wanted)
        for number, view in views.items():
            view.watermarks(asked_s=asked_s, gate=ends.get((self._gate, number)), keys=ends.get((self._keys, number)))
            if view.stalled:
                raise Fenced(f"standing still although there is something to read: {self._gate}[{number}]")

    def _all_loaded(self) -> bool:
        return all(view.loaded for view in self._views.values())

    # -- on the thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        consumer = None
        try:
            consumer = Consumer(self._config)
            learn_leaders(consumer, self._gate, self._keys)
            views: dict[int, GateView] = {}
            positions: dict[tuple[str, int], int] = {}
            while not self._stopped.is_set():
                self._change(consumer, views, positions)
                if positions:
                    self._read(consumer, views, positions)
                else:
                    self._stopped.wait(_POLL_S)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the process must hear of it
            self._failed(error)
        finally:
            if consumer is not None:
                with contextlib.suppress(KafkaException, RuntimeError):
                    consumer.close()

    def _change(self, consumer: Consumer, views: dict[int, GateView], positions: dict[tuple[str, int], int]) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                number, view = self._changes.get_nowait()
                sources = [(self._gate, number), (self._keys, number)]
                if views.pop(number, None) is not None:
                    consumer.incremental_unassign([TopicPartition(*source) for source in sources])
                    for source in sources:
                        positions.pop(source, None)
                if view is not None:
                    views[number] = view
                    positions.update(dict.fromkeys(sources, 0))
                    consumer.incremental_assign([TopicPartition(*source, OFFSET_BEGINNING) for source in sources])

    def _read(self, consumer: Consumer, views: dict[int, GateView], positions: dict[tuple[str, int], int]) -> None:
        first = consumer.poll(0)
        if first is None:
            self._stopped.wait(_POLL_S)  # not inside librdkafka, see ``rdkafka.awake``
            return
        batches, errors = group([first, *consumer.consume(_BATCH - 1, 0)], positions)
        for batch in batches:
            view = views[batch.partition]
            if batch.topic == self._gate:
                for record in batch.records:
                    view.gate_record(record.key(), record.value())
                view.gate_position(batch.next)
            else:
                for record in batch.records:
                    view.key_record(record.key(), record.value())
                view.keys_position(batch.next)
        for error, message in errors:
            meaning = verdict(
                error, topic=message.topic(), partition=message.partition(), group=str(self._config["group.id"])
            )
            if meaning is not None:
                raise meaning
            log.warning("gate_reader_trouble", code=error.name(), detail=error.str())
