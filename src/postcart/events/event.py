"""What every event of the shop has, and how events of one key are ordered.

Owns: the base of all events, their common field types, their time. Must not: know any kind of event.

``time`` is an ISO 8601 text or milliseconds since the epoch (Avro's timestamp-millis); ``time_ms`` reads both.
"""

from datetime import datetime
from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from postcart.events.times import to_ms

Id = Annotated[str, Meta(min_length=1, max_length=200)]
Text = Annotated[str, Meta(max_length=2_000)]
Quantity = Annotated[int, Meta(ge=0, le=1_000_000)]
Sequence = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
"""What rows and Avro can hold: a larger one would end the worker that writes it."""
Currency = Annotated[str, Meta(pattern="^[A-Z]{3}$")]


class Event(Struct, frozen=True, gc=False, kw_only=True, tag_field="type"):
    """What every event has. Events of one key are folded by (time, sequence, kind, id).

    Attributes:
        id: Unique; the same id again is a repeat and changes nothing.
        time: When it happened, by the source's clock.
        sequence: Breaks ties of equal times; 0 where the source has none.
    """

    RANK: ClassVar[int] = 99

    id: Id
    time: int | datetime
    sequence: Sequence = 0


def time_ms(event: Event) -> int:
    """The event's time in milliseconds since the epoch, UTC."""
    time = event.time
    return time if type(time) is int else to_ms(time)  # type: ignore[arg-type]  # int or datetime, nothing else


def moment_ms(moment: int | datetime) -> int:
    """A moment in milliseconds since the epoch, UTC."""
    return moment if isinstance(moment, int) else to_ms(moment)


def order_key(event: Event) -> tuple[int, int, int, str]:
    """The key by which events of a key are folded: time, sequence, kind, id."""
    return time_ms(event), event.sequence, event.RANK, event.id
