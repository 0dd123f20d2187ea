"""What the functions that read Avro values call: numbers, lengths, and what says that bytes are damaged.

Owns: the encoding of Avro's numbers, texts' lengths and blocks' counts. Must not: know a schema.
"""

import struct
from typing import Final

_LONGEST: Final = 10  # bytes of a 64-bit number
_SIX: Final = 6
_SHIFT_OF_SIXTH: Final = 35
_ONE_BYTE: Final = 0x7F

float_of: Final = struct.Struct("<f").unpack_from
double_of: Final = struct.Struct("<d").unpack_from


class Damaged(ValueError):  # noqa: N818 -- says what the bytes are
    """The bytes are not of this schema."""


_six_bytes: Final = struct.Struct("<HI").unpack_from
_ends: Final[dict[int, int]] = {}
"""What the last four bytes of a number of six stand for. Milliseconds of our time are such numbers, and have the same
four for eight seconds, so few are looked up again and again."""
_MOST_ENDS: Final = 10_000
_GO_ON: Final = 0x8080  # the mark of two bytes that others follow


def read_long(data: bytes, at: int) -> tuple[int, int]:
    """A variable-length zig-zag number (int and long)."""
    if len(data) - at >= _SIX:
        first: int
        last: int
        first, last = _six_bytes(data, at)
        if first & _GO_ON == _GO_ON:
            end = _ends.get(last)
            if end is not None:
                found = end | first & 0x7F | first >> 1 & 0x3F80
                return (found >> 1) ^ -(found & 1), at + _SIX
    return _any_long(data, at)


def _any_long(data: bytes, at: int) -> tuple[int, int]:
    found = shift = 0
    for byte in data[at : at + _LONGEST]:
        if byte <= _ONE_BYTE:
            found |= byte << shift
            if shift == _SHIFT_OF_SIXTH and len(_ends) < _MOST_ENDS:
                _ends[int.from_bytes(data[at + 2 : at + _SIX], "little")] = found & ~0x3FFF
            return (found >> 1) ^ -(found & 1), at + 1 + shift // 7
        found |= (byte & _ONE_BYTE) << shift
        shift += 7
    raise Damaged("a number has no end, or is longer than 64 bits")


def span(data: bytes, at: int) -> tuple[int, int]:
    """Where the bytes begin and end whose length is told there."""
    size, at = read_long(data, at)
    if size < 0:
        raise Damaged("a negative length")
    return at, at + size


def block(data: bytes, at: int) -> tuple[int, int]:
    """How many items come next, and where the first of them begins."""
    count, at = read_long(data, at)
    if count < 0:
        _, at = read_long(data, at)
    if abs(count) > len(data):
        raise Damaged("more items than bytes")
    return abs(count), at
