"""Returned mails: delivery reports (RFC 3464), feedback reports (RFC 5965), and what servers write instead.

Owns: what a mail says of its recipients. Must not: do I/O, raise on any bytes, or decide what follows.
"""

from postcart.codecs.bounces.fallback import guessed
from postcart.codecs.bounces.notices import is_notice, notice_text, notification, read_notice
from postcart.codecs.bounces.parts import Mail, parse_mail
from postcart.codecs.bounces.reports import (
    DELIVERY,
    address_of,
    delivery_status,
    feedback_report,
    is_hotmail_complaint,
    loose_feedback,
    loose_status,
    returned_recipient,
)
from postcart.codecs.bounces.told import NOTHING, Kind, Source, Told

_PARTS = 5
"""Parts in which fields are looked for where nothing else says anything."""

__all__ = ["Kind", "Source", "Told", "parse_mail", "read_bounce"]


def read_bounce(data: bytes) -> list[Told]:
    """What a mail says, one entry per recipient told of; one of kind ``other`` if it says nothing.

    Reports win over words. Never raises; time is linear in the size, and only so much of a mail is looked at.
    """
    mail = parse_mail(data)
    return feedback_report(mail) or _delivery(mail) or _loose(mail, data) or [NOTHING]


def _delivery(mail: Mail) -> list[Told]:
    found = delivery_status(mail)
    if found and all(told.recipient is None for told in found):
        named = address_of(mail.fields.get("x-failed-recipients")) or returned_recipient(mail)
        found = [told._replace(recipient=named) for told in found]
    return found


def _loose(mail: Mail, data: bytes) -> list[Told]:
    """No report by its type: the same fields elsewhere, else what the words say."""
    text = notice_text(mail)
    if is_hotmail_complaint(mail):
        return [Told("complaint", returned_recipient(mail), None, "feedback: junk mail report", "arf")]
    found = loose_feedback(text) or notification(text)
    if found or not is_notice(mail, text):
        return found
    found = loose_status(text) or read_notice(mail, text)
    if any(told.kind != "other" for told in found):
        return found
    whole = "\n".join(part.text for part in mail.parts[:_PARTS])
    return loose_status(whole) or _guessed(mail, data) or found


def _guessed(mail: Mail, data: bytes) -> list[Told]:
    return [] if mail.of_type(*DELIVERY) else guessed(data)
