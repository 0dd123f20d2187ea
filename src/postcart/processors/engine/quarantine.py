"""Records that kill the process are found and set aside as dead letters.

Owns: finding the record, and its letter. Must not: process anything itself.
"""

from collections.abc import Awaitable, Callable

from confluent_kafka import Message

from postcart.codecs import dead_letters
from postcart.errors import UnreadableRecord
from postcart.processors.engine.task import Output

REASON = "crashed"

Trial = Callable[[int], Awaitable[str | None]]
"""Tries the first so many records; returns why that ends the process, or ``None``."""


async def first_killer(count: int, trial: Trial) -> tuple[int, str] | None:
    """The first of ``count`` records that ends the process, and how; ``None`` if all of them can be processed.

    Tries about log2(count) times, and once more at the end: what does not do it again is not blamed.
    """
    if await trial(count) is None:
        return None
    harmless, deadly = 0, count
    while deadly - harmless > 1:
        middle = (harmless + deadly) // 2
        if await trial(middle) is None:
            harmless = middle
        else:
            deadly = middle
    cause = await trial(deadly)
    return None if cause is None else (deadly - 1, cause)


def letter(record: Message, cause: str, *, crashes: int, stage: str, topic: str) -> Output:
    """The dead letter of a record that has been found."""
    error = UnreadableRecord(REASON, f"ends the process by {cause}; it had ended {crashes} times in a row")
    key, value = dead_letters.encode(dead_letters.dead_letter(record, error, stage=stage))
    return Output(topic, key, value)
