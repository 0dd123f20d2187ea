"""What asking carriers is given: sources, what is counted, bounds.

Owns: these ports. Must not: ask.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from postcart.codecs.dead_letters import DeadLetter
from postcart.domain.track.answers import Answer
from postcart.events.polls import PollRequest
from postcart.events.shipments import CarrierEvent
from postcart.senders.providers import Providers

Outcome = Literal[
    "answered",
    "unchanged",
    "unknown",
    "unreadable",
    "refused",
    "busy",
    "failed",
    "credentials",
    "old",
    "repeated",
    "unpolled",
]


class Source(Protocol):
    """Somebody who is asked."""

    async def ask(self, carrier: str, tracking_number: str) -> bytes | None:
        """The answer; None: not known. Raises DeliveryError, UnreadableRecord."""
        ...


class PollMetrics(Protocol):
    """What is counted (metrics.polling)."""

    def ended(self, provider: str, outcome: Outcome) -> None:
        """A question came to an end, or to be asked again."""
        ...

    def asked(self, provider: str, duration_s: float) -> None:
        """An answer came, or none did."""
        ...

    def scans(self, provider: str, count: int) -> None:
        """An answer's scans are written."""
        ...

    def pending(self, count: int) -> None:
        """Questions in line or under way."""
        ...

    def dead(self, reason: str) -> None:
        """A dead letter is written."""
        ...

    def circuit(self, provider: str, state: str) -> None:
        """How a provider stands."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PollConfig:
    """What the desk is given.

    Attributes:
        sources: By name, with ``providers`` for the same names.
        route: The name of the source that knows a carrier; None: it is asked no more.
        read: From a JSON document to scans and the expected delivery, by the form of the source of that name.
        write: Puts events and dead letters on Kafka; blocks. Raises BrokerUnavailable.
        least_s: No parcel is asked about more often, whatever TRACK wants.
        oldest_ms: Questions older than this are dropped: newer ones follow.
        elapsed_s: A clock that only goes forward.
    """

    sources: Mapping[str, Source]
    providers: Providers
    route: Callable[[str], str | None]
    read: Callable[[str, Any, PollRequest], Answer]
    write: Callable[[Sequence[CarrierEvent], Sequence[DeadLetter]], None]
    metrics: PollMetrics
    least_s: float
    oldest_ms: int
    elapsed_s: Callable[[], float]
