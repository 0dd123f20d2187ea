"""Contact points that are to get no messages any more, by what came back from them.

Owns: which receipt and which report suppresses, at once or after how many. Must not: read mails, or look at what is
due: senders hold the suppressions against each job.

A contact point is suppressed, not a person: by the id of the one that the message went to, so that an address which was
changed meanwhile is not punished for its predecessor.
"""

import re
from typing import Final

from postcart.domain.journey.mailing import Mailing, remember, soft_in_a_row
from postcart.domain.journey.outcome import Decided
from postcart.domain.journey.person import Person
from postcart.events.jobs import DeliveryReport, Receipt
from postcart.events.suppressions import Suppressed, SuppressionReason

SOFT_MOST: Final = 5
_EARLY_MOST: Final = 20
_KNOWN_MOST: Final = 10
_RANK: Final[dict[SuppressionReason, int]] = {"complaint": 0, "soft": 1, "stop": 2, "manual": 2, "hard": 2}

_NO_SUCH_RECIPIENT = re.compile(r"(?<![\d.])5\.(?:1\.(?!(?:7|8)\b)\d{1,3}|2\.1)\b")
"""The recipient does not exist, or no more (RFC 3463): all of 5.1 but what is about the sender's address; disabled."""
_SENDERS_FAULT = re.compile(r"(?<![\d.])5\.1\.[78]\b")
"""Bad sender's address: nothing about the recipient, and all recipients of a provider would be lost with it."""


def receipt_came(person: Person, receipt: Receipt, out: Decided) -> None:
    """Remember where a message went; suppress if the provider knows no such recipient. Idempotent."""
    for gone in receipt.gone:
        dead = Mailing(contact_id=gone, channel=receipt.channel, at_ms=receipt.at_ms, accepted=False, fate="failed")
        _suppress(person, dead, "hard", receipt, out)
    if receipt.contact_id is None:
        return
    known = person.mailed.get(receipt.job_id)
    if receipt.outcome in {"accepted", "uncertain"}:
        accepted = receipt.outcome == "accepted"
        if known is not None:
            known.accepted = known.accepted or accepted
            return
        mailing = Mailing(
            contact_id=receipt.contact_id, channel=receipt.channel, at_ms=receipt.at_ms, accepted=accepted
        )
        remember(person.mailed, receipt.job_id, mailing)
        _catch_up(person, receipt.job_id, out)
    elif receipt.outcome == "rejected" and known is None and _NO_SUCH_RECIPIENT.search(receipt.status or ""):
        mailing = Mailing(
            contact_id=receipt.contact_id, channel=receipt.channel, at_ms=receipt.at_ms, accepted=False, fate="failed"
        )
        remember(person.mailed, receipt.job_id, mailing)
        _suppress(person, mailing, "hard", receipt, out)


def report_came(person: Person, report: DeliveryReport, out: Decided) -> bool:
    """Take in what came back after a message went out. Idempotent: a report that comes again changes nothing.

    A report may be faster than the receipt of its job: then it waits for it.

    Returns:
        Whether the job is known. What belongs to none changes nothing.
    """
    mailing = person.mailed.get(report.job_id)
    if mailing is not None:
        _take_in(person, mailing, report, out)
        return True
    if report.job_id not in person.outstanding:
        return False
    if all(report.report_id != early.report_id for early in person.early) and len(person.early) < _EARLY_MOST:
        person.early.append(report)
    return True


def _catch_up(person: Person, job_id: str, out: Decided) -> None:
    """The receipt is there: reports that waited for it count, and those of jobs that ended without one are dropped."""
    waiting, person.early = person.early, []
    for report in waiting:
        if report.job_id == job_id:
            _take_in(person, person.mailed[job_id], report, out)
        elif report.job_id in person.outstanding:
            person.early.append(report)


def _take_in(person: Person, mailing: Mailing, report: DeliveryReport, out: Decided) -> None:
    kind = report.kind
    if kind == "complaint" and not mailing.complained:
        mailing.complained = True
        _suppress(person, mailing, "complaint", report, out)
    elif kind == "hard" and mailing.fate != "failed":
        mailing.fate = "failed"
        if not _SENDERS_FAULT.search(report.status or ""):
            _suppress(person, mailing, "hard", report, out)
    elif kind == "delivered" and mailing.fate in {"open", "soft"}:
        mailing.fate = "delivered"
    elif kind == "soft" and mailing.fate == "open":
        mailing.fate = "soft"
        row = soft_in_a_row(person.mailed, like=mailing, now_ms=report.at_ms)
        if len(row) >= SOFT_MOST:
            for item in row:
                item.fate = "counted"
            _suppress(person, mailing, "soft", report, out)


def _suppress(
    person: Person, mailing: Mailing, reason: SuppressionReason, because: Receipt | DeliveryReport, out: Decided
) -> None:
    """Write it down, never weaker than before: of a key only the last record stays."""
    place = f"{mailing.channel}:{mailing.contact_id}"
    known = person.suppressed.pop(place, reason)
    if _RANK[known] > _RANK[reason]:
        reason = known
    person.suppressed[place] = reason
    if len(person.suppressed) > _KNOWN_MOST:
        del person.suppressed[next(iter(person.suppressed))]
    out.suppressed.append(
        Suppressed(
            contact_id=mailing.contact_id,
            channel=mailing.channel,
            reason=reason,
            at_ms=because.at_ms,
            job_id=because.job_id,
            status=because.status,
        )
    )
