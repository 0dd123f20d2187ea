"""What events that wait for their place in event time will bring: returns and clears, told to the gate ahead of it.

Owns: whose return an event will be, as far as can be known when it comes. Must not: decide anything; JOURNEY confirms
or drops what is told here once the clock has passed it.
"""

from collections.abc import Container

from postcart.domain.detect.outcome import Detected
from postcart.domain.detect.visitor import FOR_EVER, Visitor
from postcart.domain.detect.waiting import CartCleared, Identified, SessionEnded
from postcart.events.signals import Emptied, Returning

CHANGES_MEANING = frozenset({Identified.RANK, CartCleared.RANK, SessionEnded.RANK})
"""Ranks of the kinds that tell something by themselves, or change whose return the next event is."""


def foresee(visitor: Visitor, fresh: Container[str], out: Detected) -> None:
    """Tell of the returns and clears that ``fresh`` events (by id) bring, also by making others somebody's.

    An explicit end counts as one here, also where another session id goes on: rather a return too many than one missed.
    """
    person, session = visitor.person_id, visitor.session
    began_ms = session.started_ms if session else 0
    changed, over_ms = False, FOR_EVER
    for event in visitor.pending:
        at_ms = event.time
        news = changed or event.id in fresh
        if at_ms > over_ms:  # what is due at a moment comes after the events of that moment
            began_ms, over_ms = 0, FOR_EVER
        if isinstance(event, Identified):
            if event.person_id == person or (at_ms, event.sequence) <= (visitor.known_ms, visitor.known_seq):
                continue
            if person is not None:
                began_ms = 0
            person, changed = event.person_id, news
            if began_ms and news:
                _returns(visitor, person, max(at_ms, began_ms), out)
            continue
        if not began_ms and at_ms > visitor.decided_ms:
            began_ms = at_ms
            if news and person is not None:
                _returns(visitor, person, at_ms, out)
        if isinstance(event, CartCleared) and event.reason == "emptied" and news and person is not None:
            out.signals.append(Emptied(person_id=person, visitor_id=visitor.visitor_id, at_ms=at_ms))
        over_ms = FOR_EVER
        if isinstance(event, SessionEnded):
            over_ms = at_ms
            if event.reason == "logout":
                began_ms, person, changed = 0, None, news


def _returns(visitor: Visitor, person_id: str, at_ms: int, out: Detected) -> None:
    out.signals.append(Returning(person_id=person_id, visitor_id=visitor.visitor_id, at_ms=at_ms))
