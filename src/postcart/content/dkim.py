"""DKIM signatures (RFC 6376, RFC 8463), relaxed/relaxed.

Owns: canonical forms and signing. Must not: verify, look up keys, or send.

RSA-2048 by ``cryptography`` takes up to a millisecond; call it off the event loop.
"""

import base64
import re
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from postcart.content.quoted import single_spaces
from postcart.errors import ConfigurationError

SIGNED_HEADERS = (
    "from",
    "to",
    "subject",
    "date",
    "message-id",
    "reply-to",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "auto-submitted",
    "feedback-id",
    "mime-version",
    "content-type",
    "content-language",
)
"""What is signed. Each is named once more than it occurs, so that none can be added later (RFC 6376, 8.15)."""

_SIGNED = tuple(name.encode("ascii") for name in SIGNED_HEADERS)
_RSA_BITS = 2048
_UNFOLD = re.compile(rb"\r\n(?=[ \t])")
_LINE_END_SPACES = re.compile(rb"[ \t]+\r\n")
_FOLD_AT = 72

PrivateKey = RSAPrivateKey | Ed25519PrivateKey


@dataclass(frozen=True)
class DkimKey:
    """A private key and the selector under which the DNS has its public half."""

    selector: str
    private: PrivateKey

    @classmethod
    def load(cls, selector: str, file: Path) -> "DkimKey":
        """The key in a PEM file.

        Raises:
            ConfigurationError: The file can't be read, holds no RSA or Ed25519 key, or an RSA key below 2048 bits.
        """
        try:
            private = load_pem_private_key(file.read_bytes(), password=None)
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise ConfigurationError(f"DKIM key {file}: {error}; it must be an unencrypted PEM private key") from error
        if not isinstance(private, RSAPrivateKey | Ed25519PrivateKey):
            raise ConfigurationError(f"DKIM key {file}: is neither RSA nor Ed25519")
        return cls(selector, private)


class DkimSigner:
    """Signs messages for a domain, once per key.

    Args:
        domain: The ``d=`` tag; the From domain or its organisational domain, for DMARC.
        keys: RSA first; an Ed25519 key besides it adds a second signature.

    Raises:
        ConfigurationError: An RSA key below 2048 bits, or none.
    """

    def __init__(self, domain: str, *keys: DkimKey) -> None:
        if not keys:
            raise ConfigurationError("DKIM: no key given")
        for key in keys:
            if isinstance(key.private, RSAPrivateKey) and key.private.key_size < _RSA_BITS:
                raise ConfigurationError(
                    f"DKIM key {key.selector}: {key.private.key_size} bits; providers want at least {_RSA_BITS}"
                )
        self._domain = domain
        self._keys = keys

    def sign(self, message: bytes, *, at_s: int, relaxed_body: bytes | None = None) -> bytes:
        """``message`` (CRLF line ends) with DKIM-Signature fields before it.

        The same message and ``at_s`` (seconds since the epoch, for ``t=``) give the same bytes. The message itself is
        not changed. ``relaxed_body`` is its body's canonical form, for who has it at hand.
        """
        head, _, body = message.partition(b"\r\n\r\n")
        fields = _fields(head)
        canonical = _relaxed_body(body) if relaxed_body is None else relaxed_body
        body_hash = base64.b64encode(sha256(canonical).digest())
        signatures = [self._signature(key, fields, body_hash, at_s) for key in self._keys]
        return b"".join(signatures) + message

    def _signature(self, key: DkimKey, fields: dict[bytes, list[bytes]], body_hash: bytes, at_s: int) -> bytes:
        occurring = tuple([len(fields.get(name, ())) for name in _SIGNED])
        algorithm = b"rsa-sha256" if isinstance(key.private, RSAPrivateKey) else b"ed25519-sha256"
        value = (
            b" v=1; a="
            + algorithm
            + b"; c=relaxed/relaxed; d="
            + self._domain.encode("idna")
            + b"; s="
            + key.selector.encode("ascii")
            + b"; t="
            + str(at_s).encode()
            + b";\r\n h="
            + _folded(occurring)
            + b";\r\n bh="
            + body_hash
            + b";\r\n b="
        )  # fmt: skip -- one tag after the other, as they will stand in the field
        signed = b"".join(_chosen(fields)) + _relaxed_field(b"dkim-signature", _UNFOLD.sub(b"", value)).removesuffix(
            b"\r\n"
        )
        signature = base64.b64encode(_sign(key.private, signed))
        lines = [signature[start : start + _FOLD_AT] for start in range(0, len(signature), _FOLD_AT)]
        return b"DKIM-Signature:" + value + b"\r\n ".join(lines) + b"\r\n"


def _sign(private: PrivateKey, data: bytes) -> bytes:
    if isinstance(private, RSAPrivateKey):
        return private.sign(data, PKCS1v15(), hashes.SHA256())
    return private.sign(sha256(data).digest())  # RFC 8463: Ed25519 over the SHA-256 of the data


def _fields(head: bytes) -> dict[bytes, list[bytes]]:
    """Unfolded values by name in lower case, in their order."""
    found: dict[bytes, list[bytes]] = {}
    for line in _UNFOLD.sub(b"", head).split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if colon:
            found.setdefault(name.lower(), []).append(value)
    return found


def _chosen(fields: dict[bytes, list[bytes]]) -> list[bytes]:
    # Of a field that occurs several times the last is taken first (RFC 6376, 5.4.2).
    return [_relaxed_field(name, value) for name in _SIGNED for value in reversed(fields.get(name, ()))]


def _relaxed_field(name: bytes, value: bytes) -> bytes:
    """Of an unfolded value."""
    return name + b":" + single_spaces(value).strip(b" ") + b"\r\n"


def _relaxed_body(body: bytes) -> bytes:
    if not body:
        return b""
    if not body.endswith(b"\r\n"):
        body += b"\r\n"
    if b" \r\n" in body or b"\t\r\n" in body:  # never in quoted-printable: the pattern is slow on 20 kB
        body = _LINE_END_SPACES.sub(b"\r\n", body)
    body = single_spaces(body).rstrip(b"\r\n")
    return body + b"\r\n" if body else b""


@lru_cache(maxsize=64)  # the same in nearly all mails
def _folded(occurring: tuple[int, ...]) -> bytes:
    """The h= tag; ``occurring``: how often each of SIGNED_HEADERS does."""
    lines = [""]
    for name in (name for name, times in zip(SIGNED_HEADERS, occurring, strict=True) for _ in range(times + 1)):
        piece = f"{name}:"
        if len(lines[-1]) + len(piece) > _FOLD_AT:
            lines.append("")
        lines[-1] += piece
    lines[-1] = lines[-1].removesuffix(":")
    return "\r\n ".join(lines).encode("ascii")
