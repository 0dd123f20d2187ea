"""What employees are told of: troubles, from their alerts; each once, what gets worse again, and when it is over.

Owns: which alert is news, and which news go into one message. Must not: word or send it, or read a clock.

An alert that comes again is no news; nor is one that is older than what is known of its trouble, or that does not make
it worse. A trouble that begins and ends before it was told is told to nobody.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from msgspec import Struct

from postcart.events.alerts import Alert, AlertKind
from postcart.events.ids import namespace_of, uuid5
from postcart.events.shop import VariantUpdated, time_ms
from postcart.events.times import from_ms, to_ms

Change = Literal["begun", "worse", "over"]
Place = tuple[str, int]
"""Topic and partition."""

MOST: Final = 500
"""Alerts of one message; more make another."""


class Trouble(Struct, gc=False):
    """How one stands: the level that was reached, whether it lasts, and what was heard last."""

    level: int
    lasts: bool
    at_ms: int
    alert_id: str


def heed(troubles: dict[str, Trouble], alert: Alert) -> Change | None:
    """Take an alert in; None: it is no news. Idempotent."""
    known, at_ms = troubles.get(alert.dedup_key), to_ms(alert.at)
    if known is not None and (known.alert_id == alert.alert_id or at_ms < known.at_ms):
        return None
    lasted = known is not None and known.lasts
    level = max(alert.level, known.level) if known is not None and lasted else alert.level
    troubles[alert.dedup_key] = Trouble(level, not alert.resolved, at_ms, alert.alert_id)
    if alert.resolved:
        return "over" if lasted else None
    if known is None or not lasted:
        return "begun"
    return "worse" if alert.level > known.level else None


def stock_alert(variant: VariantUpdated, below: int) -> Alert:
    """With ``below`` pieces or fewer it is short; with none it is sold out: a level more."""
    short = variant.stock is not None and variant.stock <= below
    sold_out = variant.stock is not None and variant.stock <= 0
    return Alert(
        alert_id=uuid5(namespace_of(variant.variant_id), f"stock/{variant.id}"),
        kind="stock",
        dedup_key=f"stock/{variant.variant_id}",
        at=from_ms(time_ms(variant)),
        cause="low_stock",
        level=2 if sold_out else 1,
        resolved=not short,
        variant_id=variant.variant_id,
    )


class Sort(NamedTuple):
    """What one message is about."""

    kind: AlertKind
    cause: str
    carrier: str | None
    over: bool


@dataclass(slots=True, eq=False)
class Bundle:
    """Alerts of one sort, told in one message.

    Attributes:
        since_s: When the first came, on the caller's clock.
        alerts: The latest of each trouble, in the order in which they came.
        places: Where they were read: the first position of each partition.
    """

    sort: Sort
    since_s: float
    alerts: dict[str, Alert] = field(default_factory=dict)
    places: dict[Place, int] = field(default_factory=dict)

    @property
    def bundle_id(self) -> str:
        """The same for the same alerts."""
        return uuid5(namespace_of("alerts"), "/".join(sorted(one.alert_id for one in self.alerts.values())))


class Bundles:
    """News that wait until others of their sort have come.

    Args:
        wait_s: How long the first of a sort waits.
    """

    def __init__(self, wait_s: float) -> None:
        self._wait_s = wait_s
        self._open: dict[Sort, Bundle] = {}
        self._full: list[Bundle] = []

    def add(self, alert: Alert, change: Change, *, place: Place, position: int, now_s: float) -> None:
        """Take news in. What is over before it was told is forgotten."""
        sort = Sort(alert.kind, alert.cause, alert.carrier, over=change == "over")
        untold = self._open.get(sort._replace(over=False))
        if change == "over" and untold is not None and untold.alerts.pop(alert.dedup_key, None) is not None:
            return
        bundle = self._open.setdefault(sort, Bundle(sort, now_s))
        bundle.alerts[alert.dedup_key] = alert
        bundle.places[place] = min(position, bundle.places.get(place, position))
        if len(bundle.alerts) >= MOST:
            self._full.append(self._open.pop(sort))

    def due(self, now_s: float) -> Iterator[Bundle]:
        """Those whose time has come; they are not here any more."""
        ripe = [sort for sort, bundle in self._open.items() if now_s - bundle.since_s >= self._wait_s]
        full, self._full = self._full, []
        for bundle in [*full, *(self._open.pop(sort) for sort in ripe)]:
            if bundle.alerts:
                yield bundle

    def waiting(self) -> list[Bundle]:
        """Those that are still here."""
        return [*self._full, *self._open.values()]
