"""What a decoder may run into when the bytes are not what they should be, as one error with a reason.

Owns: that list. Must not: decode.

Whatever is missing here ends the worker that meets it, and the next one after it: a record that can't be read stays
where it is.
"""

from typing import Final

import msgspec

from postcart.errors import UnreadableRecord

UNREADABLE: Final = (UnreadableRecord, ValueError, RecursionError)
"""msgspec's errors and Python's for wrong UTF-8 are ValueErrors; JSON nested a thousand deep is a RecursionError."""


def unreadable(error: Exception) -> UnreadableRecord:
    """The error with a reason of the closed set."""
    if isinstance(error, UnreadableRecord):
        return error
    if isinstance(error, RecursionError):
        return UnreadableRecord("decode", "nested too deep")
    # A ValidationError is a DecodeError too: JSON as such, but not of this shape.
    return UnreadableRecord("invalid" if isinstance(error, msgspec.ValidationError) else "decode", str(error))
