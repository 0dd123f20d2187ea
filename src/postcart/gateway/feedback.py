"""A mail that came in becomes records: reports on jobs, and consent taken back.

Owns: whom such a mail is for, whether its token is authentic, and what it brings. Must not: do I/O, read a clock, show
an address, or take anybody's word without a token.

Bounces come to the envelope sender of the mail that they are about, complaints to the address of the feedback loop,
opt-outs to the one in List-Unsubscribe. Only what carries a token of ours counts: of the envelope sender, wherever the
report quotes it, or of the unsubscribe link, in the subject.
"""

import re
from collections.abc import Iterable
from email.utils import parsedate_to_datetime
from typing import Final, Literal, NamedTuple, get_args
from uuid import UUID

from postcart.codecs.bounces import Kind, Told, parse_mail, read_bounce
from postcart.codecs.bounces.parts import Mail, readable
from postcart.content.addresses import redact
from postcart.content.tokens import EnvelopeSenders, OptOut, Sent, UnsubscribeLinks
from postcart.events.consents import ConsentRecorded
from postcart.events.ids import uuid5
from postcart.events.jobs import DeliveryReport, Purpose
from postcart.events.times import DAY_MS, iso, to_ms

Result = Literal["report", "opt_out", "unmatched", "nothing"]
"""Closed: a report on a job, an opt-out, a token that is missing or not authentic, or a mail that says nothing."""

RESULTS: Final[tuple[Result, ...]] = get_args(Result)

_SEARCHED: Final = 1_000_000
_DETAIL_MOST: Final = 200
_OLDEST_MS: Final = 30 * DAY_MS
_HEAD_TO: Final = ("delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "x-rcpt-to", "to")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{40,400}")
_ADDRESS = re.compile(r"[^\s<>,;\"]{1,64}@[^\s<>,;\"]{1,255}")
_SOURCES: Final = {"dsn": "dsn", "arf": "arf", "text": "notice", "none": "notice"}
_WORST: Final[tuple[Kind, ...]] = ("complaint", "hard", "policy", "soft", "delivered", "other")


class Brought(NamedTuple):
    """What a mail brings: at most one record, and why there is none."""

    result: Result
    report: DeliveryReport | None = None
    consent: ConsentRecorded | None = None


class FeedbackReader:
    """Reads mails that came back. Pure: the same mail at the same time brings the same.

    Args:
        envelope: Reads envelope senders.
        links: Reads unsubscribe tokens.
        unsubscribe: The address in List-Unsubscribe.
        complaints: The address that feedback loops report to, if there is one.
    """

    def __init__(
        self, envelope: EnvelopeSenders, links: UnsubscribeLinks, *, unsubscribe: str, complaints: str | None = None
    ) -> None:
        self._envelope = envelope
        self._links = links
        self._unsubscribe = unsubscribe.lower()
        self._complaints = complaints.lower() if complaints else None

    def accepts(self, recipient: str) -> bool:
        """Whether mail to this address is for us: an authentic envelope sender, or one of the two fixed addresses."""
        address = recipient.strip().lower()
        return address in {self._unsubscribe, self._complaints} or self._envelope.read(address) is not None

    def read(self, data: bytes, *, recipient: str | None = None, now_ms: int) -> Brought:
        """What a mail brings.

        Args:
            data: The mail.
            recipient: To whom it came, by the envelope; None where that is not known, as in a mailbox: then its header
                and what it quotes are searched.
            now_ms: When it came, on the worker's clock.
        """
        mail = parse_mail(data)
        recipients = [recipient.strip()] if recipient else list(_recipients(mail))
        if any(one.lower() == self._unsubscribe for one in recipients):
            return self._opt_out(mail, now_ms)
        named = (sent for one in recipients if (sent := self._envelope.read(one)))
        sent = next(named, None) or self._envelope.mentioned(data[:_SEARCHED])
        told = min(read_bounce(data), key=lambda one: _WORST.index(one.kind))
        if told.kind == "other":
            return Brought("nothing")
        if sent is None or sent.person_id is None:
            return Brought("unmatched")
        return Brought("report", report=_report(sent, sent.person_id, told, _when(mail, now_ms)))

    def _opt_out(self, mail: Mail, now_ms: int) -> Brought:
        """The subject holds the token: mail programs take it from the link, and may fold, encode or answer it."""
        subject = readable(mail.fields.get("subject"))
        for token in _TOKEN.findall(subject):
            opt_out = self._links.read(token)
            if opt_out is not None:
                return Brought("opt_out", consent=_taken_back(opt_out, now_ms))
        return Brought("unmatched")


def _report(sent: Sent, person_id: str, told: Told, at_ms: int) -> DeliveryReport:
    """The report's id is made of the job and what is said of it: however often that is told, it is one report."""
    source = _SOURCES[told.source]
    addresses = (told.recipient,) if told.recipient else ()
    return DeliveryReport(
        report_id=uuid5(UUID(sent.job_id), f"report/{told.kind}/{told.status or ''}"),
        job_id=sent.job_id,
        person_id=person_id,
        channel="email",
        kind=told.kind,
        at_ms=at_ms,
        source=source,
        status=told.status,
        detail=redact(told.detail, *addresses)[:_DETAIL_MOST] or None,
    )


def _taken_back(opt_out: OptOut, now_ms: int) -> ConsentRecorded:
    purpose: Purpose = opt_out.purpose  # type: ignore[assignment]  # signed by us: it is one of the set
    return ConsentRecorded(
        person_id=opt_out.person_id,
        channel=opt_out.channel,
        purpose=purpose,
        given=False,
        at_ms=now_ms,
        evidence=f"mail to the List-Unsubscribe address, with the token of a mail; received {iso(now_ms)}",
    )


def _recipients(mail: Mail) -> Iterable[str]:
    for name in _HEAD_TO:
        for value in mail.fields.all(name):
            yield from _ADDRESS.findall(value[:2_000])


def _when(mail: Mail, now_ms: int) -> int:
    """When the mail was written, as far as that can be: a mailbox may be read long afterwards."""
    try:
        written = parsedate_to_datetime(mail.fields.get("date"))
        at_ms = to_ms(written) if written.tzinfo else now_ms
    except (ValueError, TypeError, IndexError, OverflowError):  # what the library raises on dates that are none
        return now_ms
    return min(at_ms, now_ms) if at_ms >= now_ms - _OLDEST_MS else now_ms
