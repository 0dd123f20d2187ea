"""Avro values by functions that are written once per schema (``avro_source``).

Owns: which reader a schema has: compiled ahead, put together now, or fastavro's. Must not: resolve against a reader's
schema, or know what a value means.

Much of what DETECT does with an Avro record is reading it. fastavro stays the reference: ``reader_of`` gives the same
values for the same bytes, tests hold that, and what it does not know (a logical type of somebody else's schema) is left
to fastavro.
"""

import io
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

import fastavro

from postcart.codecs.avro_source import IMPORTS, Unsupported, source_of

Reader = Callable[[bytes, int], tuple[Any, int]]
"""Reads a value that begins there; returns it and where the next begins: of damaged bytes maybe behind their end."""


def _compiled_ahead() -> Mapping[str, Reader]:
    name = "postcart.codecs.avro_ahead"
    if find_spec(name) is None:  # only a build that compiles the hot modules has it
        return {}
    readers: Mapping[str, Reader] = import_module(name).READERS
    return readers


_AHEAD: Final = _compiled_ahead()


def reader_of(parsed: Any) -> Reader | None:
    """The reader of a schema as ``fastavro.parse_schema`` returns it; None if it is left to fastavro.

    What the reader returns is what ``fastavro.schemaless_reader`` returns with ``return_record_name`` and
    ``return_record_name_override``: of a union of several records a tuple of name and value. It raises ``Damaged``,
    ``IndexError``, ``struct.error`` or ``UnicodeDecodeError``; the caller checks that the end is that of the payload.
    """
    try:
        source = source_of(parsed)
    except Unsupported:
        return None
    ready = _AHEAD.get(source.digest)
    if ready is not None:
        return ready
    space: dict[str, Any] = {}
    exec(IMPORTS + source.text, space)  # noqa: S102 -- of the schema only names are in it, quoted
    reader: Reader = space[source.name]
    return reader


def reference(parsed: Any) -> Reader:
    """Fastavro's reader in the same shape."""

    def read(data: bytes, at: int) -> tuple[Any, int]:
        stream = io.BytesIO(data)
        stream.seek(at)
        value = fastavro.schemaless_reader(
            stream, parsed, None, return_record_name=True, return_record_name_override=True
        )
        return value, stream.tell()

    return read
