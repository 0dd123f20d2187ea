"""What became of jobs, by the topics of claims and receipts as they are now.

Owns: reading these two for certain jobs, again and again from where it stopped. Must not: judge (domain.revisions).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from postcart.adapters.dead_letters.index import LetterIndex
from postcart.adapters.dead_letters.scanning import Scan, Starts
from postcart.codecs.refusal import UNREADABLE
from postcart.domain.revisions import Standing, after_claim, after_receipt
from postcart.events.jobs import Claim, Job, Receipt, ReceiptRecord
from postcart.events.times import DAY_MS

_claim: Final = msgspec.json.Decoder(Claim).decode
_receipt: Final[msgspec.json.Decoder[ReceiptRecord]] = msgspec.json.Decoder(ReceiptRecord)


@dataclass(frozen=True, slots=True)
class JobTopics:
    """Where the words about jobs are.

    Attributes:
        claims: Topic of jobs → topic of its channel's claims.
        receipts: Of all channels.
    """

    claims: Mapping[str, str]
    receipts: str


class Standings:
    """Follows the jobs that an index wants.

    Args:
        client: librdkafka's properties of a client.
        topics: Where to read.
        index: Keeps the standings.
    """

    def __init__(self, client: Mapping[str, Any], topics: JobTopics, index: LetterIndex) -> None:
        self._client, self._topics, self._index = client, topics, index
        self._read: dict[str, Starts] = {}
        self._since_ms: int | None = None

    def want(self, job: Job) -> None:
        """From now on the job's standing is known, after the next ``refresh``."""
        # Nothing is said of a job before it exists; a day for clocks that differ.
        since_ms = max(0, job.armed_ms - DAY_MS)
        self._since_ms = since_ms if self._since_ms is None else min(since_ms, self._since_ms)
        self._index.want_job(job.job_id)

    def refresh(self) -> None:
        """Read what has been written since the last time.

        Raises:
            BrokerUnavailable: Kafka can't be read.
            TopologyError: One of the topics is missing.
        """
        if self._since_ms is None:
            return
        for topic in sorted(set(self._topics.claims.values())):
            self._scan(topic, self._take_claim)
        self._scan(self._topics.receipts, self._take_receipt)

    def of(self, job_id: str) -> Standing:
        """The job's standing, as of the last ``refresh``."""
        return self._index.standing(job_id) or "unheard"

    def _scan(self, topic: str, take: Any) -> None:
        starts = self._read.get(topic)
        scan = Scan(self._client, topic, starts=starts, since_ms=self._since_ms if starts is None else None)
        for message in scan:
            value = message.value()
            if value:
                take(message.key(), value)
        self._read[topic] = scan.ends

    def _take_claim(self, key: bytes | None, value: bytes) -> None:
        standing = self._index.standing(key.decode("utf-8", "replace")) if key else None
        if standing is None:
            return
        try:
            claim = _claim(value)
        except UNREADABLE:
            return
        self._index.set_standing(claim.job_id, after_claim(standing, claim))

    def _take_receipt(self, _key: bytes | None, value: bytes) -> None:
        try:
            receipt = _receipt.decode(value)
        except UNREADABLE:
            return
        if not isinstance(receipt, Receipt):
            return
        standing = self._index.standing(receipt.job_id)
        if standing is not None:
            self._index.set_standing(receipt.job_id, after_receipt(standing, receipt))
