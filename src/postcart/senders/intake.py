"""Takes jobs in from the polling thread.

Owns: decoding, dead letters for what can't be read, dropping repeats. Must not: judge or claim.
"""

import structlog
from confluent_kafka import Message

from postcart.adapters.rdkafka.batch import RecordBatch
from postcart.adapters.rdkafka.poller import Poller
from postcart.adapters.rdkafka.transaction import Record
from postcart.errors import UnreadableRecord
from postcart.events.jobs import Job
from postcart.senders.config import SenderConfig
from postcart.senders.dead import unreadable_job
from postcart.senders.desk import Desk
from postcart.senders.item import Item
from postcart.senders.records import RANK, decode_job
from postcart.senders.state import SenderState
from postcart.senders.throttle import Throttle

log = structlog.get_logger(__name__)


class Intake:
    """Reads on while there is room.

    Args:
        config: Of the sender.
        state: Shared with the other parts.
        poller: Hands batches over.
        throttle: Asked after each batch.
    """

    def __init__(self, config: SenderConfig, state: SenderState, *, poller: Poller, throttle: Throttle) -> None:
        self._config = config
        self._state = state
        self._poller = poller
        self._throttle = throttle

    async def run(self) -> None:
        """Take batches in until cancelled."""
        while True:
            batch = await self._poller.handover.take()
            desk = self._state.desks.get(batch.partition)
            if desk is not None and not desk.leaving:
                self.take(desk, batch)
                self._throttle.regulate(desk)
                self._state.wake.set()

    def take(self, desk: Desk, batch: RecordBatch) -> None:
        """Put a batch's jobs in line. One that does not follow on the last is passed over or read again."""
        positions = desk.positions[batch.topic]
        if batch.start > positions.next:
            self._poller.start_at({(batch.topic, batch.partition): positions.next})
            return
        records = [record for record in batch.records if _offset(record) >= positions.next]
        repeated = 0
        for record in records:
            try:
                job = decode_job(record.key(), record.value(), channel=self._config.adapter.channel)
                self._check_purpose(job, batch.topic)
            except UnreadableRecord as error:
                self._bury(record, error)
                continue
            if _offset(record) in positions:
                continue  # an earlier owner's job, in line since its claim was found unanswered
            if desk.book.standing(job.job_id, job.attempt, job.revision) in {"free", "early"}:
                self._put_in_line(desk, job, batch.topic, _offset(record))
            else:
                repeated += 1
        positions.move(batch.next)
        purpose = self._config.topics.purpose_of(batch.topic)
        self._config.metrics.jobs_received(purpose, len(records))
        if repeated:
            self._config.metrics.jobs_repeated(purpose, repeated)

    def _check_purpose(self, job: Job, topic: str) -> None:
        if job.purpose != self._config.topics.purpose_of(topic):
            raise UnreadableRecord("invalid", f"a {job.purpose} job in {topic}")

    def _put_in_line(self, desk: Desk, job: Job, topic: str, offset: int) -> None:
        desk.positions[topic].hold(offset)
        item = Item(job, topic, desk.number, offset, RANK[job.purpose], resent=desk.book.resent(job.job_id))
        item.bound = desk.book.bound(job.job_id)
        item.since_ms = desk.book.deferred_since_ms(job.job_id)
        self._state.scheduler.add(item)

    def _bury(self, record: Message, error: UnreadableRecord) -> None:
        letter: Record = unreadable_job(
            record, error, stage=self._config.adapter.channel, topic=self._config.topics.dead
        )
        self._state.dead.append(letter)
        self._config.metrics.dead_letter(self._config.topics.purpose_of(record.topic() or ""), error.reason)
        log.warning("job_unreadable", reason=error.reason, topic=record.topic(), partition=record.partition())


def _offset(record: Message) -> int:
    offset = record.offset()
    return -1 if offset is None else offset
