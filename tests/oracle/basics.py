"""Words that both halves of the naive implementation use: times, ids, lines, happenings.

Owns: reading a JSON event, its place in the order, lines of a cart and what they are worth. Must not: decide.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
POSTCART = UUID("6f1d2c58-0d3e-5a63-9d0b-0f4e5b7c2a11")
KINDS = {
    "identified": 0,
    "started": 1,
    "viewed": 2,
    "added": 3,
    "changed": 3,
    "snapshot": 3,
    "removed": 4,
    "coupon": 4,
    "checkout_step": 5,
    "heartbeat": 6,
    "cleared": 7,
    "exit": 8,
    "ended": 9,
}
AFTER_ALL_VISITOR_EVENTS = 99

Json = dict[str, Any]


def milliseconds(time: int | str) -> int:
    """Milliseconds since the epoch of a time as events carry it."""
    if isinstance(time, int):
        return time
    moment = datetime.fromisoformat(time)
    return (moment.replace(tzinfo=moment.tzinfo or UTC) - EPOCH) // timedelta(milliseconds=1)


def moment(at: int) -> datetime:
    """The UTC moment."""
    return EPOCH + timedelta(milliseconds=at)


def iso(at: int) -> str:
    """ISO 8601 with Z, milliseconds only where there are any."""
    spec = "milliseconds" if at % 1000 else "seconds"
    return moment(at).replace(tzinfo=None).isoformat(timespec=spec) + "Z"


def day(at: int) -> date:
    """The UTC day."""
    return moment(at).date()


def place(event: Json) -> tuple[int, int, int, str]:
    """Where an event stands: time, sequence, kind, id."""
    rank = KINDS.get(event["type"], AFTER_ALL_VISITOR_EVENTS)
    return milliseconds(event["time"]), event.get("sequence", 0), rank, event["id"]


def end_id(visitor: str, last_event: str) -> str:
    """Id of a session's end."""
    try:
        namespace = UUID(visitor)
    except ValueError:
        namespace = uuid5(POSTCART, visitor)
    return str(uuid5(namespace, last_event))


def episode_of(abandonment: str) -> str:
    """Id of the episode that this abandonment opens, or would open."""
    return str(uuid5(UUID(abandonment), "episode"))


@dataclass(frozen=True)
class Line:
    """A variant in a cart after its last change; quantity 0: taken out."""

    variant: str
    quantity: int
    changed: tuple[int, int, int, str]
    price: Decimal = Decimal(0)
    currency: str = ""
    category: str | None = None

    @property
    def value(self) -> Decimal:
        """Quantity times unit price."""
        return self.quantity * self.price


def value_and_currency(lines: list[Line]) -> tuple[Decimal | None, str | None]:
    """Sum and currency; unknown where the lines do not share one currency."""
    currencies = {line.currency for line in lines}
    if len(currencies) != 1:
        return None, None
    return sum((line.value for line in lines[1:]), lines[0].value), currencies.pop()


def main_category(lines: list[Line]) -> str | None:
    """The category with most value, ties by id."""
    values: dict[str, Decimal] = {}
    for line in lines:
        if line.category is not None:
            values[line.category] = values.get(line.category, Decimal(0)) + line.value
    return min(values, key=lambda category: (-values[category], category), default=None)


@dataclass
class Abandonment:
    """A session that ended with lines in the visitor's cart."""

    id: str
    visitor: str
    session: str | None
    trigger: str
    at: int
    lines: list[Line]
    tags: Json

    def line(self, *, person: str | None, episode: str, visitor_tag: str | None) -> Json:
        """The line of output."""
        value, currency = value_and_currency(self.lines)
        return {
            "type": "abandonment",
            "abandonment_id": self.id,
            "episode_id": episode,
            "visitor_id": self.visitor,
            "person_id": person,
            "session_id": self.session,
            "trigger": self.trigger,
            "abandoned_at": iso(self.at),
            "lines": [
                {"variant_id": line.variant, "quantity": line.quantity, "unit_price": format(line.price, "f")}
                for line in self.lines
            ],
            "value": None if value is None else format(value, "f"),
            "currency": currency,
            "tags": self.tags | {"visitor": visitor_tag, "engaged": None, "purchase_probability": None},
        }


PROFILE, EVENT, DUE, FORGOTTEN, STEP, EXPIRY = range(6)
"""Order of a person's happenings at the same moment."""


@dataclass
class Happening:
    """Something that concerns a person at a moment.

    Attributes:
        cause: Sequence, kind and id of the event that caused it: orders what happens at the same moment.
        cart: Which of the visitor's carts the lines belong to (a logout begins another).
        recovered: The lines come with an abandonment that is recovered at the same moment.
    """

    person: str
    at: int
    phase: int
    cause: tuple[int, int, str]
    kind: str
    visitor: str = ""
    cart: tuple[str, int] = ("", 0)
    lines: list[Line] = field(default_factory=list)
    abandonment: Abandonment | None = None
    recovered: bool = False
    event: Json = field(default_factory=dict)

    @property
    def order(self) -> tuple[int, int, tuple[int, int, str]]:
        """Its place on the person's agenda; happenings of one cause stay in their order."""
        return self.at, self.phase, self.cause
