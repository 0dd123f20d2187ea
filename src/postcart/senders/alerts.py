"""Alerts to employees: heard once, told at least once, to each destination by itself.

Owns: what is still to be told, to whom, when it is tried again, and how far all has been told. Must not: fetch,
word, or know a destination.

It keeps no state of its own: the topics are read from their beginning; what lies before the group's commit was told.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, Protocol

import structlog

from postcart.domain.troubles import Bundle, Bundles, Place, Trouble, heed
from postcart.errors import DeliveryError, ProviderBusy, RecipientRejected
from postcart.events.alerts import Alert, AlertKind
from postcart.senders.backoff import probe_backoff_s

log = structlog.get_logger(__name__)

_FIRST_S: Final = 1.0
_MOST_S: Final = 60.0

Told = Literal["told", "refused", "failed"]


class Destination(Protocol):
    """Where employees read."""

    @property
    def name(self) -> str:
        """For logs and metrics."""
        ...

    @property
    def kinds(self) -> Collection[AlertKind]:
        """What goes there."""
        ...

    async def tell(self, bundle: Bundle) -> None:
        """Hand over one message. Raises DeliveryError."""
        ...


class AlertMetrics(Protocol):
    """What is counted."""

    def told(self, destination: str, kind: AlertKind, outcome: Told) -> None:
        """An attempt at one message ended (alert_messages_total)."""
        ...


@dataclass(slots=True, eq=False)
class _Delivery:
    """A message that a destination is still to get."""

    destination: Destination
    bundle: Bundle
    failures: int = 0
    not_before_s: float = 0.0


class Heard(NamedTuple):
    """An alert, and where it was read."""

    alert: Alert
    place: Place
    position: int


@dataclass(slots=True)
class _Part:
    """One partition: its troubles, up to where all was told before, and where reading has come."""

    told_up_to: int
    troubles: dict[str, Trouble] = field(default_factory=dict)
    next: int = 0


class AlertDesk:
    """What one worker has to tell. Times are seconds of any clock that only goes forward.

    Args:
        destinations: Where employees read.
        wait_s: How long news wait for others of their sort.
        metrics: Told of every attempt.
    """

    def __init__(self, destinations: Collection[Destination], *, wait_s: float, metrics: AlertMetrics) -> None:
        self._destinations = destinations
        self._metrics = metrics
        self._bundles = Bundles(wait_s)
        self._deliveries: list[_Delivery] = []
        self._parts: dict[Place, _Part] = {}

    def begin(self, committed: Mapping[Place, int]) -> None:
        """These partitions are read from their beginning; up to there all was told."""
        for place, position in committed.items():
            self._parts[place] = _Part(position)

    def hear(self, heard: Heard, now_s: float) -> None:
        """Take an alert in."""
        part = self._parts[heard.place]
        change = heed(part.troubles, heard.alert)
        if change is not None and heard.position >= part.told_up_to:
            self._bundles.add(heard.alert, change, place=heard.place, position=heard.position, now_s=now_s)

    def read_up_to(self, place: Place, position: int) -> None:
        """All before it was heard."""
        self._parts[place].next = position

    async def tell(self, now_s: float, owned: Collection[Place]) -> None:
        """Tell what is due; what belongs to others by now is theirs to tell."""
        for place in self._parts.keys() - set(owned):
            del self._parts[place]
        for bundle in self._bundles.due(now_s):
            self._deliveries += [_Delivery(one, bundle) for one in self._destinations if bundle.sort.kind in one.kinds]
        kept = []
        for delivery in self._deliveries:
            mine = any(place in self._parts for place in delivery.bundle.places)
            if mine and (delivery.not_before_s > now_s or not await self._try(delivery, now_s)):
                kept.append(delivery)
        self._deliveries = kept

    def told_up_to(self) -> dict[Place, int]:
        """Up to where all has been told, of each partition."""
        open_bundles = [*self._bundles.waiting(), *(one.bundle for one in self._deliveries)]
        found = {place: part.next for place, part in self._parts.items() if part.next > part.told_up_to}
        for bundle in open_bundles:
            for place, position in bundle.places.items():
                if place in found:
                    found[place] = min(found[place], position)
        return found

    async def _try(self, delivery: _Delivery, now_s: float) -> bool:
        """Whether that is the end of it."""
        name, bundle = delivery.destination.name, delivery.bundle
        try:
            await delivery.destination.tell(bundle)
        except RecipientRejected as error:
            log.error("alerts_refused", destination=name, kind=bundle.sort.kind, status=error.status, detail=str(error))  # noqa: TRY400 -- no bug of ours
            self._metrics.told(name, bundle.sort.kind, "refused")
            return True
        except DeliveryError as error:
            delivery.failures += 1
            wait_s = probe_backoff_s(delivery.failures, first_s=_FIRST_S, most_s=_MOST_S)
            if isinstance(error, ProviderBusy):
                wait_s = max(wait_s, (error.retry_after_ms or 0) / 1_000)
            self._hold(delivery.destination, now_s + wait_s)
            log.warning("alerts_wait", destination=name, seconds=wait_s, status=error.status, detail=str(error))
            self._metrics.told(name, bundle.sort.kind, "failed")
            return False
        self._metrics.told(name, bundle.sort.kind, "told")
        return True

    def _hold(self, destination: Destination, until_s: float) -> None:
        """All that goes there waits: one question is enough."""
        for one in self._deliveries:
            if one.destination is destination:
                one.not_before_s = max(one.not_before_s, until_s)
