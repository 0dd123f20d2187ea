"""Signed tokens of providers: JSON Web Tokens (RFC 7519) by ES256 or RS256 (RFC 7518, 3.3 and 3.4).

Owns: their form and reading private keys. Must not: know a claim, a clock, or who wants them.
"""

import base64
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from postcart.errors import ConfigurationError

_HALF: Final = 32
"""Bytes of each of the two numbers of a signature on P-256."""


def base64url(raw: bytes) -> str:
    """Without padding (RFC 7515, 2)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    """The bytes; padding may be there or not.

    Raises:
        ValueError: It is none.
    """
    plain = text.rstrip("=").translate({ord("-"): "+", ord("_"): "/"})
    return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)


def es256(claims: Mapping[str, Any], key: ec.EllipticCurvePrivateKey, **header: str) -> str:
    """A token signed on P-256; ``header`` adds fields such as ``kid``. The same arguments give the same (RFC 6979)."""
    signed = _signed_text(claims, {"alg": "ES256", **header})
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(SHA256(), deterministic_signing=True)))
    return f"{signed}.{base64url(r.to_bytes(_HALF) + s.to_bytes(_HALF))}"


def rs256(claims: Mapping[str, Any], key: rsa.RSAPrivateKey, **header: str) -> str:
    """A token signed by RSA."""
    signed = _signed_text(claims, {"alg": "RS256", **header})
    return f"{signed}.{base64url(key.sign(signed.encode(), padding.PKCS1v15(), SHA256()))}"


def verified(token: str, key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a token that this key has signed.

    Raises:
        ValueError: It is none, or the signature does not hold.
    """
    try:
        head, claims, signature = token.split(".")
        raw, signed = from_base64url(signature), f"{head}.{claims}".encode()
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(raw, signed, padding.PKCS1v15(), SHA256())
        elif len(raw) != 2 * _HALF:
            raise ValueError("a signature of another length")
        else:
            der = encode_dss_signature(int.from_bytes(raw[:_HALF]), int.from_bytes(raw[_HALF:]))
            key.verify(der, signed, ec.ECDSA(SHA256()))
        return msgspec.json.decode(from_base64url(head)), msgspec.json.decode(from_base64url(claims))
    except (InvalidSignature, msgspec.DecodeError) as error:
        raise ValueError("the token's signature does not hold") from error


def rsa_key(pem: bytes, what: str) -> rsa.RSAPrivateKey:
    """The private key of a PEM file; ``what`` names it in messages.

    Raises:
        ConfigurationError: It is none, or of another kind.
    """
    found = _private_key(pem, what)
    if not isinstance(found, rsa.RSAPrivateKey):
        raise ConfigurationError(f"{what}: no key of RSA")
    return found


def p256_key(pem: bytes, what: str) -> ec.EllipticCurvePrivateKey:
    """A private key on P-256. Raises as ``rsa_key``."""
    found = _private_key(pem, what)
    if not isinstance(found, ec.EllipticCurvePrivateKey) or not isinstance(found.curve, ec.SECP256R1):
        raise ConfigurationError(f"{what}: no key on P-256 (prime256v1)")
    return found


def _private_key(pem: bytes, what: str) -> object:
    try:
        return load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(f"{what}: no private key without password in PEM") from error


def _signed_text(claims: Mapping[str, Any], header: Mapping[str, str]) -> str:
    parts = (msgspec.json.encode({"typ": "JWT", **header}), msgspec.json.encode(claims))
    return ".".join(base64url(part) for part in parts)
