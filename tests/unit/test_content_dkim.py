"""DKIM: an independent implementation (dkimpy) verifies what the signer makes."""

import base64
import re
from hashlib import sha256
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from postcart.content.dkim import DkimKey, DkimSigner
from postcart.errors import ConfigurationError

AT_S = 1_664_634_600
RSA_KEY = generate_private_key(65537, 2048)
ED_KEY = Ed25519PrivateKey.generate()
MESSAGE = (
    b"From: Shop <a@shop.example>\r\nTo: b@example.com\r\nSubject:  folded\r\n\t subject \r\n"
    b"Message-ID: <1@shop.example>\r\nList-Unsubscribe: <https://shop.example/u/1>, <mailto:u@shop.example>\r\n"
    b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nMIME-Version: 1.0\r\n\r\n"
    b"Hello  you \t\r\n\r\n.dot\r\n\r\n\r\n"
)


def _record(private: RSAPrivateKey) -> bytes:
    der = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return b"v=DKIM1; k=rsa; p=" + base64.b64encode(der)


def _verifies(message: bytes) -> bool:
    try:
        return bool(dkim.DKIM(message).verify(dnsfunc=lambda _name, **_: _record(RSA_KEY)))
    except dkim.ValidationError:
        return False


class _Recorder:
    """Stands in for a hash and keeps what it is given."""

    def __init__(self) -> None:
        self.data = b""

    def update(self, data: bytes) -> None:
        self.data += data


def _signer() -> DkimSigner:
    return DkimSigner("shop.example", DkimKey("rsa", RSA_KEY), DkimKey("ed", ED_KEY))


def test_both_signatures_verify() -> None:
    """An RSA and an Ed25519 signature stand before the unchanged message."""
    signed = _signer().sign(MESSAGE, at_s=AT_S)
    assert signed.endswith(MESSAGE)
    assert _verifies(signed)
    # dkimpy needs another library for Ed25519's arithmetic, so only its canonical forms are the oracle here.
    second = dkim.DKIM(signed).headers[1][1]
    tags = dkim.util.parse_tag_value(second)
    canon = dkim.CanonicalizationPolicy.from_c_value(b"relaxed/relaxed")
    headers = canon.canonicalize_headers(dkim.DKIM(MESSAGE).headers)
    recorder = _Recorder()
    dkim.hash_headers(recorder, canon, headers, tags[b"h"].split(b":"), (b"DKIM-Signature", second), tags)
    signature = base64.b64decode(re.sub(rb"\s", b"", tags[b"b"]))
    ED_KEY.public_key().verify(signature, sha256(recorder.data).digest())


def test_signing_is_deterministic() -> None:
    """The same message and time give the same bytes."""
    assert _signer().sign(MESSAGE, at_s=AT_S) == _signer().sign(MESSAGE, at_s=AT_S)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Hello", b"Hallo"),
        (b"u/1>", b"u/2>"),
        (b"One-Click", b"Two-Click"),
        (b"To: b@", b"To: c@"),
        (b"MIME-Version", b"Subject: added\r\nMIME-Version"),
    ],
)
def test_a_change_breaks_the_signature(old: bytes, new: bytes) -> None:
    """Body, opt-out headers and recipient are covered, and no second Subject can be added."""
    signed = _signer().sign(MESSAGE, at_s=AT_S)
    changed = signed[: -len(MESSAGE)] + MESSAGE.replace(old, new)
    assert not _verifies(changed)


def test_required_headers_are_named() -> None:
    """Both opt-out headers are in h= (RFC 8058, section 4)."""
    signed = _signer().sign(MESSAGE, at_s=AT_S)
    names = re.sub(rb"\s", b"", re.search(rb"h=([^;]+);", signed)[1]).split(b":")  # type: ignore[index]
    assert {b"from", b"to", b"subject", b"list-unsubscribe", b"list-unsubscribe-post", b"message-id"} <= set(names)


_TEXT = st.text(alphabet=" \tab.\r\n=", max_size=80).map(lambda text: text.replace("\r", "").replace("\n", "\r\n"))


@given(body=_TEXT, subject=st.text(alphabet="ab \t", max_size=40))
def test_any_body_verifies(body: str, subject: str) -> None:
    """White space and line ends of any kind are made canonical as RFC 6376 says."""
    message = f"From: a@shop.example\r\nSubject: {subject}\r\n\r\n{body}\r\n".encode()
    assert _verifies(_signer().sign(message, at_s=AT_S))


def test_keys_are_checked(tmp_path: Path) -> None:
    """A weak key, a file that is no key and a missing file are configuration errors."""
    with pytest.raises(ConfigurationError, match="2048"):
        DkimSigner("shop.example", DkimKey("weak", generate_private_key(65537, 1024)))  # noqa: S505 -- to be refused
    file = tmp_path / "key.pem"
    with pytest.raises(ConfigurationError, match=r"key\.pem"):
        DkimKey.load("rsa", file)
    file.write_text("no key")
    with pytest.raises(ConfigurationError, match="PEM"):
        DkimKey.load("rsa", file)
    file.write_bytes(RSA_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    assert DkimKey.load("rsa", file).private.public_key() == RSA_KEY.public_key()
