"""Shop events as JSON lines: what ``events import`` writes, and ``simulate`` and ``replay`` read.

Owns: that file format. Must not: know CSV, Kafka, or what an event means.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import msgspec

from postcart.codecs.refusal import UNREADABLE, unreadable
from postcart.codecs.sanity import problem_of
from postcart.errors import ConfigurationError
from postcart.events.shop import ShopEvent

MOST_PROBLEMS = 20
_LINES_A_WRITE = 1_000


def write_json_lines(events: Iterable[ShopEvent], file: BinaryIO) -> int:
    """Write one JSON object a line, UTF-8, and return how many."""
    encode = msgspec.json.Encoder().encode_into
    buffer = bytearray()
    count = 0
    for event in events:
        encode(event, buffer, -1)
        buffer += b"\n"
        count += 1
        if count % _LINES_A_WRITE == 0:
            file.write(buffer)
            buffer.clear()
    file.write(buffer)
    return count


def read_json_lines(path: Path) -> Iterator[ShopEvent]:
    """Each line's event, in the file's order; empty lines are passed over.

    Raises:
        ConfigurationError: Up to 20 problems, each with ``file:line``. Raised at the first wrong line, after the rest
            of the file was looked through; the events before it have been handed out by then.
    """
    decoder: msgspec.json.Decoder[ShopEvent] = msgspec.json.Decoder(ShopEvent)
    decode = decoder.decode
    try:
        with path.open("rb") as file:
            for number, text in enumerate(file, start=1):
                try:
                    event = decode(text)
                except UNREADABLE:
                    event = None
                if event is not None and problem_of(event) is None:
                    yield event
                elif text.strip():
                    raise ConfigurationError(*_problems(path, number, chain([text], file)))
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror or error}; name a readable file") from error


def _problems(path: Path, first: int, lines: Iterable[bytes]) -> list[str]:
    decoder: msgspec.json.Decoder[ShopEvent] = msgspec.json.Decoder(ShopEvent)
    problems: list[str] = []
    for number, text in enumerate(lines, start=first):
        if not text.strip():
            continue
        try:
            problem = problem_of(decoder.decode(text))
        except UNREADABLE as error:
            problem = unreadable(error).detail
        if problem:
            problems.append(f"{path}:{number}: {problem}")
        if len(problems) == MOST_PROBLEMS:
            problems.append("there may be more: reading stopped here")
            break
    return problems
