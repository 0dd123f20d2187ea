"""What DETECT tells: signals for JOURNEY, decisions on anonymous abandonments, how events fared.

Owns: the collector and the telling of lines. Must not: decide.
"""

from msgspec import Struct, field

from postcart.domain.detect.visitor import Visitor
from postcart.domain.detect.waiting import Waiting
from postcart.events.decisions import AbandonmentDecided
from postcart.events.shop import CartEvents, SessionEvents
from postcart.events.signals import LinesChanged, LineState, Signal, SignalOrder

FORGOTTEN = SignalOrder(phase=2)
"""Place of forgetting: behind the ends that fall due at the same moment."""

Arrival = SessionEvents | CartEvents


class Detected(Struct, gc=False):
    """What folding brought: signals for JOURNEY, decisions on anonymous abandonments, events that came to nothing."""

    signals: list[Signal] = field(default_factory=list)
    decisions: list[AbandonmentDecided] = field(default_factory=list)
    late: list[Waiting] = field(default_factory=list)
    repeated: list[Waiting] = field(default_factory=list)


def caused(event: Waiting, position: int = 0) -> SignalOrder:
    """Place of a signal that ``event`` causes."""
    return SignalOrder(sequence=event.sequence, rank=event.RANK, cause=event.id, position=position)


def due(end_id: str) -> SignalOrder:
    """Place of an end that falls due: behind everything that events of the same moment cause, then by its id.

    Two devices of a person may end at one moment; which of them opens the episode must not depend on arrival.
    """
    return SignalOrder(phase=1, cause=end_id)


def tell_lines(
    visitor: Visitor, lines: tuple[LineState, ...], out: Detected, *, at_ms: int, order: SignalOrder
) -> None:
    """Lines that changed, or became the person's, outside a visit."""
    if lines and visitor.person_id is not None:
        out.signals.append(
            LinesChanged(
                person_id=visitor.person_id, visitor_id=visitor.visitor_id, at_ms=at_ms, order=order, lines=lines
            )
        )


def take_unsent(visitor: Visitor) -> tuple[LineState, ...]:
    """Every change since JOURNEY was told, in order; they count as told."""
    unsent, visitor.unsent = visitor.unsent, []
    return tuple(unsent)


def all_lines(visitor: Visitor) -> tuple[LineState, ...]:
    """Every line with removed ones, for a person who has none of them yet; they count as told."""
    visitor.unsent = []
    return tuple(visitor.lines.values())
