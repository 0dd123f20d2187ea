"""How many messages a text is on the air: GSM-7 and UCS-2 segments.

Owns: the alphabet and the arithmetic of 3GPP TS 23.038 and 23.040. Must not: shorten a text.

A text whose every character is in the GSM 7-bit default alphabet or its extension goes as septets: 160 in one message,
or 153 in each part of several, as a part begins with a header of 6 octets. Any other goes as UTF-16: 70 units, or 67.
What takes two units (``€``, an emoji) is never split over two parts.
"""

from typing import Final, Literal, NamedTuple

Coding = Literal["gsm7", "ucs2"]

_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""The default alphabet (TS 23.038, 6.2.1), without the escape. Upper-case Ç is in it, lower-case ç is not."""

_EXTENSION: Final = frozenset("\f^{}\\[~]|€")
"""Each takes an escape and a septet (TS 23.038, 6.2.1.1)."""

_ONE: Final[dict[Coding, int]] = {"gsm7": 160, "ucs2": 70}
_PART: Final[dict[Coding, int]] = {"gsm7": 153, "ucs2": 67}
_BEYOND_BMP: Final = 0x10000

_PLAIN: Final = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201b\u2032", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u2033\u00ab\u00bb", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2022", "-"),
        **dict.fromkeys("\u00a0\u2007\u2009\u200a\u202f\t", " "),
        **dict.fromkeys("\u200b\u200d\ufeff\u00ad", ""),
        "\u201a": ",",
        "\u2026": "...",
        "\u00b7": ".",
        "\u00d7": "x",
    }
)
"""Typography that costs half of a message and that nobody misses."""


class Segments(NamedTuple):
    """A text as it is sent.

    Attributes:
        units: Septets, or UTF-16 units.
        messages: Those that are sent, and paid for; 0 for no text.
    """

    coding: Coding
    units: int
    messages: int


def segments(text: str) -> Segments:
    """Count."""
    coding = coding_of(text)
    sizes = [_size(character, coding) for character in text]
    units = sum(sizes)
    if units <= _ONE[coding]:
        return Segments(coding, units, 1 if units else 0)
    count, room = 1, _PART[coding]
    for size in sizes:
        if size > room:
            count, room = count + 1, _PART[coding]
        room -= size
    return Segments(coding, units, count)


def coding_of(text: str) -> Coding:
    """How a text must be sent."""
    return "gsm7" if all(one in _BASIC or one in _EXTENSION for one in text) else "ucs2"


def plain(text: str) -> str:
    """``text`` with plain punctuation, if that makes it GSM-7; else unchanged."""
    found = text.translate(_PLAIN)
    return found if coding_of(found) == "gsm7" else text


def _size(character: str, coding: Coding) -> int:
    if coding == "gsm7":
        return 2 if character in _EXTENSION else 1
    return 2 if ord(character) >= _BEYOND_BMP else 1
