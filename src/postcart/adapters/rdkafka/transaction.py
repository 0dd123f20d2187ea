"""One Kafka transaction: records, offsets and the group's metadata, all or nothing.

Owns: the transactional producer, and what its errors mean. Must not: know tasks; decide what to repeat.

All methods block; they are called on one thread that is not the event loop's.
"""

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import structlog
from confluent_kafka import KafkaException, Producer, TopicPartition

from postcart.adapters.rdkafka.settings import ClientSettings
from postcart.adapters.rdkafka.trouble import fences
from postcart.errors import Fenced, PostcartError

log = structlog.get_logger(__name__)

_CALL_S = 5.0  # how long one blocking call may take before it is repeated
_QUEUE_FULL_S = 0.05
_MAX_SILENT_RETRIES = 3
_STUCK_S = 2 * _CALL_S
_MOST = 0.7  # the broker counts from when it heard of the transaction, this process from a little earlier

Record = tuple[str, bytes | None, bytes | None, int, Any]
"""Topic, value, key, partition (-1: by the key), headers."""


class TransactionAborted(PostcartError):  # noqa: N818 -- names what happened to the transaction
    """Nothing of the transaction was written; the same records may be produced again with fresh metadata."""

    code = "transaction_aborted"
    retryable = True

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TransactionExpired(PostcartError):  # noqa: N818 -- names what happened to the transaction
    """The broker was away for longer than a transaction may take, and has given it up, or not: see ``committing``.

    The producer is of no use any more; a new one with the same id puts the broker's side in order.

    Args:
        reason: What was tried.
        committing: Whether the commit had been asked for: then it may have happened.
    """

    code = "transaction_expired"
    retryable = True

    def __init__(self, reason: str, *, committing: bool) -> None:
        super().__init__(reason)
        self.committing = committing


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
    """

    def __init__(self, settings: ClientSettings, *, client_id: str, transactional_id: str) -> None:
        self._producer = Producer(settings.producer(client_id, transactional_id))
        self._stopped = threading.Event()
        self._patience_s = settings.transaction_timeout_ms / 1000
        self._began_at = time.monotonic()
        self._called_at: float | None = None
        self.committing = False
        """Whether the commit of the current transaction has been asked for."""

    def stuck(self) -> bool:
        """Whether a call has not come back for so long that it never will; may be asked on any thread.

        ``send_offsets_to_transaction`` ignores its time-out while the group's coordinator is away (librdkafka 2.16).
        """
        called_at = self._called_at
        return called_at is not None and time.monotonic() - called_at > _STUCK_S

    def stop(self) -> None:
        """Give up retrying, on any thread: a call under way fails with ``Fenced`` within ``_CALL_S``."""
        self._stopped.set()

    def open(self) -> None:
        """Fence a predecessor of the same id. Waits for the broker for as long as it takes.

        Raises:
            Fenced: A successor of the same id is there already, or this transactor was stopped.
        """
        self._patiently("init_transactions", lambda: self._producer.init_transactions(_CALL_S))

    def write(self, records: Iterable[Record], offsets: dict[tuple[str, int], int], metadata: Any) -> Written:
        """Write records and offsets in one transaction.

        A broker that does not answer is waited for. Not idempotent.

        Args:
            records: To produce; order is kept per partition.
            offsets: Next position of every partition that the transaction touched; never empty, or nothing is fenced.
            metadata: The group's, taken on the polling thread.

        Raises:
            TransactionAborted: Nothing was written.
            TransactionExpired: Go on with a new transactor.
            Fenced: This process must end.
        """
        producer = self._producer
        self._began_at, self.committing = time.monotonic(), False
        try:
            producer.begin_transaction()
            count = self._produce(records)
        except KafkaException as error:
            self._judge("produce", error)
            raise Fenced(f"produce: {error.args[0].str()}") from error
        positions = [TopicPartition(topic, partition, position) for (topic, partition), position in offsets.items()]
        self._patiently("offsets", lambda: producer.send_offsets_to_transaction(positions, metadata, _CALL_S))
        self.committing = True
        self._patiently("commit", lambda: producer.commit_transaction(_CALL_S))
        return Written(count, len(positions))

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
            self._called_at = time.monotonic()
            try:
                call()
            except KafkaException as error:
                self._judge(name, error)
                retries += 1
                if retries > _MAX_SILENT_RETRIES:
                    log.warning("transaction_waits", step=name, code=error.args[0].name(), retries=retries)
            else:
                return
            finally:
                self._called_at = None
            if self._stopped.is_set():
                raise Fenced(f"stopped during {name} while the broker did not answer")

    def _judge(self, name: str, error: KafkaException) -> None:
        """Return if the call may be repeated; else abort where that is possible, and raise."""
        trouble = error.args[0]
        if fences(trouble) and not trouble.txn_requires_abort():
            if time.monotonic() - self._began_at > self._patience_s * _MOST and name != "init_transactions":
                raise TransactionExpired(f"{name}: {trouble.str()}", committing=self.committing) from error
            raise Fenced(f"{name}: {trouble.str()}") from error
        if trouble.txn_requires_abort():
            self._patiently("abort", lambda: self._producer.abort_transaction(_CALL_S))
            if fences(trouble):
                raise Fenced(f"{name}: {trouble.str()}") from error
            raise TransactionAborted(trouble.name()) from error
        if not trouble.retriable():
            raise Fenced(f"{name}: {trouble.str()}") from error
