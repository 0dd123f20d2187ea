"""Where returned mails are dealt with: read, written to Kafka, counted, told.

Owns: that order: a mail is dealt with once the broker has what it brought. Must not: judge a mail (feedback does), or
know how it came.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import structlog

from postcart.adapters.record_log import LogRecord, RecordLog
from postcart.gateway.feedback import Brought, FeedbackReader, Result
from postcart.gateway.records import consent_record, report_record

log = structlog.get_logger(__name__)

Source = Literal["smtp", "mailbox"]


class FeedbackMetrics(Protocol):
    """What is counted (metrics.feedback)."""

    def received(self, source: str, result: str) -> None:
        """A mail was dealt with or refused."""
        ...

    def reported(self, channel: str, provider: str, kind: str) -> None:
        """A report is on its topic."""
        ...


@dataclass(frozen=True, kw_only=True)
class FeedbackDesk:
    """Deals with mails, one at a time per thread.

    Attributes:
        receipts: Topic of reports; ``consents``: of consent.
        now_ms: The worker's clock.
    """

    reader: FeedbackReader
    records: RecordLog
    receipts: str
    consents: str
    now_ms: Callable[[], int]
    metrics: FeedbackMetrics

    def take(self, data: bytes, *, recipient: str | None = None, source: Source) -> Result:
        """Read a mail and write what it brings. Idempotent: the same mail brings the same report once more.

        Raises:
            BrokerUnavailable: The broker does not have it: come again.
        """
        brought = self.reader.read(data, recipient=recipient, now_ms=self.now_ms())
        self.records.append(self._records(brought))
        self.metrics.received(source, brought.result)
        report = brought.report
        if report is not None:
            self.metrics.reported(report.channel, report.source, report.kind)
        log.info(
            "feedback",
            result=brought.result,
            kind=report.kind if report else None,
            status=report.status if report else None,
            job=report.job_id if report else None,
        )
        return brought.result

    def _records(self, brought: Brought) -> list[LogRecord]:
        found: list[LogRecord] = []
        if brought.report is not None:
            found.append(report_record(self.receipts, brought.report))
        if brought.consent is not None:
            found.append(consent_record(self.consents, brought.consent))
        return found
