"""What a run showed: records as they are read back, and what the judge is given of them.

Owns: which topics are watched, and that reading. Must not: judge.
"""

import json
import signal
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from faults.crew import Ended
from faults.judge import Evidence
from faults.load import comparable
from postcart.codecs.dead_letters import DeadLetter, DeadRecord
from postcart.events.jobs import Claim, Job, Receipt, ReceiptRecord
from postcart.events.signals import AnySignal, TaskClock

if TYPE_CHECKING:
    from faults.world import World

T = TypeVar("T")
POOL = 8
"""Connections of a sender."""

IN_FLIGHT = 4 * POOL
"""C: messages in flight per sender."""
_SHARED_LINES = frozenset({"abandonment", "planned", "due", "cancelled"})
"""Decisions that the naive implementation makes, too; the others are reasons."""


def _decision(value: bytes) -> str | None:
    line = json.loads(value)
    return comparable(line) if line["type"] in _SHARED_LINES else None


def _only(kind: type[T], union: Any) -> Callable[[bytes], T | None]:
    """Decodes records of this kind; others of the union are left out."""
    decode = msgspec.json.Decoder(union).decode

    def only(value: bytes) -> T | None:
        try:
            found = decode(value)
        except msgspec.DecodeError:  # poison: the judge looks for its dead letter
            return None
        return found if isinstance(found, kind) else None

    return only


WATCHED: dict[str, Callable[[bytes], Any]] = {
    "decisions": _decision,
    "jobs.email.marketing": _only(Job, Job),
    "jobs.email.transactional": _only(Job, Job),
    "receipts": _only(Receipt, ReceiptRecord),
    "claims.email": _only(Claim, Claim),
    "dead": _only(DeadLetter, DeadRecord),
    "signals": _only(TaskClock, AnySignal),
    "journey.changelog": lambda _: None,
}


def evidence_of(world: "World", lag: dict[str, int | None]) -> Evidence:
    """Everything that the judge wants to know."""
    letters = {letter.id: letter for letter in world.tails["dead"].found}  # read again, it is the same letter
    ended = world.crew.ended
    return Evidence(
        load=world.load,
        in_flight=IN_FLIGHT,
        parcels={job.job_id: job.person_id for job in world.shipping.jobs.values()},
        decisions=world.decisions(),
        jobs=world.jobs(),
        receipts=world.receipts(),
        claims=world.tails["claims.email"].found,
        taken=[(_job_of(mail.entry.message_id), mail.entry.recipient) for mail in tuple(world.room.sink.received)],
        lag=lag,
        deaths=sum(1 for end in ended if end.kind == "email" and not _politely(end)),
        ambiguous=getattr(world.room.manner, "count", 0) + int(world.notes.get("ambiguous", 0)),
        codes=Counter(end.code for end in ended if not _politely(end)),
        letters=Counter(letter.reason for letter in letters.values()),
        letters_due=world.letters_due,
        apart=world.is_apart,
    )


def _politely(end: Ended) -> bool:
    """Told to go, and gone; one that had not yet begun dies of the signal."""
    return end.asked and end.code in {0, -signal.SIGTERM}


def _job_of(message_id: str) -> str:
    return message_id.strip("<>").partition("@")[0]
