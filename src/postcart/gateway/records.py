"""Records that several intakes write: reports about messages, and consent.

Owns: their keys and places. Must not: write them.
"""

import msgspec

from postcart.adapters.record_log import LogRecord
from postcart.events.consents import ConsentRecorded
from postcart.events.jobs import DeliveryReport


def report_record(topic: str, report: DeliveryReport) -> LogRecord:
    """A report, at its person's place."""
    person = report.person_id.encode()
    return LogRecord(topic, key=person, value=msgspec.json.encode(report), partition_key=person)


def consent_record(topic: str, consent: ConsentRecorded) -> LogRecord:
    """A consent: the topic is compacted by its key, but it lies at its person's place, as all that JOURNEY reads."""
    key = f"{consent.person_id}/{consent.channel}/{consent.purpose}".encode()
    return LogRecord(topic, key=key, value=msgspec.json.encode(consent), partition_key=consent.person_id.encode())
