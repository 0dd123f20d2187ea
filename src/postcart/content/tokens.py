"""Signed tokens in links and envelope senders.

Owns: the unsubscribe token (person, channel, purpose) and the envelope sender by VERP (job). Must not: expire an
opt-out link, or carry an address.

Both are HMAC-SHA256 with a key of their own purpose derived from one secret. A token of one kind is none of another.
"""

import base64
import binascii
import hmac
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from postcart.errors import ConfigurationError

_TAG_BYTES = 16
_VERP_TAG_BYTES = 10  # 80 bits: a local part has 64 characters at most (RFC 5321), and a guess costs a whole mail
_SECRET_BYTES = 16


@dataclass(frozen=True)
class OptOut:
    """What an unsubscribe token says: this person wants no more of this purpose on this channel."""

    person_id: str
    channel: str
    purpose: str


class UnsubscribeLinks:
    """Opt-out addresses of a person: one HTTPS link and one mail address.

    Args:
        base_url: Where the opt-out endpoint is, for example ``https://shop.example/u``; HTTPS (RFC 8058).
        mailto: The mail address that takes opt-outs.
        secret: At least 16 bytes; links signed by a former one are read by ``former``.

    Raises:
        ConfigurationError: The base is no HTTPS URL, or the secret is too short.
    """

    def __init__(self, base_url: str, mailto: str, secret: bytes, *, former: tuple[bytes, ...] = ()) -> None:
        if not base_url.startswith("https://"):
            raise ConfigurationError(f"unsubscribe base URL {base_url!r}: one-click opt-out needs https:// (RFC 8058)")
        self._base_url = base_url.rstrip("/")
        self._mailto = mailto
        self._keys = [_derive(key, b"unsubscribe") for key in (secret, *former)]

    def url(self, opt_out: OptOut) -> str:
        """The one-click link. The same for the same opt-out, for ever."""
        return f"{self._base_url}/{self.token(opt_out)}"

    def mailto(self, opt_out: OptOut) -> str:
        """The mail link; the token is the subject."""
        return f"mailto:{self._mailto}?subject=unsubscribe%20{self.token(opt_out)}"

    def token(self, opt_out: OptOut) -> str:
        """The signed text of an opt-out: URL-safe base64 without padding."""
        payload = f"{opt_out.person_id}\0{opt_out.channel}\0{opt_out.purpose}".encode()
        return _encode(_tag(self._keys[0], payload, _TAG_BYTES) + payload)

    def read(self, token: str) -> OptOut | None:
        """What ``token`` says, or None if it was not signed by one of the secrets."""
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        tag, payload = raw[:_TAG_BYTES], raw[_TAG_BYTES:]
        if not any(hmac.compare_digest(tag, _tag(key, payload, _TAG_BYTES)) for key in self._keys):
            return None
        person_id, channel, purpose = payload.decode().rsplit("\0", 2)
        return OptOut(person_id, channel, purpose)


class EnvelopeSenders:
    """Envelope senders by VERP: a bounce comes back to an address that names its job and can't be forged.

    Args:
        domain: Takes the bounces; aligned with the From domain for SPF.
        secret: At least 16 bytes.
    """

    def __init__(self, domain: str, secret: bytes) -> None:
        self._domain = domain
        self._key = _derive(secret, b"verp")

    def of(self, job_id: str) -> str:
        """``b-JOB-TAG@domain``, lower case only: some servers fold the case of local parts."""
        job = UUID(job_id).bytes
        return f"b-{_base32(job)}-{_base32(_tag(self._key, job, _VERP_TAG_BYTES))}@{self._domain}"

    def job_of(self, address: str) -> str | None:
        """The job that an envelope sender names, or None if it is not one of ours."""
        local, _, domain = address.lower().partition("@")
        parts = local.split("-")
        if domain != self._domain.lower() or len(parts) != 3 or parts[0] != "b":  # noqa: PLR2004 -- b, job, tag
            return None
        try:
            job = base64.b32decode(parts[1].upper() + "=" * (-len(parts[1]) % 8))
            job_id = str(UUID(bytes=job))
        except (binascii.Error, ValueError):
            return None
        return job_id if hmac.compare_digest(self.of(job_id).partition("@")[0], local) else None


def _derive(secret: bytes, purpose: bytes) -> bytes:
    if len(secret) < _SECRET_BYTES:
        raise ConfigurationError(f"the token secret has {len(secret)} bytes, it needs at least {_SECRET_BYTES}")
    return hmac.new(secret, b"postcart/" + purpose, sha256).digest()


def _tag(key: bytes, payload: bytes, size: int) -> bytes:
    return hmac.new(key, payload, sha256).digest()[:size]


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _base32(raw: bytes) -> str:
    return base64.b32encode(raw).rstrip(b"=").decode().lower()
