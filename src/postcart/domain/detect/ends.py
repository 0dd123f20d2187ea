"""How a session ends, and how a visitor is forgotten.

Owns: what an end does to the row and what is told of it. Must not: decide when.
"""

from postcart.domain.detect import cart
from postcart.domain.detect.abandonment import abandonment_of
from postcart.domain.detect.outcome import FORGOTTEN, Detected, caused, due, take_unsent
from postcart.domain.detect.rules import Rules
from postcart.domain.detect.visitor import ENDED, TRIGGERS, Session, Visitor
from postcart.domain.detect.waiting import Waiting
from postcart.events.decisions import abandonment_decided
from postcart.events.ids import end_id, episode_id
from postcart.events.signals import SignalOrder, VisitEnded, VisitorForgotten


def finish(
    visitor: Visitor,
    session: Session,
    rules: Rules,
    out: Detected,
    *,
    end_ms: int,
    trigger: int,
    order: SignalOrder | None = None,
    left: bool = False,
) -> None:
    """The session ended: tell JOURNEY of a known person's, decide an anonymous abandonment here.

    Without ``order`` the end fell due, no event caused it.
    """
    visitor.session = None
    identity = end_id(visitor.visitor_id, session.last_id)
    abandonment = abandonment_of(visitor, session, rules, end_id=identity, end_ms=end_ms, trigger=trigger)
    if visitor.person_id is not None:
        ended = VisitEnded(
            person_id=visitor.person_id,
            visitor_id=visitor.visitor_id,
            at_ms=end_ms,
            order=order or due(identity),
            end_id=identity,
            trigger=TRIGGERS[trigger],
            lines=take_unsent(visitor),
            left=left,
            abandonment=abandonment,
        )
        out.signals.append(ended)
    elif abandonment is not None:
        visitor.anonymous = abandonment
        out.decisions.append(abandonment_decided(abandonment, episode_id=episode_id(identity)))


def end_at_once(visitor: Visitor, session: Session, event: Waiting, rules: Rules, out: Detected, *, at_ms: int) -> None:
    """The session ends by this event, whatever other ids or a checkout are open."""
    order = caused(event, position=1)
    finish(visitor, session, rules, out, end_ms=at_ms, trigger=ENDED, order=order, left=True)
    visitor.decided_ms, visitor.decided_seq = at_ms, event.sequence


def forget(visitor: Visitor, rules: Rules, out: Detected) -> None:
    """31 days after the last event: no person, no cart, no abandonment to be recovered."""
    if visitor.person_id is not None:
        out.signals.append(
            VisitorForgotten(
                person_id=visitor.person_id,
                visitor_id=visitor.visitor_id,
                at_ms=visitor.last_ms + rules.forget_ms,
                order=FORGOTTEN,
            )
        )
    cart.empty(visitor, visitor.last_ms, visitor.last_seq)
    visitor.person_id = visitor.anonymous = None
    visitor.last_ms = visitor.last_seq = visitor.last_rank = 0
