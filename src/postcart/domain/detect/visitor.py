"""What DETECT keeps of a visitor: one row.

Owns: the row's fields and its next deadline. Must not: decide anything from them.

Rows are arrays without the names of fields: a field is added only at the end and with a default.
"""

from typing import Final

from msgspec import Struct, field

from postcart.domain.detect.rules import Rules
from postcart.domain.detect.waiting import (
    AnyWaiting,
    CartCleared,
    CheckoutStep,
    Identified,
    PageExited,
    SessionEnded,
)
from postcart.events.signals import Abandonment, LineState, Trigger

TRIGGERS: Final[tuple[Trigger, ...]] = ("checkout", "ended", "exit", "inactivity")
"""Triggers in the order that breaks ties; rows hold their places."""
CHECKOUT, ENDED, EXIT, INACTIVITY = range(4)
FOR_EVER: Final = 1 << 62
"""A sequence, or a clock, after all others."""

CAN_END_EARLY: Final = frozenset(
    kind.RANK for kind in (SessionEnded, PageExited, Identified, CartCleared, CheckoutStep)
)
"""Ranks of the kinds after which a session may end sooner than by inactivity."""


class Session(Struct, gc=False, kw_only=True, array_like=True):
    """The open session of a visitor.

    Attributes:
        ends: End of each session id ("" for none) and the trigger's place in TRIGGERS.
        latest: The latest of them, ties in the order of TRIGGERS.
        leaving: Whether an id may have ended by a page exit.
        checkout_ms: The end by checkout while one has begun, else 0.
        cleared_ms: The latest clear in this session, after which only later steps begin a checkout; else 0.
        last_ms, last_id, last_session_id: Of the session's last event, in the order of folding.
    """

    started_ms: int
    last_ms: int
    last_id: str
    last_session_id: str | None = None
    device: str | None = None
    checkout_ms: int = 0
    cleared_ms: int = 0
    ends: dict[str, tuple[int, int]] = field(default_factory=dict)
    latest: tuple[int, int] = (0, INACTIVITY)
    leaving: bool = False

    def end(self) -> tuple[int, int]:
        """When the session ends as things stand, and the place of its trigger."""
        return (self.checkout_ms, CHECKOUT) if self.checkout_ms else self.latest

    def set_end(self, session_id: str, end: tuple[int, int]) -> None:
        """The id ends then; also keeps the latest of all ends, as a visitor may have hundreds of ids."""
        former = self.ends.get(session_id)
        self.ends[session_id] = end
        if _later(end) >= _later(self.latest):
            self.latest = end
        elif former == self.latest:
            self.latest = max(self.ends.values(), key=_later)


def _later(end: tuple[int, int]) -> tuple[int, int]:
    return end[0], -end[1]


class Visitor(Struct, gc=False, kw_only=True, array_like=True):
    """A visitor: person, cart, open session, and the events that are not yet folded.

    Attributes:
        lines: By variant, with removed ones (quantity 0) as floors against late events.
        floor_ms, floor_seq: Changes at or before this are too late: a snapshot, a clear or a logout came after.
        unsent: Changes of lines that JOURNEY was not told yet, in order; empty without a person.
        last_ms, last_seq, last_rank: Of the latest event folded.
        known_ms, known_seq: The latest change of person, logouts included: what identified it earlier is outdated.
        decided_ms, decided_seq: The latest end decided; events before it are late.
        anonymous: The latest abandonment without a person.
        pending: Events not yet folded, in the order of folding.
        indexed_ms: The deadline under which the row stands in the task's index; 0 for none.
    """

    session: Session | None = None
    pending: list[AnyWaiting] = field(default_factory=list)
    # Those two come first: of a row at rest only its beginning is looked at to tell whether it waits for anything.
    visitor_id: str
    person_id: str | None = None
    lines: dict[str, LineState] = field(default_factory=dict)
    floor_ms: int = 0
    floor_seq: int = 0
    unsent: list[LineState] = field(default_factory=list)
    last_ms: int = 0
    last_seq: int = 0
    last_rank: int = 0
    known_ms: int = 0
    known_seq: int = 0
    decided_ms: int = 0
    decided_seq: int = 0
    anonymous: Abandonment | None = None
    indexed_ms: int = 0

    def deadline_ms(self, rules: Rules) -> int:
        """When the row must be looked at at the latest, however many events come; event time.

        Folding is lazy: pending events wait for the next touch, unless one of them could end a session or must be
        told to JOURNEY by its time.
        """
        pending, session = self.pending, self.session
        if not pending:
            return session.end()[0] if session else self.last_ms + rules.forget_ms
        first_ms, early = pending[0].time, FOR_EVER
        for event in pending:
            if event.RANK in CAN_END_EARLY:  # the first of them, as pending events are in order
                early = event.time
                break
        if session:
            return min(session.end()[0], early)
        if self.person_id is not None:
            # JOURNEY is also told, in time, that the cart was forgotten before the next event.
            return min(first_ms, self.last_ms + rules.forget_ms)
        return min(first_ms + rules.inactivity_ms, early)
