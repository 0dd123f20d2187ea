"""The one thread that owns the consumer.

Owns: every call on the ``confluent_kafka.Consumer``: a commit, or taking the group metadata, on another thread blocks
for good. Must not: decode, decide, or commit.

It never waits inside librdkafka (see ``awake``).
"""

import asyncio
import concurrent.futures
import contextlib
import json
import threading
import time
from collections.abc import Coroutine, Iterable
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from postcart.adapters.rdkafka import listener as contract
from postcart.adapters.rdkafka.awake import Awake
from postcart.adapters.rdkafka.errands import Errands, Request
from postcart.adapters.rdkafka.grouping import group
from postcart.adapters.rdkafka.handover import HandOver
from postcart.adapters.rdkafka.partitions import hold_back, names_of, partitions_of, seek, spoken
from postcart.adapters.rdkafka.settings import ClientSettings
from postcart.adapters.rdkafka.trouble import verdict
from postcart.errors import Fenced

log = structlog.get_logger(__name__)

_POLL_S = 0.01  # so long a record may wait when all was quiet; an idle worker takes 0.4 % of a core more than by 0.02
_PAUSE_AFTER_S = 2.0  # a full hand-over that long: keep polling, for membership's sake, but fetch nothing
_ALL_DOWN = KafkaError._ALL_BROKERS_DOWN  # noqa: SLF001 -- the client publishes its own codes with an underscore
_TELL_AGAIN_S = 30.0
_SETTLED_MS = 3000  # a member that got nothing in this time after it reached the coordinator has nothing to do


class Poller:
    """Joins the group, polls from then on until closed, and hands batches over.

    Args:
        settings: Of the clients.
        client_id: Name in the broker's logs.
        consumer_group: Group to join.
        topics: Subscribed together.
        listener: Told, on ``loop``, of ownership and failure.
        loop: The event loop that takes the batches.
    """

    def __init__(
        self,
        settings: ClientSettings,
        *,
        client_id: str,
        consumer_group: str,
        topics: Iterable[str],
        listener: contract.Listener,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._settings = settings
        self._config = settings.consumer(client_id, consumer_group)
        self._topics = sorted(topics)
        self._listener = listener
        self._loop = loop
        self.handover = HandOver(loop, settings)
        self._errands = Errands()
        self._closing = threading.Event()
        self._abandoned = threading.Event()
        self._owned: set[contract.TopicPartition] = set()
        self._positions: dict[contract.TopicPartition, int] = {}
        self._full_since: float | None = None
        self._held = False
        self._fatal: KafkaError | None = None
        self._told_at = -_TELL_AGAIN_S
        self._awake = Awake()
        self.joined = False
        """Whether the group has taken this member in, as far as can be told: librdkafka reports assignments only."""
        self.polled_at = time.monotonic()
        """When the thread last came round, on the monotonic clock, in seconds."""
        self._thread = threading.Thread(target=self._run, name="rdkafka-poller", daemon=True)

    # -- for the event loop -------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread, and with it membership."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def leaving(self) -> bool:
        """Whether it was asked to end; calls that it did not come to are refused then."""
        return self._closing.is_set()

    @property
    def owned(self) -> frozenset[contract.TopicPartition]:
        """What is assigned, now."""
        return frozenset(self._owned)

    def call(self, request: Request) -> concurrent.futures.Future[Any]:
        """Have something done with the consumer on its thread; may be called on any thread.

        The future fails with ``Fenced`` once the thread has ended.
        """
        return self._errands.ask(request)

    def membership(self) -> concurrent.futures.Future[contract.Membership]:
        """Fresh group metadata for a transaction, with what is owned at that moment."""
        return self.call(
            lambda consumer: contract.Membership(consumer.consumer_group_metadata(), frozenset(self._owned))
        )

    def start_at(self, positions: dict[contract.TopicPartition, int]) -> concurrent.futures.Future[None]:
        """Read partitions from these positions on: the first batch of each starts exactly there.

        Partitions that are not owned any more are passed over.
        """
        return self.call(lambda consumer: self._start_at(consumer, positions))

    def stop_reading(self, partitions: Iterable[contract.TopicPartition]) -> concurrent.futures.Future[None]:
        """Pause partitions that stay owned; nothing of them is handed over until ``start_at``."""
        return self.call(lambda consumer: self._stop_reading(consumer, partitions))

    def close(self) -> None:
        """Ask the thread to leave the group: it revokes everything through the listener, then ends."""
        self._closing.set()

    def abandon(self) -> None:
        """Ask the thread to end without consulting the listener; what is open must not be committed."""
        self._abandoned.set()
        self._closing.set()

    async def ended(self) -> None:
        """Wait until the thread has ended, without blocking the loop."""
        while self._thread.is_alive():  # noqa: ASYNC110 -- a thread's end has no awaitable
            await asyncio.sleep(0.01)

    # -- on the thread ------------------------------------------------------------------------------------------

    def _run(self) -> None:
        consumer: Consumer | None = None
        try:
            config = self._config | {"error_cb": self._on_error, "stats_cb": self._on_statistics}
            consumer = Consumer(config)
            told = {"on_assign": self._on_assign, "on_revoke": self._on_revoke, "on_lost": self._on_lost}
            consumer.subscribe(self._topics, **told)
            came = False
            while not self._closing.is_set():
                self._errands.serve(consumer, wait_s=0.0 if came else _POLL_S)
                came = self._poll(consumer)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the process must hear of it
            if not self._abandoned.is_set():
                self._listener.failed(error)
            self._abandoned.set()
        finally:
            if consumer is not None:
                with contextlib.suppress(KafkaException, RuntimeError):
                    consumer.close()
            self._errands.end()

    def _poll(self, consumer: Consumer) -> bool:
        """One round: hand over what came, or hold back while the stage is busy; whether the next may follow at once."""
        self.polled_at = time.monotonic()
        self._awake.keep(consumer)
        if self._hold_back(consumer):
            self.handover.wait_for_room(_POLL_S)
            if not self._held:
                return True
        first = consumer.poll(0)
        if self._fatal is not None:
            raise self._judged(self._fatal, None, None) or Fenced(str(self._fatal))
        if first is None:
            return self._held
        messages = [first, *consumer.consume(self.handover.poll_records - 1, 0)]
        batches, errors = group(messages, self._positions)
        if batches:
            self.handover.put(batches)
        for error, message in errors:
            meaning = self._judged(error, message.topic(), message.partition())
            if meaning is not None:
                raise meaning
            log.warning("consumer_error", code=error.name(), detail=error.str(), topic=message.topic())
        return True

    def _hold_back(self, consumer: Consumer) -> bool:
        """Whether the hand-over is full. If it stays so, partitions are paused and polling goes on."""
        if not self.handover.full:
            self._full_since = None
            if self._held:
                self._held = False
                consumer.resume(partitions_of(self._positions))
            return False
        now = time.monotonic()
        if self._full_since is None:
            self._full_since = now
        elif not self._held and now - self._full_since > _PAUSE_AFTER_S:
            self._held = True
            consumer.pause(partitions_of(self._positions))
        return True

    def _judged(self, error: KafkaError, topic: str | None, partition: int | None) -> Exception | None:
        return verdict(error, topic=topic, partition=partition, group=str(self._config["group.id"]))

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal() or self._judged(error, None, None) is not None:
            self._fatal = error
        if error.code() == _ALL_DOWN and time.monotonic() - self._told_at > _TELL_AGAIN_S:
            self._told_at = time.monotonic()  # one line per outage, not with each attempt to reconnect
            log.warning("consumer_trouble", code=error.name(), detail=error.str())

    def _on_statistics(self, statistics: str) -> None:
        if not self.joined:
            group_state = json.loads(statistics).get("cgrp", {})
            self.joined = group_state.get("state") == "up" and group_state["stateage"] > _SETTLED_MS

    def _start_at(self, consumer: Consumer, positions: dict[contract.TopicPartition, int]) -> None:
        for tp, position in positions.items():
            if tp in self._owned:
                seek(consumer, tp, position)
                self._positions[tp] = position
        if not self._held:
            consumer.resume(partitions_of(tp for tp in positions if tp in self._owned))

    def _stop_reading(self, consumer: Consumer, partitions: Iterable[contract.TopicPartition]) -> None:
        mine = [tp for tp in partitions if tp in self._owned]
        consumer.pause(partitions_of(mine))
        for tp in mine:
            self._positions.pop(tp, None)

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        idle = [TopicPartition(tp.topic, tp.partition, 0) for tp in partitions]
        hold_back(consumer, idle)
        if self._settings.group_protocol == "consumer":
            consumer.incremental_assign(idle)
        else:
            consumer.assign(idle)
        self.joined = True
        taken = names_of(partitions)
        self._owned |= taken
        log.info("partitions_assigned", partitions=spoken(taken))
        self._consult(consumer, self._listener.assigned(taken))

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._give_up(consumer, partitions, lost=False)

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._give_up(consumer, partitions, lost=True)

    def _give_up(self, consumer: Consumer, partitions: list[TopicPartition], *, lost: bool) -> None:
        given = names_of(partitions)
        log.info("partitions_lost" if lost else "partitions_revoked", partitions=spoken(given))
        if lost:
            self._owned -= given  # before anybody can take metadata: a commit for these must not look legitimate
        self._consult(consumer, self._listener.lost(given) if lost else self._listener.revoking(given))
        self._owned -= given
        for tp in given:
            self._positions.pop(tp, None)
        if self._settings.group_protocol == "consumer":
            consumer.incremental_unassign(partitions)
        else:
            consumer.unassign()

    def _consult(self, consumer: Consumer, question: Coroutine[Any, Any, None]) -> None:
        """Wait for the listener on the loop, and serve calls meanwhile: its commit needs this thread's metadata."""
        if self._abandoned.is_set() or self._loop.is_closed():
            question.close()
            return
        answer = asyncio.run_coroutine_threadsafe(question, self._loop)
        while not answer.done() and not self._abandoned.is_set():
            self._errands.serve(consumer, wait_s=0.005)
        if answer.done() and (error := answer.exception()) is not None:
            log.error("listener_failed", error=repr(error))
            self._fatal = self._fatal or KafkaError(KafkaError._FAIL, str(error))  # noqa: SLF001
