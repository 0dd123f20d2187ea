"""All that a sender holds of one partition number.

Owns: that state. Must not: do I/O, or read a clock.
"""

import asyncio
from dataclasses import dataclass, field
from typing import NamedTuple

from postcart.events.jobs import Claim
from postcart.senders.claims import ClaimBook
from postcart.senders.gate_view import GateView
from postcart.senders.item import Item
from postcart.senders.positions import Positions


class Silent(NamedTuple):
    """An earlier owner's claim without an outcome."""

    due_s: float
    """When it counts as unanswered, on the elapsed-time clock."""
    claim: Claim
    item: Item | None
    """Its job, if it could be read again."""


@dataclass(slots=True, eq=False)
class Desk:
    """Of one partition number, from the end of its restore until it is given up."""

    number: int
    view: GateView
    book: ClaimBook
    positions: dict[str, Positions]
    """By jobs topic."""
    committed: dict[str, int]
    """Offset last committed, by jobs topic."""
    silent: list[Silent] = field(default_factory=list)
    sends: set[asyncio.Task[None]] = field(default_factory=set)
    unwritten: int = 0
    """Claims and endings on their way into a transaction."""
    leaving: bool = False
    paused: set[str] = field(default_factory=set)
    """Jobs topics that are not read now."""

    def moved(self) -> dict[tuple[str, int], int]:
        """Offsets that differ from what was committed last."""
        found = {}
        for topic, positions in self.positions.items():
            low = positions.low_water()
            if low != self.committed[topic]:
                found[topic, self.number] = low
        return found

    @property
    def busy(self) -> bool:
        """Whether something of it still has to be sent or written."""
        return bool(self.sends) or self.unwritten > 0
