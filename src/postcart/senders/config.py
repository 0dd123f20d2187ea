"""Everything that a sender is given.

Owns: these shapes and their defaults. Must not: read settings (the wiring does).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from postcart.adapters.rdkafka.settings import ClientSettings
from postcart.codecs.avro_schemas import SchemaSource
from postcart.events.gate import GatePerson
from postcart.events.jobs import Purpose
from postcart.senders.backoff import DEFAULT_RETRIES, Retries
from postcart.senders.gate import GateRules
from postcart.senders.health import SenderHealth
from postcart.senders.item import FaultPoint
from postcart.senders.metrics import NoMetrics, SenderMetrics
from postcart.senders.provider import ChannelAdapter
from postcart.senders.providers import ProviderPlan


class SenderClock(Protocol):
    """The worker's clocks; see ``postcart.adapters.clock``."""

    @property
    def is_replay(self) -> bool:
        """Whether event time is replayed: the gate then judges by each job's due time."""
        ...

    def now_ms(self) -> int | None:
        """The clock that jobs and receipts live by; ``None`` while a replay has not told the time yet."""
        ...

    def real_ms(self) -> int:
        """Real wall time: claims and freshness live by it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderTopics:
    """Names of the topics; all but ``catalog`` and ``suppressions`` have the same partition count."""

    transactional: str
    marketing: str
    gate: str
    keys: str
    claims: str
    receipts: str
    dead: str
    decisions: str
    catalog: str
    suppressions: str

    @property
    def jobs(self) -> tuple[str, str]:
        """Topics with jobs, by rank."""
        return self.transactional, self.marketing

    def purpose_of(self, topic: str) -> Purpose:
        """Which jobs a topic holds."""
        return "transactional" if topic == self.transactional else "marketing"

    def topic_of(self, purpose: Purpose) -> str:
        """Where the jobs of a purpose are."""
        return self.transactional if purpose == "transactional" else self.marketing


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderLimits:
    """Bounds of time and memory.

    An earlier owner's claim without an outcome is taken for unanswered after ``claim_age_max_s + send_timeout_s +
    grace_s``: by then its owner has sent, given up, or will refuse to.
    """

    in_flight: int = 32
    """Most jobs claimed and not finished, of all providers together; also what a kill may leave uncertain."""
    held: int = 20_000
    """Most jobs in memory, over all partitions; beyond it partitions pause. About 3 KB each."""
    remember: int = 1_000_000
    """Settled jobs remembered per partition."""
    claim_age_max_s: float = 5.0
    """A claim older than this opens no socket any more."""
    send_timeout_s: float = 30.0
    """A send without an answer by then is uncertain."""
    grace_s: float = 10.0
    """Allowance for clocks of other machines that disagree."""
    drain_s: float = 8.0
    """How long sends in flight may take to finish before partitions are given up."""
    leave_s: float = 25.0
    """How long leaving may take in all."""
    commit_every_s: float = 0.02
    """Shortest time between two transactions."""
    hold_ms: int = 60_000
    """A job that must wait longer than this for quiet hours goes back to JOURNEY."""
    stall_s: float = 60.0
    """A partition that stands still so long, although there are jobs and room for them, ends the process."""
    first_probe_s: float = 60.0
    most_probe_s: float = 60.0
    """Pauses of a channel that does not work: one probe a minute (delivery rules, "Retries of a send")."""

    @property
    def silent_after_s(self) -> float:
        """Age at which a claim without an outcome counts as unanswered."""
        return self.claim_age_max_s + self.send_timeout_s + self.grace_s


def no_zones(_: GatePerson, _key: bytes) -> tuple[str, ...]:
    """The channel's contact points don't tell where they are."""
    return ()


def all_able(_: GatePerson, _key: bytes) -> frozenset[str] | None:
    """Every provider reaches everybody."""
    return None


def no_fault(_: FaultPoint) -> None:
    """Pass a fault point: what production does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderConfig:
    """Collaborators and settings of one sender."""

    client: ClientSettings
    group: str
    worker_name: str
    """Stable where the platform gives a stable one: part of the transactional id."""
    topics: SenderTopics
    adapter: ChannelAdapter[Any]
    clock: SenderClock
    providers: tuple[ProviderPlan, ...] = ()
    """Whom the adapter can send by; none: by the one that it names, as many at once as ``limits`` says."""
    retries: Retries = DEFAULT_RETRIES
    rules: GateRules = field(default_factory=GateRules)
    limits: SenderLimits = field(default_factory=SenderLimits)
    metrics: SenderMetrics = field(default_factory=NoMetrics)
    health: SenderHealth = field(default_factory=SenderHealth)
    """Kept up to date by the sender; whoever serves probes reads it."""
    zones: Callable[[GatePerson, bytes], tuple[str, ...]] = no_zones
    """From a person's record and wrapped key: IANA names of the zones in which its contact point may be."""
    able: Callable[[GatePerson, bytes], frozenset[str] | None] = all_able
    """From the same: which providers reach the person; None: all."""
    registry: SchemaSource | None = None
    """Resolves the schemas of the catalogue."""
    fault: Callable[[FaultPoint], None] = no_fault

    @property
    def plans(self) -> tuple[ProviderPlan, ...]:
        """The providers; at least one."""
        return self.providers or (ProviderPlan(name=self.adapter.provider, in_flight=self.limits.in_flight),)
