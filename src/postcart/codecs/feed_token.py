"""The tokens by which a shop lets its customers see their in-app feeds.

Owns: their form: a JSON Web Token (RFC 7519) signed by HMAC-SHA256 (RFC 7515, ``HS256``), so that a shop mints them
with any library in any language. Must not: read a clock, or know how a token travels.

Claims: ``sub`` is the customer's id as in the shop's events, or else ``person`` Postcart's id of that person; ``exp``,
seconds since the epoch, is required and at most 31 days ahead; ``aud`` is ``postcart.feed``: a token that the shop
signed by the same secret for something else opens no feed. ``locale`` (BCP 47) is the language that
the person is to be spoken to in: it opens nothing, and is read by what shows the feed.
"""

import binascii
import hmac
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final, Literal, NamedTuple

import msgspec

from postcart.events.times import DAY_MS

AUDIENCE: Final = "postcart.feed"
LONGEST_MS: Final = 31 * DAY_MS
_LEEWAY_MS: Final = 60_000
"""Allowance for clocks that disagree."""
_TEXT_MOST: Final = 4_096
_ID_MOST: Final = 256

Fault = Literal["malformed", "forged", "expired", "not_yet", "too_long", "audience", "nobody"]
FAULTS: Final[dict[Fault, str]] = {
    "malformed": "the token is no JSON Web Token",
    "forged": "the token is not signed by HS256 with the shop's secret",
    "expired": "the token has expired",
    "not_yet": "the token is not valid yet",
    "too_long": "the token has no exp, or one more than 31 days ahead",
    "audience": f"the token's aud is not {AUDIENCE}",
    "nobody": "the token names nobody: sub is the customer's id",
}
"""Each fault in words that may be shown to anybody."""


class Holder(NamedTuple):
    """Whose feed a token opens: a customer by the shop's id, or a person by Postcart's; one of them is None."""

    customer_id: str | None
    person_id: str | None
    expires_ms: int


class _Claims(msgspec.Struct, frozen=True):
    sub: str | None = None
    person: str | None = None
    aud: str | list[str] | None = None
    exp: float | None = None
    nbf: float | None = None


class _Header(msgspec.Struct, frozen=True):
    alg: str
    crit: Any = None


_claims = msgspec.json.Decoder(_Claims).decode
_header = msgspec.json.Decoder(_Header).decode


def mint(holder: Holder, secret: bytes, *, now_ms: int, locale: str | None = None) -> str:
    """A token that ``read`` takes until it expires."""
    who = {"person": holder.person_id} if holder.person_id is not None else {"sub": holder.customer_id}
    claims = {**who, "aud": AUDIENCE, "iat": now_ms // 1_000, "exp": holder.expires_ms // 1_000}
    claims |= {} if locale is None else {"locale": locale}
    signed = f"{_text({'alg': 'HS256', 'typ': 'JWT'})}.{_text(claims)}"
    return f"{signed}.{_encoded(_tag(signed, secret))}"


def read(token: str, secrets: Sequence[bytes], *, now_ms: int) -> Holder | Fault:
    """Whose feed it opens at that moment, or what is wrong with it. Signatures are compared in constant time."""
    signed, _, signature = token.rpartition(".")
    head, _, body = signed.partition(".")
    if len(token) > _TEXT_MOST:
        return "malformed"
    try:
        given, header, payload = _decoded(signature), _header(_decoded(head)), _decoded(body)
    except (ValueError, msgspec.MsgspecError):
        return "malformed"
    genuine = [hmac.compare_digest(given, _tag(signed, secret)) for secret in secrets]
    if header.alg != "HS256" or header.crit is not None or not any(genuine):
        return "forged"
    try:
        claims = _claims(payload)
    except (ValueError, msgspec.MsgspecError):
        return "malformed"
    return _judged(claims, now_ms)


def _judged(claims: _Claims, now_ms: int) -> Holder | Fault:
    audience = [claims.aud] if isinstance(claims.aud, str) else claims.aud or []
    if AUDIENCE not in audience:
        return "audience"
    if claims.exp is None or claims.exp * 1_000 > now_ms + LONGEST_MS + _LEEWAY_MS:
        return "too_long"
    if claims.exp * 1_000 <= now_ms - _LEEWAY_MS:
        return "expired"
    if claims.nbf is not None and claims.nbf * 1_000 > now_ms + _LEEWAY_MS:
        return "not_yet"
    who = claims.person if claims.person is not None else claims.sub
    if not who or len(who) > _ID_MOST or "\0" in who:
        return "nobody"
    customer = claims.sub if claims.person is None else None
    return Holder(customer, claims.person, int(claims.exp * 1_000))


def _tag(signed: str, secret: bytes) -> bytes:
    return hmac.new(secret, signed.encode(), sha256).digest()


def _text(value: Any) -> str:
    return _encoded(msgspec.json.encode(value))


def _encoded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    """Raises ValueError."""
    try:
        return b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("no base64url") from error
