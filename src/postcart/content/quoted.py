"""Quoted-printable text and the form of it that DKIM hashes.

Owns: the encoding of text in a message's body, and runs of spaces as one (relaxed, RFC 6376, 3.4.4). Must not: know
headers or parts.
"""

from binascii import b2a_qp
from collections.abc import Iterable
from typing import NamedTuple

SOFT_BREAK = b"=\r\n"
"""Ends a line of the encoded text, and none of what it says."""

_EIGHT = 8 * b" "


class Quoted(NamedTuple):
    """Encoded text, CRLF line ends, and what a relaxed signature hashes of it. Lines have at most 76 characters."""

    data: bytes
    relaxed: bytes

    @classmethod
    def of(cls, text: str) -> "Quoted":
        """``text`` encoded; its line ends become CRLF."""
        lines = text.replace("\r\n", "\n").replace("\r", "\n").encode()
        data = b2a_qp(lines).replace(b"\n", b"\r\n")
        return cls(data, single_spaces(data))

    @classmethod
    def plain(cls, text: bytes) -> "Quoted":
        """What needs no encoding, for example the headers of a part."""
        return cls(text, single_spaces(text))

    @classmethod
    def joined(cls, parts: "Iterable[Quoted]") -> "Quoted":
        """One after the other. No space may end one that does not begin a line of the next."""
        data, relaxed = zip(*parts, strict=True)
        return cls(b"".join(data), b"".join(relaxed))


def single_spaces(text: bytes) -> bytes:
    """``text`` with every run of spaces and tabs made one space."""
    text = text.replace(b"\t", b" ").replace(_EIGHT, b" ")  # indentation
    while b"  " in text:  # each pass halves the runs; a pattern takes ten times as long
        text = text.replace(b"  ", b" ")
    return text
