"""What an SMTP server's refusal means for the job and for the channel.

Owns: the map from stage and code to Postcart's errors. Must not: do I/O, or show an address.

A refusal of the login, of our own sender address or of the whole session is trouble of the channel: it must not use
up jobs. A refusal of the recipient or of the message is the job's.
"""

import re
from typing import Literal

from postcart.content.addresses import redact
from postcart.errors import (
    ChannelUnavailable,
    CredentialsRejected,
    DeliveryDeferred,
    DeliveryError,
    DeliveryUncertain,
    RecipientRejected,
)

Stage = Literal["connect", "auth", "mail", "rcpt", "data"]
"""Where the dialogue was when the answer came; ``data`` is DATA itself, the text, and the answer to the final dot."""

CREDENTIALS_HINT = "check POSTCART_SMTP__USERNAME and POSTCART_SMTP__PASSWORD"
TLS_HINT = "check POSTCART_SMTP__TLS"

_DETAIL_LENGTH = 200
_TEMPORARY = range(400, 500)
_FOR_GOOD = range(500, 600)
_SERVICE_CLOSES = 421
_AUTH_CODES = frozenset({454, 530, 534, 535, 538})  # RFC 4954, section 6
_SYNTAX_STATES = frozenset({502, 503})  # unknown command, bad sequence: the dialogue is broken, not the message
_TOO_BIG = 552
_ENHANCED = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})\b")
_RETRY = re.compile(
    r"\b(?:in|after|for|wait)\s+(\d{1,5})\s*(seconds?|secs?|s|minutes?|mins?|m|hours?|h)\b", re.IGNORECASE
)
_RETRY_CLOCK = re.compile(r"\b(\d{1,2}):(\d{2}):(\d{2})\b")
_UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000}
_LONGEST_RETRY_MS = 72 * 3_600_000
"""Longer than that a deferral counts as a block."""


def status_of(code: int, text: str) -> str:
    """The code with the enhanced one (RFC 3463) where there is one: ``550 5.1.1``."""
    found = _ENHANCED.match(text)
    return f"{code} {found[1]}" if found else str(code)


def detail_of(text: str, *addresses: str) -> str:
    """A server's text in one line, bounded, without addresses."""
    return redact(" ".join(text.split()), *addresses)[:_DETAIL_LENGTH]


def retry_after_ms(text: str) -> int | None:
    """How long a temporary refusal asks to wait, as greylisting servers word it; None where it does not say."""
    wait = None
    if found := _RETRY.search(text):
        wait = int(found[1]) * _UNITS_MS[found[2][0].lower()]
    elif clock := _RETRY_CLOCK.search(text):
        wait = (int(clock[1]) * 3600 + int(clock[2]) * 60 + int(clock[3])) * 1000
    return min(wait, _LONGEST_RETRY_MS) if wait else None


def refusal(code: int, text: str, stage: Stage, *addresses: str) -> DeliveryError:
    """The error for an answer that is not success.

    Args:
        code: The SMTP code; below 400 for an answer that makes no sense at this stage.
        text: What the server wrote besides.
        stage: What it answered to.
        addresses: Must not show up in the error.
    """
    status = status_of(code, text)
    said = f"the server says {code} {detail_of(text, *addresses)!r}"
    if stage == "auth" or (code in _AUTH_CODES and stage != "connect"):
        return _login_refused(code, text, said, status)
    if code == _SERVICE_CLOSES or stage == "connect" or code in _SYNTAX_STATES:
        return ChannelUnavailable(said, status=status)
    if stage == "mail" and code != _TOO_BIG:
        hint = "; it refuses our sender: check POSTCART_SHOP__FROM_ADDRESS and its domain" if code in _FOR_GOOD else ""
        return ChannelUnavailable(said + hint, status=status)
    if code in _TEMPORARY:
        return DeliveryDeferred(said, status=status, retry_after_ms=retry_after_ms(text))
    if code in _FOR_GOOD:
        return RecipientRejected(said, status=status)
    return _senseless(said, stage, status)


def _senseless(said: str, stage: Stage, status: str) -> DeliveryError:
    if stage == "data":
        return DeliveryUncertain(f"{said}, which is no answer to a message", status=status)
    return ChannelUnavailable(f"{said}, which is no answer to {stage.upper()}", status=status)


def _login_refused(code: int, text: str, said: str, status: str) -> DeliveryError:
    if code == _SERVICE_CLOSES:
        return ChannelUnavailable(said, status=status)
    if "tls" in text.lower() or "encrypt" in text.lower():
        return ChannelUnavailable(f"{said}; {TLS_HINT}", status=status)
    return CredentialsRejected(f"{said}; {CREDENTIALS_HINT}", status=status)
