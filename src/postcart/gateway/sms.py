"""What comes back about text messages becomes records: answers of people, and what became of messages.

Owns: what a STOP, a START and a status bring about. Must not: do I/O, read a clock, verify, or hold a number.

STOP suppresses the number for everything, and takes back the consent of whoever has it. START lifts that; it confirms
reminders only for those who had agreed to them in the shop: that is the double opt-in, from the number itself.
"""

from collections.abc import Callable, Mapping
from typing import Final, Literal, NamedTuple
from uuid import UUID

from postcart.adapters.providers.twilio_errors import FATES
from postcart.content.phones import normal_phone
from postcart.content.sms_replies import Reply
from postcart.domain.sms_words import said
from postcart.events.consents import ConsentRecorded
from postcart.events.ids import uuid5
from postcart.events.jobs import DeliveryReport, ReportKind
from postcart.events.suppressions import Suppressed
from postcart.events.times import iso
from postcart.gateway.phone_book import Holder

Result = Literal["stop", "start", "help", "report", "nothing"]

_LIFTED: Final = frozenset({"stop", "soft", "hard"})
"""Who writes from a number has it: neither STOP nor a failure keeps it suppressed after START."""
_FAILED: Final = frozenset({"failed", "undelivered"})
_TOLD: Final = frozenset({"delivered", "read"})


class Known(NamedTuple):
    """What is known of the number that wrote."""

    contact_id: str
    suppressed: str | None
    holders: tuple[Holder, ...]


class Brought(NamedTuple):
    """What a callback brings.

    Attributes:
        lifted: Opaque id of a number whose suppression ends.
        reply: What to answer, in the language of ``language``; None: nothing, there was an answer already.
    """

    result: Result
    suppressed: Suppressed | None = None
    lifted: str | None = None
    consents: tuple[ConsentRecorded, ...] = ()
    report: DeliveryReport | None = None
    reply: Reply | None = None
    language: str | None = None


NOTHING: Final = Brought("nothing")


def read_incoming(form: Mapping[str, str], known: Callable[[str], Known], *, source: str, now_ms: int) -> Brought:
    """A message of a person.

    Args:
        form: As the provider posts it.
        known: From a number in E.164 to what is known of it.
        source: The provider's name, for the evidence.
        now_ms: When it came.
    """
    word, number = said(form.get("Body", "")), form.get("From", "")
    if word is None or not number:
        return NOTHING
    of = known(normal_phone(number, None))
    evidence = f"text message {word.word.upper()} to {source} {form.get('MessageSid', '')}, received {iso(now_ms)}"
    answered = bool(form.get("OptOutType"))  # the provider has recognised the word, and replied
    language = next((holder.locale for holder in of.holders if holder.locale), None) or word.language
    if word.word == "help":
        return Brought("help", reply=None if answered else "help", language=language)
    brought = _stopped(of, evidence, now_ms) if word.word == "stop" else _started(of, evidence, now_ms)
    return brought._replace(reply=None if answered else brought.reply, language=language)


def read_status(form: Mapping[str, str], query: Mapping[str, str], *, source: str, now_ms: int) -> Brought:
    """What became of a message; ids of job and person are in the URL that the message named, signed with it."""
    job_id, person_id, status = query.get("job", ""), query.get("person", ""), form.get("MessageStatus", "")
    if not _is_id(job_id) or not person_id or status not in _FAILED | _TOLD:
        return NOTHING
    kind: ReportKind = "delivered"
    code = "2.1.5"  # delivered (RFC 3464 has no better one)
    if status in _FAILED:
        told = form.get("ErrorCode", "")
        kind, enhanced = FATES.get(int(told), ("other", "")) if told.isascii() and told.isdigit() else ("other", "")
        code = " ".join(part for part in (told, enhanced) if part)
    report = DeliveryReport(
        report_id=uuid5(UUID(job_id), f"report/{kind}/{code}"),
        job_id=job_id,
        person_id=person_id,
        channel="sms",
        kind=kind,
        at_ms=now_ms,
        source=source,
        status=code or None,
    )
    return Brought("report", report=report)


def _stopped(of: Known, evidence: str, now_ms: int) -> Brought:
    """One confirmation: who says STOP again hears nothing more (47 CFR 64.1200(a)(12))."""
    return Brought(
        "stop",
        suppressed=Suppressed(contact_id=of.contact_id, channel="sms", reason="stop", at_ms=now_ms),
        consents=tuple(_consent(holder, evidence, now_ms, given=False) for holder in of.holders),
        reply=None if of.suppressed == "stop" else "stop",
    )


def _started(of: Known, evidence: str, now_ms: int) -> Brought:
    confirmed = tuple(_consent(holder, evidence, now_ms, given=True) for holder in of.holders if holder.unconfirmed)
    lifts = of.suppressed in _LIFTED
    return Brought(
        "start",
        lifted=of.contact_id if lifts else None,
        consents=confirmed,
        reply="confirmed" if confirmed else "start" if lifts else None,
    )


def _consent(holder: Holder, evidence: str, now_ms: int, *, given: bool) -> ConsentRecorded:
    return ConsentRecorded(
        person_id=holder.person_id,
        channel="sms",
        purpose="marketing",
        given=given,
        at_ms=now_ms,
        evidence=evidence,
        double_opt_in=given,
    )


def _is_id(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
