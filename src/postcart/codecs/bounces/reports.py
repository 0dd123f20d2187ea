"""Reports for machines: delivery status (RFC 3464) and feedback (RFC 5965).

Owns: reading their fields. Must not: read what is meant for people (notices does).
"""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

from postcart.codecs.bounces.parts import Fields, Mail, Part, parse_fields
from postcart.codecs.bounces.phrases import judge_words
from postcart.codecs.bounces.told import DETAIL_MOST, Kind, Source, Status, Told, refined, statuses

DELIVERY: Final = ("message/delivery-status", "message/global-delivery-status")
FEEDBACK: Final = ("message/feedback-report",)

_RECIPIENTS_MOST: Final = 100
_ADDRESS_MOST: Final = 600
_REPORT_MOST: Final = 200_000
_ONCE: Final = frozenset({"original-recipient", "final-recipient", "action", "status"})
"""In a block of its own a second one of these begins another recipient."""
_REPEATS_NEVER: Final = frozenset({"final-recipient", "action", "status"})
"""A second one of these does, also without the blank line that should stand before it."""
_OF_RECIPIENT: Final = frozenset({"final-recipient", "original-recipient", "action", "status", "diagnostic-code"})
_NO_FAILURE: Final[dict[str, Kind]] = {"delivered": "delivered", "relayed": "other", "expanded": "other"}
_COMPLAINTS: Final = frozenset({"abuse", "fraud", "virus", "opt-out", "opt-out-list"})
"""``not-spam`` takes one back, ``auth-failure`` (RFC 6591) is about our own records, ``other`` says nothing."""
_BLANK = re.compile(r"\n[ \t]*\n")
_LETTER = r"[^\s\x00-\x1f\x7f-\x9f<>;,\"]"
_ADDRESS = re.compile(rf"{_LETTER}{{1,256}}@{_LETTER}{{1,256}}")
_SMTP_CODE = re.compile(r"(?<![\d.])([45]\d\d)(?![\d.])")


def delivery_status(mail: Mail) -> list[Told]:
    """What delivery-status parts say, a recipient each; empty if there are none that name a recipient or a fate."""
    told = (told for part in mail.of_type(*DELIVERY) for told in _told_by(part.text))
    return list(islice(told, _RECIPIENTS_MOST))


def loose_status(text: str) -> list[Told]:
    """The same fields found in a text that is no report by its type: broken MIME, or forwarded."""
    return list(islice((told for told in _told_by(text) if told.status), _RECIPIENTS_MOST))


def _told_by(text: str) -> Iterator[Told]:
    for fields in _recipients(text):
        told = _fate(fields)
        if told is not None:
            yield told


def _recipients(text: str) -> Iterator[Fields]:
    """The fields of each recipient. Some reports leave out blank lines, others put them in between."""
    current: list[tuple[str, str]] = []
    for block in _BLANK.split(text[:_REPORT_MOST]):
        if ":" not in block:
            continue
        items = [item for item in parse_fields(block).items if item[0] in _OF_RECIPIENT]
        names = {name for name, _ in current}
        if any(name in names for name, _ in items if name in _ONCE):
            yield Fields(tuple(current))
            current = []
        for item in items:
            if item[0] in _REPEATS_NEVER and any(item[0] == name for name, _ in current):
                yield Fields(tuple(current))
                current = []
            current.append(item)
    if current:
        yield Fields(tuple(current))


def _fate(fields: Fields) -> Told | None:
    action = fields.get("action").partition(" ")[0].rstrip(";").lower()
    diagnostic = fields.get("diagnostic-code")
    recipient = address_of(fields.get("final-recipient")) or address_of(fields.get("original-recipient"))
    codes = statuses(fields.get("status"))
    detail = diagnostic[:DETAIL_MOST]
    if not (action or codes or diagnostic):
        return None
    if action in _NO_FAILURE:
        return Told(_NO_FAILURE[action], recipient, str(codes[0]) if codes else None, detail, "dsn")
    if codes:
        status = refined(codes[0], diagnostic)
        kind: Kind = "soft" if action == "delayed" and status.kind == "policy" else status.kind
        return Told(kind, recipient, str(status), detail, "dsn")
    return _without_status(action, diagnostic, recipient)


def _without_status(action: str, diagnostic: str, recipient: str | None) -> Told:
    """A report that lacks the one field that matters: by its diagnostic text, else by its action."""
    source: Source = "dsn"
    codes, reply = statuses(diagnostic), _SMTP_CODE.search(diagnostic)
    if codes:
        return Told(codes[0].kind, recipient, str(codes[0]), diagnostic[:DETAIL_MOST], source)
    words = judge_words(diagnostic)
    if words is not None:
        return Told(words.kind, recipient, words.status, diagnostic[:DETAIL_MOST], source)
    if reply:
        kind: Kind = "soft" if reply[1][0] == "4" else "hard"
        return Told(kind, recipient, reply[1], diagnostic[:DETAIL_MOST], source)
    by_action: dict[str, Kind] = {"failed": "hard", "delayed": "soft", "expired": "soft"}
    return Told(by_action.get(action, "other"), recipient, None, diagnostic[:DETAIL_MOST], source)


def feedback_report(mail: Mail) -> list[Told]:
    """What feedback reports say: a complaint for each recipient that they name, or one without."""
    return [told for part in mail.of_type(*FEEDBACK) for told in _feedback(part, mail)]


def loose_feedback(text: str) -> list[Told]:
    """A feedback report whose part is not labelled as one."""
    fields = parse_fields(text)
    return _complaints(fields, None) if fields.get("feedback-type") else []


def _feedback(part: Part, mail: Mail) -> list[Told]:
    fields = parse_fields(part.text)
    return _complaints(fields, returned_recipient(mail))


def _complaints(fields: Fields, otherwise: str | None) -> list[Told]:
    kind_word = fields.get("feedback-type").partition(";")[0].strip().lower()
    kind: Kind = "complaint" if kind_word in _COMPLAINTS else "other"
    named = [address_of(value) for name in ("original-rcpt-to", "removal-recipient") for value in fields.all(name)]
    found: list[str | None] = list(dict.fromkeys(address for address in named if address)) or [otherwise]
    return [Told(kind, address, None, f"feedback: {kind_word}"[:DETAIL_MOST], "arf") for address in found]


def returned_recipient(mail: Mail) -> str | None:
    """To whom the returned message had gone, by its own header."""
    for part in mail.of_type("message/rfc822", "message/rfc822-headers", "text/rfc822-headers"):
        head = parse_fields(part.text.lstrip("\n").partition("\n\n")[0])
        for name in ("x-hmxmroriginalrecipient", "x-original-to", "delivered-to", "to"):
            if address := address_of(head.get(name)):
                return address
    return None


def is_hotmail_complaint(mail: Mail) -> bool:
    """Outlook's junk mail reporting returns the message alone, and says so in its subject."""
    subject = mail.fields.get("subject").lower()
    return "complaint about message from" in subject and bool(mail.of_type("message/rfc822"))


def address_of(value: str) -> str | None:
    """The address of ``rfc822; <a@b>``, or of any header's value; None where there is none."""
    value = value[:_ADDRESS_MOST]
    found = _ADDRESS.search(value.partition(";")[2] or value) or _ADDRESS.search(value)
    return found[0].strip("'()[].") if found else None


def best_status(text: str) -> Status | None:
    """Of the enhanced codes in a text the one that says most: a policy, then any that is not generic."""
    codes = [code for code in statuses(text) if code.klass != 2]  # noqa: PLR2004 -- RFC 3463's class of success
    policies = [code for code in codes if code.kind == "policy"]
    specific = [code for code in codes if not code.is_generic]
    return next(iter(policies or specific or codes), None)
