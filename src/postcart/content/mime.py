"""A message's bytes.

Owns: headers, parts, encodings and their determinism. Must not: sign, send, or render.

The same content, job and date give the same bytes: the boundary comes from the job's id. Both parts are
quoted-printable: 7-bit clean, so that no server on the way recodes them, which would break the signature.
"""

import re
from dataclasses import dataclass
from email.headerregistry import Address
from email.policy import SMTP
from email.utils import format_datetime
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

from postcart.content.quoted import Quoted
from postcart.content.templates import Content
from postcart.errors import RenderError
from postcart.events.times import from_ms

# With the default policy Python encodes a long List-Unsubscribe URI as RFC 2047 and breaks it.
_POLICY = SMTP.clone(max_line_length=998)

_END = Quoted.plain(b"--\r\n")

_PLAIN = re.compile(r"(?!.*=\?)[\x20-\x7e]{1,900}")
"""Text that stands in a header as it is; everything else goes through the email package, which encodes or refuses."""


_PLAIN_NAME = re.compile(r"[A-Za-z0-9'-]{1,40}(?: [A-Za-z0-9'-]{1,40}){0,5}")
_PLAIN_ADDRESS = re.compile(r"[A-Za-z0-9+_-]+(?:\.[A-Za-z0-9+_-]+)*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
"""What needs neither quotes nor encoding; the way through the email package costs a fifth of a whole mail."""


@dataclass(frozen=True, kw_only=True)
class Heads:
    """What the headers say.

    Attributes:
        message_id: With angle brackets, fixed over retries.
        date_ms: The one Date.
        unsubscribe: The HTTPS and the mailto address of the opt-out; None for what can't be opted out of.
        feedback_id: RFC-less, Google's: up to four parts divided by colons.
    """

    message_id: str
    date_ms: int
    from_name: str
    from_address: str
    to_name: str
    to_address: str
    reply_to: str | None
    language: str
    feedback_id: str
    unsubscribe: tuple[str, str] | None


class Message(NamedTuple):
    """A whole message with CRLF line ends, ready to be signed, and the canonical form of its body (relaxed, DKIM)."""

    data: bytes
    relaxed_body: bytes


def build_message(content: Content, heads: Heads) -> Message:
    """The message of a content.

    Raises:
        RenderError: A header can't be written, for example because of a line break in an address.
    """
    boundary = _boundary(heads.message_id)
    try:
        fields = [*_fields(content.subject, heads), _field("MIME-Version", "1.0")]
        fields.append(_field("Content-Type", f'multipart/alternative; boundary="{boundary}"'))
    except (ValueError, IndexError) as error:
        # The address itself must not show up in an error.
        raise RenderError(f"a header can't be written: {type(error).__name__}") from None
    divider = Quoted.plain(f"\r\n--{boundary}".encode())
    text, html = (
        Quoted.joined([_part_head(kind, heads.language), part])
        for kind, part in (("plain", Quoted.of(content.text)), ("html", content.page.quoted))
    )
    body = Quoted.joined([divider, text, divider, html, divider, _END])
    return Message(b"".join((*fields, b"\r\n", body.data)), body.relaxed)


def _fields(subject: str, heads: Heads) -> list[bytes]:
    fields = [
        _field("Date", format_datetime(from_ms(heads.date_ms))),
        _field("Message-ID", heads.message_id),
        _own_mailbox("From", heads.from_name, heads.from_address),
        _mailbox("To", heads.to_name, heads.to_address),
    ]
    if heads.reply_to:
        fields.append(_own_mailbox("Reply-To", "", heads.reply_to))
    fields.append(_field("Subject", subject))
    if heads.unsubscribe:
        link, mail = heads.unsubscribe
        fields.append(_field("List-Unsubscribe", f"<{link}>, <{mail}>"))
        fields.append(_field("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"))
    fields.append(_field("Auto-Submitted", "auto-generated"))
    fields.append(_field("Feedback-ID", heads.feedback_id))
    fields.append(_field("Content-Language", heads.language))
    return fields


def _field(name: str, value: str) -> bytes:
    if _PLAIN.fullmatch(value):
        return f"{name}: {value}\r\n".encode("ascii")
    return _POLICY.fold_binary(*_POLICY.header_store_parse(name, value))


def _mailbox(field: str, name: str, address: str) -> bytes:
    if _PLAIN_NAME.fullmatch(name) and _PLAIN_ADDRESS.fullmatch(address):
        return f"{field}: {name} <{address}>\r\n".encode("ascii")
    local, _, domain = address.rpartition("@")
    value = Address(display_name=name, username=local, domain=domain)
    return _POLICY.fold_binary(*_POLICY.header_store_parse(field, str(value)))


@lru_cache(maxsize=64)
def _own_mailbox(field: str, name: str, address: str) -> bytes:
    # The same in every mail, and slow to make.
    return _mailbox(field, name, address)


@lru_cache(maxsize=256)
def _part_head(subtype: str, language: str) -> Quoted:
    head = (
        f'\r\nContent-Type: text/{subtype}; charset="utf-8"\r\nContent-Language: {language}\r\n'
        "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    )
    return Quoted.plain(head.encode("ascii"))


def _boundary(message_id: str) -> str:
    # "=_" can't occur in quoted-printable text.
    return f"=_{sha256(message_id.encode()).hexdigest()[:32]}"
