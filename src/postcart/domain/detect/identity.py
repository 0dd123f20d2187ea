"""Who the visitor is: login, another person's login, logout.

Owns: what they do to the visitor's cart, session and anonymous abandonment. Must not: know persons beyond their ids.
"""

from msgspec import structs

from postcart.domain.detect import cart
from postcart.domain.detect.ends import end_at_once
from postcart.domain.detect.outcome import Detected, all_lines, caused, tell_lines
from postcart.domain.detect.rules import Rules
from postcart.domain.detect.visitor import Visitor
from postcart.domain.detect.waiting import Identified, SessionEnded
from postcart.events.signals import AbandonmentRecovered, LinesChanged, VisitStarted


def identify(visitor: Visitor, event: Identified, at_ms: int, rules: Rules, out: Detected) -> None:
    """The visitor is this person. Another person than before takes over an empty cart."""
    former, order = visitor.person_id, caused(event)
    if former == event.person_id:
        return
    visitor.known_ms, visitor.known_seq = at_ms, event.sequence
    if former is not None:
        if visitor.session is not None:
            end_at_once(visitor, visitor.session, event, rules, out, at_ms=at_ms)
        else:
            left = LinesChanged(
                person_id=former, visitor_id=visitor.visitor_id, at_ms=at_ms, order=order, lines=(), left=True
            )
            out.signals.append(left)
        cart.empty(visitor, at_ms, event.sequence)
        visitor.person_id = event.person_id
        return
    visitor.person_id = event.person_id
    anonymous, visitor.anonymous = visitor.anonymous, None
    if visitor.session is not None:
        started = VisitStarted(
            person_id=event.person_id,
            visitor_id=visitor.visitor_id,
            at_ms=max(at_ms, visitor.session.started_ms),
            order=order,
            lines=all_lines(visitor),
        )
        out.signals.append(started)
    elif anonymous is not None and at_ms <= anonymous.abandoned_ms + rules.recover_ms and cart.filled(visitor):
        recovered = AbandonmentRecovered(
            person_id=event.person_id,
            visitor_id=visitor.visitor_id,
            at_ms=at_ms,
            order=order,
            abandonment=structs.replace(anonymous, person_id=event.person_id),
            lines=all_lines(visitor),
        )
        out.signals.append(recovered)
    else:
        tell_lines(visitor, all_lines(visitor), out, at_ms=at_ms, order=order)


def leave(visitor: Visitor, event: SessionEnded, at_ms: int, rules: Rules, out: Detected) -> None:
    """A logout: the session ends at once, the cart is emptied, the person forgotten."""
    if visitor.session is not None:
        end_at_once(visitor, visitor.session, event, rules, out, at_ms=at_ms)
    cart.empty(visitor, at_ms, event.sequence)
    visitor.person_id = visitor.anonymous = None
    visitor.known_ms, visitor.known_seq = at_ms, event.sequence


def is_outdated(visitor: Visitor, event: Identified, at_ms: int) -> bool:
    """Whether the visitor's person changed at or after this identification, which came late or again."""
    return (at_ms, event.sequence) <= (visitor.known_ms, visitor.known_seq)
