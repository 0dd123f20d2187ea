"""One Kafka transaction: records, offsets and the group's metadata, all or nothing.

Owns: the transactional producer, and what its errors mean. Must not: know tasks; decide what to repeat.

All methods block; they are called on one thread that is not the event loop's.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import structlog
from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition

from postcart.adapters.rdkafka.settings import ClientSettings
from postcart.adapters.rdkafka.trouble import fences, unreachable
from postcart.errors import Fenced, PostcartError

log = structlog.get_logger(__name__)

_CALL_S = 5.0  # how long one blocking call may take before it is repeated
_QUEUE_FULL_S = 0.05
_MAX_SILENT_RETRIES = 3
_MOST = 0.7  # the broker counts from when it heard of the transaction, this process from a little earlier
_MESSAGE_TIMED_OUT = KafkaError._MSG_TIMED_OUT  # noqa: SLF001 -- the client publishes its own codes with an underscore

Record = tuple[str, bytes | None, bytes | None, int, Any]
"""Topic, value, key, partition (-1: by the key), headers."""


class TransactionAborted(PostcartError):  # noqa: N818 -- names what happened to the transaction
    """Nothing of the transaction was written; the same records may be produced again with fresh metadata."""

    code = "transaction_aborted"
    retryable = True

    def __init__(self, reason: str, *, outage: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.outage = outage
        """Whether it only says that the broker did not answer in time."""


class TransactionExpired(PostcartError):  # noqa: N818 -- names what happened to the transaction
    """The broker was away for longer than a transaction may take, or a call never came back.

    The producer is of no use any more: see ``Transactor.give_up``.
    """

    code = "transaction_expired"
    retryable = True


class Written(NamedTuple):
    """What a transaction held."""

    records: int
    offsets: int


class Transactor:
    """The transactional producer of one worker.

    Args:
        settings: Of the clients.
        client_id: Name in the broker's logs.
        transactional_id: Stable per worker: a restart then aborts what its predecessor left open.
        lenience: How many times as long as the settings say a transaction may take.
    """

    def __init__(self, settings: ClientSettings, *, client_id: str, transactional_id: str, lenience: int = 1) -> None:
        settings = replace(settings, transaction_timeout_ms=lenience * settings.transaction_timeout_ms)
        self._producer = Producer(settings.producer(client_id, transactional_id))
        self._stopped = threading.Event()
        self._patience_s = settings.transaction_timeout_ms / 1000
        self._guard = threading.Lock()
        self._began_at: float | None = None
        self._commit_asked = False

    @property
    def busy(self) -> bool:
        """Whether a transaction is under way; asked on any thread."""
        return self._began_at is not None

    def overdue(self) -> bool:
        """Whether the transaction under way is older than the broker lets one become; asked on any thread.

        Calls of librdkafka 2.16 may never come back after an outage, whatever time-out they are given: it waits for a
        connection's state to change that has changed before.
        """
        began_at = self._began_at
        return began_at is not None and time.monotonic() - began_at > self._patience_s + _CALL_S

    def give_up(self) -> bool:
        """Stop, on any thread: a call under way fails within ``_CALL_S``, or never; no commit is asked for any more.

        Returns:
            Whether the commit of the current transaction had been asked for: then it may yet take place, until a
            successor of the same id is open.
        """
        with self._guard:
            self._stopped.set()
            return self._commit_asked

    def open(self) -> None:
        """Fence a predecessor of the same id. Waits for the broker for as long as it takes.

        Raises:
            Fenced: A successor of the same id is there already, or this transactor was stopped.
        """
        self._patiently("init_transactions", lambda: self._producer.init_transactions(_CALL_S))

    def write(
        self, records: Iterable[Record], offsets: Mapping[tuple[str, int], int], metadata: Any, mark: str = ""
    ) -> Written:
        """Write records and offsets in one transaction.

        A broker that does not answer is waited for. Not idempotent.

        Args:
            records: To produce; order is kept per partition.
            offsets: Next position of every partition that the transaction touched; never empty, or nothing is fenced.
            metadata: The group's, taken on the polling thread.
            mark: Kept beside each offset: by it a reader of the group's offsets knows this transaction.

        Raises:
            TransactionAborted: Nothing was written.
            TransactionExpired: Go on with a new transactor.
            Fenced: This process must end.
        """
        with self._under_way():
            count = self._begin(records)
            self._send_offsets(offsets, metadata, mark)
            with self._guard:
                if self._stopped.is_set():  # a successor may be on its way, which counts on this
                    raise Fenced("stopped before the commit was asked for")
                self._commit_asked = True
            self._patiently("commit", lambda: self._producer.commit_transaction(_CALL_S))
            return Written(count, len(offsets))

    def touch(self, records: Iterable[Record], offsets: Mapping[tuple[str, int], int], metadata: Any) -> None:
        """Write the same in a transaction that is aborted, once all of it has reached the broker.

        What a former producer of the same id left open on these partitions is aborted by that, too; see ``Committer``.
        Raises as ``write``.
        """
        with self._under_way():
            self._begin(records)
            self._flush()
            self._send_offsets(offsets, metadata, "")  # fails if a record did not get there
            self._patiently("abort", lambda: self._producer.abort_transaction(_CALL_S))

    @contextlib.contextmanager
    def _under_way(self) -> Iterator[None]:
        self._commit_asked = False
        self._began_at = time.monotonic()
        try:
            yield
        finally:
            self._began_at = None

    def _begin(self, records: Iterable[Record]) -> int:
        try:
            self._producer.begin_transaction()
            return self._produce(records)
        except KafkaException as error:
            self._judge("produce", error)
            raise Fenced(f"produce: {error.args[0].str()}") from error

    def _flush(self) -> None:
        left = 1
        while left:
            try:
                left = self._producer.flush(_CALL_S)
            except KafkaException as error:  # a successor's epoch shows first in the answer to a record
                self._judge("flush", error)
            if left and self._stopped.is_set():
                raise Fenced("stopped while the broker did not take records")

    def _send_offsets(self, offsets: Mapping[tuple[str, int], int], metadata: Any, mark: str) -> None:
        positions = [TopicPartition(topic, partition, at, mark) for (topic, partition), at in offsets.items()]
        self._patiently("offsets", lambda: self._producer.send_offsets_to_transaction(positions, metadata, _CALL_S))

    def _produce(self, records: Iterable[Record]) -> int:
        producer = self._producer
        produce = producer.produce
        count = 0
        for topic, value, key, partition, headers in records:
            while True:
                try:
                    if headers:
                        produce(topic, value, key, partition, headers=list(headers))
                    else:
                        produce(topic, value, key, partition)
                except BufferError:  # a transaction larger than the client's queue: let it drain
                    producer.poll(_QUEUE_FULL_S)
                    if self._stopped.is_set():
                        raise Fenced("stopped while the broker did not take records") from None
                else:
                    break
            count += 1
        return count

    def _patiently(self, name: str, call: Callable[[], Any]) -> None:
        """Repeat a call while its error says that it may be repeated; these calls resume where they were."""
        retries = 0
        while True:
            try:
                call()
            except KafkaException as error:
                self._judge(name, error)
                retries += 1
                if retries > _MAX_SILENT_RETRIES:
                    log.warning("transaction_waits", step=name, code=error.args[0].name(), retries=retries)
            else:
                return
            if self._stopped.is_set():
                raise Fenced(f"stopped during {name} while the broker did not answer")

    def _judge(self, name: str, error: KafkaException) -> None:
        """Return if the call may be repeated; else abort where that is possible, and raise."""
        trouble = error.args[0]
        if fences(trouble) and not trouble.txn_requires_abort():
            if self._began_at is not None and time.monotonic() - self._began_at > self._patience_s * _MOST:
                raise TransactionExpired(f"{name}: {trouble.str()}") from error
            raise Fenced(f"{name}: {trouble.str()}") from error
        if trouble.txn_requires_abort():
            self._patiently("abort", lambda: self._producer.abort_transaction(_CALL_S))
            if fences(trouble):
                raise Fenced(f"{name}: {trouble.str()}") from error
            outage = trouble.code() == _MESSAGE_TIMED_OUT or unreachable(trouble) is not None
            raise TransactionAborted(trouble.name(), outage=outage) from error
        if not trouble.retriable():
            raise Fenced(f"{name}: {trouble.str()}") from error
