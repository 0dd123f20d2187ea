"""A job in a sender's hands, and how its attempt ended.

Owns: these shapes. Must not: decide anything.
"""

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from postcart.events.decisions import Judged
from postcart.events.gate import GatePerson
from postcart.events.jobs import Claim, Job, Receipt, SuppressReason
from postcart.senders.elapsed import elapsed_s
from postcart.senders.metrics import SendResult

TopicPartition = tuple[str, int]

FaultPoint = Literal["before_claim", "claimed", "accepted", "before_receipts"]
"""Where a test may stop or kill the process."""


@dataclass(slots=True, eq=False)
class Item:
    """A job in line or in flight."""

    job: Job
    topic: str
    partition: int
    offset: int
    rank: int
    """0 transactional, 1 marketing."""
    resent: bool = False
    """An earlier send ended without an answer."""
    deferred_ms: int = 0
    """In a replay: the end of the quiet hours that it was found in."""
    claimed_s: float = 0.0
    """When its claim was begun, on the elapsed-time clock."""
    read_s: float = field(default_factory=elapsed_s)
    """When it was read, on the elapsed-time clock."""
    failures: int = 0
    """Sends in a row that the channel did not take up."""
    provider: str | None = None
    """Which was chosen for the claim."""
    bound: str | None = None
    """The provider that may have it already: no other is asked."""
    avoid: frozenset[str] = frozenset()
    """Providers that did not take it up."""
    failing_since_ms: int | None = None
    """Since when the channel's endpoint has taken nothing, real wall time."""
    person: GatePerson | None = None
    """As the gate saw it when it let the job pass."""
    wrapped_key: bytes = b""
    contact_id: str | None = None
    """Opaque id of the contact point that the gate saw, where there is one and no more."""
    able: frozenset[str] | None = None
    """The providers that can reach this person; None: all."""
    message: Job | None = None
    """The job as the gate let it pass: with the prices of then. The job itself stays as JOURNEY made it."""
    judged: Judged | None = None
    """What the gate's rules said, to be written with the claim."""
    since_ms: int | None = None
    """Real wall time at which a provider first deferred it."""

    @property
    def person_id(self) -> str:
        """Whose line it stands in."""
        return self.job.person_id

    @property
    def source(self) -> TopicPartition:
        """Where its record is."""
        return self.topic, self.partition


class Settle(NamedTuple):
    """The job's final outcome."""

    outcome: Literal["accepted", "rejected", "uncertain", "suppressed"]
    reason: SuppressReason | None = None
    status: str | None = None
    detail: str | None = None
    dead: str | None = None
    """Also a dead letter, with this text."""
    reached: str | None = None
    """Which contact point took it, of several."""
    gone: tuple[str, ...] = ()
    """Contact points that the provider knows no more, of several."""


class GiveBack(NamedTuple):
    """Not accepted: JOURNEY sends the next attempt, not before then."""

    not_before_ms: int
    status: str | None = None
    detail: str | None = None
    gone: tuple[str, ...] = ()


class Release(NamedTuple):
    """Nothing was handed to a provider, or it is to be sent once more: the job stays first in line."""

    wait_s: float = 0.0
    resent: bool = False


Ending = Settle | GiveBack | Release


class Ended(NamedTuple):
    """An item whose attempt has ended, and how."""

    item: Item
    ending: Ending
    result: SendResult | None = None
    """For the metrics; None if nothing was tried."""
    seconds: float = 0.0
    judged: Judged | None = None
    """What the gate's rules said, where they ended it."""


class Entry(NamedTuple):
    """What is written about a job in one transaction."""

    partition: int
    claim: Claim
    receipt: Receipt | None = None
    dead: tuple[bytes | None, bytes] | None = None
    """Key and value of a dead letter."""
