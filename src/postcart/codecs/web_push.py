"""Web Push messages: encrypted for one browser (RFC 8291), and signed as their sender's (VAPID, RFC 8292).

Owns: both forms. Must not: send, or use randomness: a fresh key and salt for each message are arguments.
"""

from typing import Final, NamedTuple
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from postcart.codecs.jwt import base64url, es256, from_base64url

RECORD_SIZE: Final = 4096
"""Of the whole body: no push service must take more (RFC 8030, 7.2), and there is one record (RFC 8291, 4)."""
_HEAD: Final = 16 + 4 + 1 + 65

LONGEST_PLAIN: Final = RECORD_SIZE - _HEAD - 16 - 1
"""Bytes of a message: 3,993. The rest is header, the tag of AES-GCM and the delimiter."""

_SALT: Final = 16
_AUTH: Final = 16
_POINT: Final = 65
_VALID_S: Final = 12 * 3_600
"""A VAPID token may live for 24 hours at most (RFC 8292, 2)."""


class UserAgentKeys(NamedTuple):
    """What a browser told its shop of itself."""

    public: bytes
    """Its point on P-256, uncompressed: ``p256dh``."""
    auth: bytes
    """The secret of 16 bytes: ``auth``."""


def user_agent_keys(p256dh: str | None, auth: str | None) -> UserAgentKeys:
    """The keys of a subscription, as ``PushSubscription.toJSON()`` writes them.

    Raises:
        ValueError: They are none.
    """
    keys = UserAgentKeys(from_base64url(p256dh or ""), from_base64url(auth or ""))
    if len(keys.auth) != _AUTH or len(keys.public) != _POINT:
        raise ValueError("p256dh has 65 bytes, auth has 16")
    ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), keys.public)
    return keys


def encrypted(message: bytes, to: UserAgentKeys, *, key: ec.EllipticCurvePrivateKey, salt: bytes) -> bytes:
    """The body of a push message: aes128gcm (RFC 8188) with the keys of RFC 8291, 3.

    Args:
        message: At most ``LONGEST_PLAIN`` bytes.
        to: Whose browser.
        key: On P-256, made for this message.
        salt: 16 unpredictable bytes.

    Raises:
        ValueError: The message is too long, the salt has another length, or the keys are none.
    """
    if len(message) > LONGEST_PLAIN or len(salt) != _SALT:
        raise ValueError(f"at most {LONGEST_PLAIN} bytes, and a salt of {_SALT}")
    theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), to.public)
    ours = public_point(key)
    content_key, nonce = _derived_keys(
        key.exchange(ec.ECDH(), theirs), auth=to.auth, salt=salt, user_agent=to.public, server=ours
    )
    header = salt + RECORD_SIZE.to_bytes(4) + bytes([_POINT]) + ours
    return header + AESGCM(content_key).encrypt(nonce, message + b"\x02", None)


def _derived_keys(shared: bytes, *, auth: bytes, salt: bytes, user_agent: bytes, server: bytes) -> tuple[bytes, bytes]:
    """Content key and nonce from the shared secret (RFC 8291, 3.4)."""
    material = _hkdf(shared, salt=auth, info=b"WebPush: info\0" + user_agent + server, length=32)
    key = _hkdf(material, salt=salt, info=b"Content-Encoding: aes128gcm\0", length=16)
    return key, _hkdf(material, salt=salt, info=b"Content-Encoding: nonce\0", length=12)


def public_point(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The public key as an uncompressed point."""
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def vapid(endpoint: str, key: ec.EllipticCurvePrivateKey, *, contact: str, now_s: int) -> tuple[str, int]:
    """The header ``Authorization`` for an endpoint's push service, and until when it may be used, in seconds.

    Args:
        endpoint: The subscription's; the token is good for all of the same origin.
        key: The shop's: the one that its pages subscribe with.
        contact: ``mailto:`` or ``https:`` address of whom a push service may ask.
        now_s: The time.
    """
    claims = {"aud": origin(endpoint), "exp": now_s + _VALID_S, "sub": contact}
    return f"vapid t={es256(claims, key)}, k={base64url(public_point(key))}", now_s + _VALID_S // 2


def origin(url: str) -> str:
    """Scheme, host and port of a URL."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _hkdf(material: bytes, *, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt, info).derive(material)
