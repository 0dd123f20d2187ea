"""The topic of dead letters: what is there, and writing it to where it came from once more.

Owns: reading that topic and redriving from it. Must not: decide what is dead, or change a record.
"""

from postcart.adapters.dead_letters.reading import (
    DeadGroup,
    Found,
    LetterFilter,
    find_letter,
    grouped,
    original_value,
    read_letters,
)
from postcart.adapters.dead_letters.redriving import RedriveReport, redrive

__all__ = [
    "DeadGroup",
    "Found",
    "LetterFilter",
    "RedriveReport",
    "find_letter",
    "grouped",
    "original_value",
    "read_letters",
    "redrive",
]
