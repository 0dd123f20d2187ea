"""A mail cut into its parts, whatever it looks like.

Owns: headers, MIME structure and text of mails that nobody vouches for. Must not: raise on any bytes, take more than
time linear in their number, or go into returned messages.

The standard library's parser recurses into nested parts and takes seconds for large mails; of a bounce only the
beginning matters, and the places where a report begins.
"""

import base64
import binascii
import quopri
import re
from collections.abc import Iterator
from email.errors import HeaderParseError
from email.header import decode_header
from itertools import islice
from typing import Final, NamedTuple

_LOOKED_AT: Final = 2_000_000
"""Bytes of a mail whose structure is looked at."""
_WINDOW: Final = 100_000
"""Bytes looked at where a report begins behind that."""
_HEAD_MOST: Final = 256_000
_PART_HEAD_MOST: Final = 16_000
_TEXT_MOST: Final = 500_000
_PARTS_MOST: Final = 200
_DASHES_MOST: Final = 50_000
_DEPTH_MOST: Final = 10
_VALUE_MOST: Final = 4_000

_FIELD = re.compile(r"^([!-9;-~]{1,76})[ \t]*:(.*(?:\n[ \t].*)*)", re.MULTILINE)
_DASHES = re.compile(rb"^--(\S[^\n]{0,300})$", re.MULTILINE)
_BOUNDARY = re.compile(r'boundary\s*=\s*(?:"([^"\n]{1,200})"|([^\s;"]{1,200}))', re.IGNORECASE)
_CHARSET = re.compile(r'charset\s*=\s*"?([A-Za-z0-9_.:-]{1,40})', re.IGNORECASE)
_LATE_REPORT = re.compile(rb"\n[Cc]ontent-[Tt]ype:[ \t]{0,8}(message/(?:delivery-status|feedback-report))")
_BARE_PARAMETER = re.compile(r";[ \t]*\n(?=[A-Za-z-]{1,20}=)")
"""A folded parameter that lost its indentation, as some gateways write it."""
_TAG = re.compile(r"<[^<>]{0,2000}>")
_CHARSETS: Final = frozenset({
    "utf-8", "us-ascii", "iso-8859-1", "iso-8859-2", "iso-8859-15", "windows-1250", "windows-1251", "windows-1252",
    "koi8-r", "iso-2022-jp", "euc-jp", "shift_jis", "gb2312", "gbk", "gb18030", "big5", "euc-kr", "iso-2022-kr",
    "utf-16",
})  # fmt: skip
"""Those that are quick to decode whatever the bytes are; Python knows some that are not."""


class Fields(NamedTuple):
    """Header fields or report fields, names in lower case, in their order."""

    items: tuple[tuple[str, str], ...]

    def get(self, name: str) -> str:
        """The first field's value, empty if there is none."""
        return next((value for found, value in self.items if found == name), "")

    def all(self, name: str) -> list[str]:
        """Every value of the field."""
        return [value for found, value in self.items if found == name]


class Part(NamedTuple):
    """A part without parts of its own. ``body`` is as transferred."""

    content_type: str
    fields: Fields
    body: bytes

    @property
    def text(self) -> str:
        """The body decoded, tags taken out; never more than some hundred kB."""
        text = _decoded(self.body[:_TEXT_MOST], self.fields)
        return _TAG.sub(" ", text) if self.content_type == "text/html" else text


class Mail(NamedTuple):
    """A mail's own header fields, and its parts in order."""

    fields: Fields
    parts: tuple[Part, ...]

    def of_type(self, *content_types: str) -> list[Part]:
        """Parts of these types."""
        return [part for part in self.parts if part.content_type in content_types]


def parse_mail(data: bytes) -> Mail:
    """The parts of any bytes. Never raises."""
    head = data[:_LOOKED_AT].replace(b"\r\n", b"\n").replace(b"\r", b"\n").lstrip(b"\n")
    fields, start = _head(head, 0, _HEAD_MOST)
    parts = list(_cut(head, fields, start))
    for found in islice(_LATE_REPORT.finditer(data, _LOOKED_AT), 2):
        window = data[found.start() + 1 : found.start() + _WINDOW].replace(b"\r\n", b"\n")
        inner, body = _head(window, 0)
        parts.append(Part(found[1].decode().lower(), inner, window[body:]))
    return Mail(fields, tuple(parts))


def parse_fields(text: str) -> Fields:
    """Every ``Name: value`` of a text, folded lines joined; the rest is passed over."""
    return Fields(
        tuple((found[1].lower(), " ".join(found[2].split())[:_VALUE_MOST]) for found in _FIELD.finditer(text))
    )


def readable(value: str) -> str:
    """A header's value with its encoded words (RFC 2047) decoded, as far as they can be."""
    if "=?" not in value:
        return value
    try:
        pieces = decode_header(value[:_VALUE_MOST])
    except (HeaderParseError, ValueError, LookupError):  # binascii.Error is a ValueError
        return value
    return "".join(
        piece if isinstance(piece, str) else piece.decode(_known(charset or ""), "replace") for piece, charset in pieces
    )


def _cut(data: bytes, fields: Fields, start: int) -> Iterator[Part]:
    """Leaves of a mail. Boundaries of multiparts that stand open are looked for, nothing else."""
    content_type, boundary = _kind(fields)
    if boundary is None:
        yield Part(content_type, fields, data[start:])
        return
    open_: list[bytes] = [boundary]
    leaf: tuple[str, Fields, int] | None = None
    count = 0
    for line in islice(_DASHES.finditer(data, start), _DASHES_MOST):
        mark = line[1].rstrip()
        if (depth := _closes(mark, open_)) is None:
            continue
        if leaf:
            yield Part(leaf[0], leaf[1], data[leaf[2] : line.start()])
            leaf = None
        count += 1
        if count > _PARTS_MOST:
            return
        ended = mark != open_[depth]
        del open_[depth + (not ended) :]
        if not ended:
            inner, begin = _head(data, min(line.end() + 1, len(data)))
            kind, nested = _kind(inner)
            if nested and len(open_) < _DEPTH_MOST:
                open_.append(nested)
            else:
                leaf = kind, inner, begin
        if not open_:
            break
    if leaf:
        yield Part(leaf[0], leaf[1], data[leaf[2] :])
    if not count:  # the boundary that was promised never came
        yield Part("text/plain", fields, data[start:])


def _closes(line: bytes, open_: list[bytes]) -> int | None:
    """Which open multipart the line belongs to, the innermost first."""
    for depth in range(len(open_) - 1, -1, -1):
        if line in {open_[depth], open_[depth] + b"--"}:
            return depth
    return None


def _kind(fields: Fields) -> tuple[str, bytes | None]:
    """Content type, and the boundary if it is a multipart."""
    value = fields.get("content-type")
    content_type = value.partition(";")[0].strip().lower() or "text/plain"
    found = _BOUNDARY.search(value) if content_type.startswith("multipart") else None
    return content_type, (found[1] or found[2]).rstrip().encode("latin-1", "replace") if found else None


def _head(data: bytes, start: int, most: int = _PART_HEAD_MOST) -> tuple[Fields, int]:
    """Header fields from ``start`` on, and where the body begins."""
    if data[start : start + 1] == b"\n":
        return Fields(()), start + 1
    end = data.find(b"\n\n", start, start + most)
    if end < 0:
        end = min(len(data), start + most)
    return parse_fields(_BARE_PARAMETER.sub("; ", data[start:end].decode("latin-1"))), end + 2


def _decoded(body: bytes, fields: Fields) -> str:
    transfer = fields.get("content-transfer-encoding").lower()
    if transfer == "base64":
        letters = re.sub(rb"[^A-Za-z0-9+/]", b"", body)
        try:
            body = base64.b64decode(letters[: len(letters) // 4 * 4])
        except binascii.Error:  # pragma: no cover -- whole quads of the alphabet
            body = b""
    elif transfer == "quoted-printable":
        body = quopri.decodestring(body)
    found = _CHARSET.search(fields.get("content-type"))
    return body.decode(_known(found[1] if found else ""), "replace").replace("\r\n", "\n")


def _known(charset: str) -> str:
    """A charset that is safe to decode by. Latin-1 reads anything, and what matters is ASCII."""
    name = charset.lower()
    return name if name in _CHARSETS else "latin-1"
