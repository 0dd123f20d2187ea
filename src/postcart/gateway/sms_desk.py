"""Where callbacks about text messages are dealt with: read, written to Kafka, answered.

Owns: that order: a callback is dealt with once the broker has what it brought. Must not: judge it (sms does), or know
how it came.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import msgspec
import structlog

from postcart.adapters.record_log import LogRecord, RecordLog
from postcart.content.sms_replies import SmsReplies
from postcart.events.suppressions import suppression_key
from postcart.gateway.records import consent_record, report_record
from postcart.gateway.sms import Brought, Known, read_incoming, read_status

log = structlog.get_logger(__name__)


class SmsMetrics(Protocol):
    """What is counted (metrics.gateway)."""

    def webhook(self, source: str, result: str) -> None:
        """A callback was dealt with or refused."""
        ...

    def reported(self, channel: str, provider: str, kind: str) -> None:
        """A report is on its topic."""
        ...


@dataclass(frozen=True, kw_only=True)
class SmsDesk:
    """Deals with callbacks; from any number of threads at a time. Idempotent: the same one brings the same once more.

    Attributes:
        receipts: Topic of reports; ``consents``: of consent; ``suppressions``: of numbers that get nothing.
        known: From a number to what is known of it.
        replies: Renders answers; None: none is given.
        now_ms: The worker's clock.
    """

    records: RecordLog
    receipts: str
    consents: str
    suppressions: str
    known: Callable[[str], Known]
    replies: SmsReplies | None
    now_ms: Callable[[], int]
    metrics: SmsMetrics

    def incoming(self, form: Mapping[str, str], *, source: str) -> str | None:
        """A message of a person; returns what to answer.

        Raises:
            BrokerUnavailable: The broker does not have it: come again.
        """
        brought = read_incoming(form, self.known, source=source, now_ms=self.now_ms())
        self._write(brought, source)
        if brought.reply is None or self.replies is None:
            return None
        return self.replies.text(brought.reply, brought.language)

    def status(self, form: Mapping[str, str], query: Mapping[str, str], *, source: str) -> None:
        """What became of a message. Raises as ``incoming``."""
        self._write(read_status(form, query, source=source, now_ms=self.now_ms()), source)

    def _write(self, brought: Brought, source: str) -> None:
        self.records.append(self._records(brought))
        self.metrics.webhook(source, brought.result)
        report = brought.report
        if report is not None:
            self.metrics.reported("sms", source, report.kind)
        if brought.result != "nothing":
            log.info(
                "sms_callback",
                result=brought.result,
                persons=len(brought.consents),
                kind=report.kind if report else None,
                status=report.status if report else None,
                job=report.job_id if report else None,
            )

    def _records(self, brought: Brought) -> list[LogRecord]:
        found: list[LogRecord] = []
        if (one := brought.suppressed) is not None:
            key = suppression_key(one.channel, one.contact_id)
            found.append(LogRecord(self.suppressions, key=key, value=msgspec.json.encode(one), partition_key=key))
        if brought.lifted is not None:
            key = suppression_key("sms", brought.lifted)
            found.append(LogRecord(self.suppressions, key=key, value=None, partition_key=key))
        found += [consent_record(self.consents, consent) for consent in brought.consents]
        if brought.report is not None:
            found.append(report_record(self.receipts, brought.report))
        return found
