"""Makes a partition ready: gate and keys whole, then claims, in the order that lets nothing be sent twice.

Owns: that order: stable committed offsets, *then* the claims' high watermark, read up to that. In another order a
predecessor's last transaction could be missed. Must not: judge or send.
"""

import threading
import time

import msgspec
import structlog
from confluent_kafka import Consumer, TopicPartition

from postcart.adapters.changelog import ChangelogReader
from postcart.adapters.rdkafka.lane import Lane
from postcart.adapters.rdkafka.offsets import Offsets
from postcart.adapters.rdkafka.trouble import no_position
from postcart.errors import StateError, UnreadableRecord
from postcart.events.jobs import Claim
from postcart.senders.claims import ClaimBook
from postcart.senders.config import SenderConfig
from postcart.senders.desk import Desk, Silent
from postcart.senders.elapsed import elapsed_s
from postcart.senders.gate_reader import GateReader
from postcart.senders.item import Item
from postcart.senders.positions import Positions
from postcart.senders.records import RANK, decode_claim, decode_job

log = structlog.get_logger(__name__)

_POLL_S = 0.1
_ONE_RECORD_S = 20.0


class Restorer:
    """Restores partitions; their claims one partition after the other.

    Args:
        config: Of the sender.
        offsets: Asked for positions and watermarks.
        gates: Reads gate and keys.
    """

    def __init__(self, config: SenderConfig, *, offsets: Offsets, gates: GateReader) -> None:
        self._config = config
        self._offsets = offsets
        self._gates = gates
        self._reader_config = config.client.reader(f"{config.worker_name}.claims")
        self._lane = Lane("claims-reader")
        self.forgetful_broker = False
        """A broker that loses committed offsets (librdkafka's mock): without one, begin at the beginning."""

    async def restore(self, number: int) -> Desk:
        """Everything about a partition, as its last owner left it.

        Raises:
            TopologyError: The group has no committed offset.
            StateError: A claim can't be read.
        """
        topics = self._config.topics
        view = await self._gates.open(number)
        found = await self._offsets.committed(self._config.group, [(topic, number) for topic in topics.jobs])
        committed: dict[str, int] = {}
        for (topic, _), offset in found.items():
            if offset is None and not self.forgetful_broker:
                raise no_position(topic, number, self._config.group)
            committed[topic] = offset or 0
        end = await self._offsets.end(topics.claims, number)
        cancelled = threading.Event()
        try:
            book, silent = await self._lane.run(self._read, number, end, cancelled)
        finally:
            cancelled.set()
        positions = {topic: Positions(offset) for topic, offset in committed.items()}
        log.info("sender_restored", partition=number, claims=len(book), unanswered=len(silent))
        return Desk(number, view, book, positions, committed, silent)

    def stop(self) -> None:
        """Let go of the thread."""
        self._lane.close()

    # -- on the thread ----------------------------------------------------------------------------------------------

    def _read(self, number: int, end: int, cancelled: threading.Event) -> tuple[ClaimBook, list[Silent]]:
        book = ClaimBook(self._config.limits.remember)
        reader = ChangelogReader(self._config.topics.claims, self._reader_config)
        try:
            for rows, position in reader.read(number, end=end):
                if cancelled.is_set():
                    break
                for _, value in rows:
                    if value is not None:
                        book.fold(self._claim(value, number, position))
        finally:
            reader.close()
        return book, [self._silent(claim, number) for claim in book.open.values()]

    def _claim(self, value: bytes, number: int, position: int) -> Claim:
        try:
            return decode_claim(value)
        except msgspec.DecodeError as error:
            raise StateError(f"{self._config.topics.claims}[{number}] before {position}: {error}") from error

    def _silent(self, claim: Claim, number: int) -> Silent:
        """When nobody can be sending on this claim any more; never later than if it had been made just now."""
        limit_s = self._config.limits.silent_after_s
        age_s = max(0.0, (self._config.clock.real_ms() - claim.at_ms) / 1000)
        offset = claim.offset if claim.purpose == "transactional" else None
        item = None if offset is None else self._job_of(claim, number, offset)
        return Silent(elapsed_s() + max(0.0, limit_s - age_s), claim, item)

    def _job_of(self, claim: Claim, number: int, offset: int) -> Item | None:
        """The job of a claim, to be sent again; None if its record is gone."""
        rank = RANK[claim.purpose]
        topic = self._config.topics.jobs[rank]
        consumer = Consumer(self._reader_config)
        try:
            consumer.assign([TopicPartition(topic, number, offset)])
            until = time.monotonic() + _ONE_RECORD_S
            while time.monotonic() < until:
                message = consumer.poll(_POLL_S)
                if message is not None:
                    break
            else:
                return None
            if message.error() is not None or message.offset() != offset:
                return None
            job = decode_job(message.key(), message.value(), channel=self._config.adapter.channel)
        except UnreadableRecord:
            return None
        finally:
            consumer.close()
        return Item(job, topic, number, offset, rank, resent=claim.resent, bound=claim.provider)
