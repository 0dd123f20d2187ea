"""The topic of dead letters: what is there, and writing it to where it came from once more.

Owns: reading that topic, redriving from it and writing what was mended. Must not: decide what is dead.
"""

from postcart.adapters.dead_letters.editing import settled, standing_of, write_revision, write_unmasked
from postcart.adapters.dead_letters.index import DeadGroup, State
from postcart.adapters.dead_letters.orders import RedriveOrder, RedriveReport
from postcart.adapters.dead_letters.preparing import GONE, TOO_LATE
from postcart.adapters.dead_letters.reading import (
    REVISION_HEADER,
    Case,
    Found,
    LetterFilter,
    dead_groups,
    find_letter,
    header,
    original_value,
    read_letters,
    read_runs,
)
from postcart.adapters.dead_letters.redriving import redrive
from postcart.adapters.dead_letters.standings import JobTopics

__all__ = [
    "GONE",
    "REVISION_HEADER",
    "TOO_LATE",
    "Case",
    "DeadGroup",
    "Found",
    "JobTopics",
    "LetterFilter",
    "RedriveOrder",
    "RedriveReport",
    "State",
    "dead_groups",
    "find_letter",
    "header",
    "original_value",
    "read_letters",
    "read_runs",
    "redrive",
    "settled",
    "standing_of",
    "write_revision",
    "write_unmasked",
]
