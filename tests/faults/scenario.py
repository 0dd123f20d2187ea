"""What is done to a running pipeline, and what may come of it: descriptions only.

Owns: their shapes. Must not: do anything.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Literal, NamedTuple, get_args

from faults.load import Load
from faults.mailroom import Manner
from faults.worker import Kind
from postcart.events.jobs import SuppressReason

SENDER_POINTS = ("before_claim", "claimed", "accepted", "before_receipts")
TRANSACTION_POINTS = ("begun", "produced", "offsets", "committed")
KINDS: tuple[Kind, ...] = get_args(Kind)
IMPATIENT: Mapping[str, str] = {"POSTCART_SMTP__TIMEOUT_S": "2"}
"""For senders of which answers are kept from."""
ASLEEP_S = 14.0
"""The brokers' session time-out is 10 s."""


@dataclass(frozen=True)
class Strike:
    """One worker of the kind is killed, aborted or stopped at a point of its work; a stopped one wakes later."""

    kind: Kind
    point: str
    action: Literal["kill", "abort", "stop"] = "kill"
    asleep_s: float = 0.0


@dataclass(frozen=True)
class Leave:
    """One worker of the kind is told to go, under load; another takes its name a moment later."""

    kind: Kind


@dataclass(frozen=True)
class Outage:
    """These brokers are killed, all at once, and come back after a while."""

    brokers: tuple[int, ...]
    seconds: float


@dataclass(frozen=True)
class Storm:
    """Workers of the kinds come and go: one to ``most`` of each, a change every few seconds."""

    kinds: tuple[Kind, ...]
    seconds: float
    most: int = 6
    every_s: float = 5.0


@dataclass(frozen=True)
class Mails:
    """From now on the mail server has these manners."""

    manner: Callable[[], Manner]


@dataclass(frozen=True)
class Do:
    """Something that one row alone needs; its code is beside the row."""

    what: Callable[[Any, Random], None]
    name: str


@dataclass(frozen=True)
class Together:
    """Several sequences of faults at the same time, each in its own order."""

    tracks: "tuple[tuple[At, ...], ...]"


Injection = Strike | Leave | Outage | Storm | Mails | Do | Together


class At(NamedTuple):
    """Do it once so much of the history's time has passed."""

    fraction: float
    what: Injection


@dataclass(frozen=True)
class Allowed:
    """What may come of a row besides acceptance.

    Attributes:
        suppressed: Reasons that are expected.
        rejected: Whether jobs may end rejected.
        copies: Of a transactional message, with the same Message-ID: how many per ambiguous answer or kill.
        uncertain: Whether jobs may end uncertain; how many follows from kills and ambiguous answers.
        same_decisions: Whether every decision must be that of the naive implementation.
        codes: With which workers may end by themselves.
    """

    suppressed: frozenset[SuppressReason] = frozenset()
    rejected: bool = False
    uncertain: bool = False
    same_decisions: bool = True
    codes: frozenset[int] = frozenset({-9, 75})


@dataclass(frozen=True, kw_only=True)
class Described:
    """What the table says of a row.

    Attributes:
        name: By which it is run.
        fault: What happens, in the table's words; ``expected`` likewise.
        seeds: So many at most: for what takes long.
        brokers: 0 takes the shared broker; else a cluster of its own, thrown away afterwards.
        proxied: Clients reach the row's own cluster through proxies only.
        disk_mb: A broker of its own on a disk of this size; 0: as the machine has it.
        alone: It measures what other runs at the same time would spoil.
    """

    name: str
    fault: str
    expected: str
    seeds: int | None = None
    brokers: int = 0
    proxied: bool = False
    disk_mb: int = 0
    alone: bool = False


@dataclass(frozen=True, kw_only=True)
class Row(Described):
    """A row that hurts the way from a cart to a mail.

    Attributes:
        steps: In their order, for a seed.
        crew: How many workers of each kind.
        load_s: How long the history is fed, in real time.
        times: How often each event comes; ``late_ms``: how late at most.
        start: Which of the generator's beginnings.
        shipping: Transactional jobs per cart message, about.
        resumes_within_s: Bound on how long after a fault the work goes on, if there is one.
        told: To the workers, see ``worker.Told``.
        live: By the machine's clock instead of a replay's; then ``load`` is told when the history begins.
        load: Makes the history, where the ordinary one will not do, of randomness, a number of events and a beginning.
        check: Finds further problems in the world at the end, where a row promises more than conservation.
        apart: Share of addresses whose persons' decisions depend on what the mail server answers: for them only
            conservation counts, and what ``check`` says.
        around: What the row needs besides, given the run's folder: variables for the workers, or a place for brokers.
        encoder: Encodes events for the replay, where JSON will not do.
    """

    steps: Callable[[Random], Sequence[At]] = lambda _: ()
    crew: Mapping[Kind, int] = field(default_factory=lambda: {"detect": 2, "journey": 2, "email": 2})
    partitions: int = 4
    load_s: float = 40.0
    times: int = 1
    late_ms: int = 0
    start: int = 0
    shipping: float = 0.15
    delay_s: float = 0.1
    allowed: Allowed = Allowed()
    variables: Mapping[str, str] = field(default_factory=dict)
    resumes_within_s: float | None = None
    told: Mapping[str, object] = field(default_factory=dict)
    live: bool = False
    load: Callable[[Random, int, int], Load] | None = None
    check: Callable[[Any], list[str]] | None = None
    apart: float = 0.0
    around: Callable[[Path], AbstractContextManager[Mapping[str, str]]] | None = None
    encoder: Callable[[], Any] | None = None


class Surroundings(NamedTuple):
    """What a row with a world of its own kind is given.

    Attributes:
        events: How many messages, or parcels' events, it is about.
        timed: Whether bounds in seconds count; not on a machine that does other things meanwhile.
    """

    bootstrap: str
    own: str
    folder: Path
    random: Random
    events: int
    timed: bool

    def prefix(self, name: str) -> str:
        """Of topics and groups, unlike all others'."""
        return f"{self.own}{name}."


class Outcome(NamedTuple):
    """What came of it: counts as in the table, promises that were not kept, figures worth keeping."""

    counts: dict[str, int]
    problems: list[str]
    notes: Mapping[str, float] = {}


@dataclass(frozen=True, kw_only=True)
class OwnRow(Described):
    """A row with a world of its own kind: ``play`` does everything."""

    play: Callable[[Surroundings], Outcome]


def strikes(
    kind: Kind, points: Sequence[str], action: Literal["kill", "stop"], *, count: int = 4, asleep_s: float = 0.0
) -> Callable[[Random], Sequence[At]]:
    """Faults at ``count`` of the points, chosen and ordered by the seed, evenly over the first two thirds."""

    def steps(random: Random) -> list[At]:
        order = random.sample(points, count)
        return [
            At(0.1 + 0.6 * number / len(order), Strike(kind, point, action, asleep_s))
            for number, point in enumerate(order)
        ]

    return steps
