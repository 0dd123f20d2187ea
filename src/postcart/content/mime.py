"""A message's bytes.

Owns: headers, parts, encodings and their determinism. Must not: sign, send, or render.

The same content, job and date give the same bytes: the boundary comes from the job's id. Both parts are
quoted-printable: 7-bit clean, so that no server on the way recodes them, which would break the signature.
"""

from binascii import b2a_qp
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage, MIMEPart
from email.policy import SMTP
from email.utils import format_datetime
from hashlib import sha256

from postcart.content.templates import Content
from postcart.errors import RenderError
from postcart.events.times import from_ms

# With the default policy Python encodes a long List-Unsubscribe URI as RFC 2047 and breaks it.
_POLICY = SMTP.clone(max_line_length=998)


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


def build_message(content: Content, heads: Heads) -> bytes:
    """The whole message with CRLF line ends, ready to be signed.

    Raises:
        RenderError: A header can't be written, for example because of a line break in an address.
    """
    message = EmailMessage(_POLICY)
    try:
        _write_heads(message, content.subject, heads)
    except (ValueError, IndexError) as error:
        # The address itself must not show up in an error.
        raise RenderError(f"a header can't be written: {type(error).__name__}") from None
    message["MIME-Version"] = "1.0"
    message["Content-Type"] = f'multipart/alternative; boundary="{_boundary(heads.message_id)}"'
    message.set_payload([_part("plain", content.text, heads.language), _part("html", content.html, heads.language)])
    return message.as_bytes()


def _write_heads(message: EmailMessage, subject: str, heads: Heads) -> None:
    message["Date"] = format_datetime(from_ms(heads.date_ms))
    message["Message-ID"] = heads.message_id
    message["From"] = _mailbox(heads.from_name, heads.from_address)
    message["To"] = _mailbox(heads.to_name, heads.to_address)
    if heads.reply_to:
        message["Reply-To"] = _mailbox("", heads.reply_to)
    message["Subject"] = subject
    if heads.unsubscribe:
        link, mail = heads.unsubscribe
        message["List-Unsubscribe"] = f"<{link}>, <{mail}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message["Auto-Submitted"] = "auto-generated"
    message["Feedback-ID"] = heads.feedback_id
    message["Content-Language"] = heads.language


def _mailbox(name: str, address: str) -> Address:
    local, _, domain = address.rpartition("@")
    return Address(display_name=name, username=local, domain=domain)


def _part(subtype: str, text: str, language: str) -> MIMEPart:
    part = MIMEPart(_POLICY)
    part["Content-Type"] = f'text/{subtype}; charset="utf-8"'
    part["Content-Language"] = language
    part["Content-Transfer-Encoding"] = "quoted-printable"
    lines = text.replace("\r\n", "\n").replace("\r", "\n").encode()
    part.set_payload(b2a_qp(lines).decode("ascii"))
    return part


def _boundary(message_id: str) -> str:
    # "=_" can't occur in quoted-printable text.
    return f"=_{sha256(message_id.encode()).hexdigest()[:32]}"
