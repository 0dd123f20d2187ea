"""What DETECT tells JOURNEY about a person's visitors (topic ``signals``, key: person_id).

Owns: the signals' fields and the order in which a person's signals and orders are folded. Must not: know
sessions (they are DETECT's) or episodes (they are JOURNEY's).
"""

from decimal import Decimal
from typing import Literal, NamedTuple

from msgspec import Struct

from postcart.events.shop import Product

Trigger = Literal["checkout", "ended", "exit", "inactivity"]
Stage = Literal["cart", "checkout"]


class SignalOrder(NamedTuple):
    """Place of a signal among those of the same moment.

    What an event causes (phase 0) comes before what falls due at that moment (phase 1); within a phase the causing
    event's sequence, rank and id decide, then the position among the signals of one cause.
    """

    phase: int = 0
    sequence: int = 0
    rank: int = 0
    cause: str = ""
    position: int = 0


class LineState(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """A variant of a visitor's cart after its last change; quantity 0 says that it was taken out."""

    variant_id: str
    quantity: int
    changed_ms: int
    sequence: int = 0
    unit_price: Decimal = Decimal(0)
    currency: str | None = None
    product: Product | None = None


class Tags(Struct, frozen=True, gc=False, kw_only=True):
    """What is known about an abandonment; unknown is None.

    Attributes:
        duration_s: From the session's first event to its end, whole seconds.
        visitor: JOURNEY's: ``returning`` if the person had an earlier order or episode.
        engaged: JOURNEY's: opened or clicked a message within 90 days.
    """

    duration_s: int | None = None
    value_band: str | None = None
    stage: Stage | None = None
    device: str | None = None
    category: str | None = None
    peak: bool | None = None
    visitor: Literal["first_time", "returning"] | None = None
    engaged: bool | None = None
    purchase_probability: float | None = None


class Abandonment(Struct, frozen=True, gc=False, kw_only=True):
    """A session that ended with lines in the visitor's cart. One per session end.

    Attributes:
        abandoned_ms: The end of the session, event time.
        value: Sum of quantity times unit price; None if the lines have several currencies.
    """

    abandonment_id: str
    visitor_id: str
    person_id: str | None
    session_id: str | None
    trigger: Trigger
    abandoned_ms: int
    lines: tuple[LineState, ...]
    value: Decimal | None
    currency: str | None
    tags: Tags


class Signal(Struct, frozen=True, gc=False, kw_only=True, tag_field="type", omit_defaults=True):
    """What all signals have. ``at_ms`` is event time."""

    person_id: str
    visitor_id: str
    at_ms: int
    order: SignalOrder = SignalOrder()


class VisitStarted(Signal, frozen=True, gc=False, kw_only=True, tag="visit_started", omit_defaults=True):
    """The person is in a session from this moment; ``lines`` as far as JOURNEY doesn't have them."""

    lines: tuple[LineState, ...] = ()


class LinesChanged(Signal, frozen=True, gc=False, kw_only=True, tag="lines_changed", omit_defaults=True):
    """Lines changed outside a visit: by a late event, or because the visitor was identified then.

    Attributes:
        left: The visitor is another person's from now on; its lines stay.
    """

    lines: tuple[LineState, ...]
    left: bool = False


class VisitEnded(Signal, frozen=True, gc=False, kw_only=True, tag="visit_ended", omit_defaults=True):
    """The visitor's session ended. ``end_id`` is the abandonment's id if it is one.

    Attributes:
        lines: Every change of a line during the visit, in order: within a session nothing is decided that could
            need one sooner.
        left: The visitor is no longer this person's (logout, other login); its lines stay.
    """

    end_id: str
    trigger: Trigger
    lines: tuple[LineState, ...] = ()
    left: bool = False
    abandonment: Abandonment | None = None


class AbandonmentRecovered(
    Signal, frozen=True, gc=False, kw_only=True, tag="abandonment_recovered", omit_defaults=True
):
    """An anonymous abandonment whose visitor was identified at ``at_ms``, in time and outside a session."""

    abandonment: Abandonment
    lines: tuple[LineState, ...]


class VisitorForgotten(Signal, frozen=True, gc=False, kw_only=True, tag="visitor_forgotten", omit_defaults=True):
    """The visitor's cart was forgotten, 31 days after its last event."""


class Returning(Signal, frozen=True, gc=False, kw_only=True, tag="returning", omit_defaults=True):
    """At once, ahead of its place in event time: active again. Stops jobs at the gate, decides nothing."""


class Emptied(Signal, frozen=True, gc=False, kw_only=True, tag="emptied", omit_defaults=True):
    """At once, ahead of its place in event time: the cart was cleared. Stops jobs at the gate, decides nothing."""


class TaskClock(Struct, frozen=True, gc=False, kw_only=True, tag_field="type", tag="clock"):
    """All signals of DETECT's task up to and including ``clock_ms`` are before this record in this partition."""

    task: int
    clock_ms: int


AnySignal = (
    VisitStarted | LinesChanged | VisitEnded | AbandonmentRecovered | VisitorForgotten | Returning | Emptied | TaskClock
)
