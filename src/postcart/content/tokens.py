"""Signed tokens in links and envelope senders.

Owns: the unsubscribe token (person, channel, purpose) and the envelope sender by VERP (person, job). Must not: expire
an opt-out link, or carry an address.

Both are HMAC-SHA256 with a key of their own purpose derived from one secret. A token of one kind is none of another.
"""

import base64
import binascii
import hmac
import re
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from uuid import UUID

from postcart.errors import ConfigurationError

_TAG_BYTES = 16
_VERP_TAG_BYTES = 7
"""With two ids of 16 bytes: 63 letters, as many as a local part may have (RFC 5321) beside its first. A guess at 56
bits costs a whole mail, and would suppress one address."""
_ID_BYTES = 16
_JOB_TAG_BYTES = 10
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
        self._latest: tuple[OptOut, str] | None = None

    def url(self, opt_out: OptOut) -> str:
        """The one-click link. The same for the same opt-out, for ever."""
        return f"{self._base_url}/{self.token(opt_out)}"

    def mailto(self, opt_out: OptOut) -> str:
        """The mail link; the token is the subject."""
        return f"mailto:{self._mailto}?subject=unsubscribe%20{self.token(opt_out)}"

    def token(self, opt_out: OptOut) -> str:
        """The signed text of an opt-out: URL-safe base64 without padding."""
        latest = self._latest  # a message has it in its text and twice in its headers
        if latest is None or latest[0] != opt_out:
            payload = f"{opt_out.person_id}\0{opt_out.channel}\0{opt_out.purpose}".encode()
            token = _encode(_tag(self._keys[0], payload, _TAG_BYTES) + payload)
            latest = self._latest = opt_out, token
        return latest[1]

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


@dataclass(frozen=True)
class Sent:
    """What an envelope sender names: the job whose mail comes back, and its person where the ids allow it."""

    job_id: str
    person_id: str | None


class EnvelopeSenders:
    """Envelope senders by VERP: a bounce comes back to an address that names its job and person and can't be forged.

    Lower case only, and read in any case: some servers fold local parts.

    Args:
        domain: Takes the bounces; aligned with the From domain for SPF.
        secret: At least 16 bytes; addresses signed by a former one are read by ``former``.
    """

    def __init__(self, domain: str, secret: bytes, *, former: tuple[bytes, ...] = ()) -> None:
        self._domain = domain
        self._keys = [_derive(key, b"verp") for key in (secret, *former)]
        local = rf"(?:b[a-z2-7]{{63}}|b-[a-z2-7]{{26}}-[a-z2-7]{{16}})@{re.escape(domain)}(?![\w.-]*\w)"
        self._mentioned = re.compile(rf"(?<![\w.+-]){local}".encode(), re.IGNORECASE)

    def of(self, job_id: str, person_id: str) -> str:
        """``bLETTERS@domain``; for a person whose id is no UUID ``b-JOB-TAG@domain``, which does not name it."""
        return f"{self._local(self._keys[0], job_id, person_id)}@{self._domain}"

    def read(self, address: str) -> Sent | None:
        """What an envelope sender names, or None if it is not one of ours. In any case of letters."""
        local, _, domain = address.strip().lower().partition("@")
        if domain != self._domain.lower():
            return None
        sent = _named(local)
        if sent is None:
            return None
        tags = (self._local(key, sent.job_id, sent.person_id) for key in self._keys)
        return sent if any(hmac.compare_digest(tag, local) for tag in tags) else None

    def mentioned(self, data: bytes, *, most: int = 50) -> Sent | None:
        """The first authentic one in a text, of at most ``most`` that look like one."""
        found = islice(self._mentioned.finditer(data), most)
        return next((sent for one in found if (sent := self.read(one[0].decode("ascii")))), None)

    @staticmethod
    def _local(key: bytes, job_id: str, person_id: str | None) -> str:
        job, person = UUID(job_id).bytes, _uuid(person_id)
        if person is None:
            return f"b-{_base32(job)}-{_base32(_tag(key, job, _JOB_TAG_BYTES))}"
        return "b" + _base32(person + job + _tag(key, person + job, _VERP_TAG_BYTES))


def _named(local: str) -> Sent | None:
    """What a local part claims to name; not yet whether it is authentic."""
    try:
        if local.startswith("b-"):
            return Sent(str(UUID(bytes=_unbase32(local.split("-")[1]))), None)
        if not local.startswith("b"):
            return None
        raw = _unbase32(local[1:])
        person, job = raw[:_ID_BYTES], raw[_ID_BYTES : 2 * _ID_BYTES]
        return Sent(str(UUID(bytes=job)), str(UUID(bytes=person)))
    except (binascii.Error, ValueError):
        return None


def _uuid(text: str | None) -> bytes | None:
    """Bytes of an id that is a UUID as Postcart writes it: only such an id can be made of them again."""
    try:
        found = UUID(text or "")
    except ValueError:
        return None
    return found.bytes if str(found) == text else None


def _derive(secret: bytes, purpose: bytes) -> bytes:
    if len(secret) < _SECRET_BYTES:
        raise ConfigurationError(f"the token secret has {len(secret)} bytes, it needs at least {_SECRET_BYTES}")
    return hmac.new(secret, b"postcart/" + purpose, sha256).digest()


def _tag(key: bytes, payload: bytes, size: int) -> bytes:
    return hmac.digest(key, payload, "sha256")[:size]


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _base32(raw: bytes) -> str:
    return base64.b32encode(raw).rstrip(b"=").decode().lower()


def _unbase32(text: str) -> bytes:
    return base64.b32decode(text.upper() + "=" * (-len(text) % 8))
