"""A whole Postcart on a broker for one run: topics, workers, a mail server, a feed, and eyes on every topic.

Owns: putting these together and taking them down. Must not: hurt anything, or judge.
"""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Protocol, TypeVar

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from faults.crew import Crew
from faults.evidence import IN_FLIGHT, POOL, WATCHED
from faults.feed import Feed, LiveFeed, ReplayFeed
from faults.load import Load, arrivals
from faults.mailroom import Mailroom, open_mailroom, share_of
from faults.scenario import Row
from faults.shipping import Shipping
from faults.tail import Group, Tail
from postcart.adapters.topics import all_topics, create, stage_group, stage_inputs
from postcart.errors import BrokerUnavailable
from postcart.events.jobs import Job, Receipt
from postcart.settings import Settings, load_settings
from waiting import wait_for

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
_START_S = 90.0
_TRIES = 4
_PATIENCE_S = 300.0
"""No question to a coordinator may time out: librdkafka's admin client aborts the process when it is answered then."""
_LIMITS = {"grace_s": 1.0, "first_probe_s": 0.5, "most_probe_s": 2.0}


class Broker(Protocol):
    """Where Kafka is."""

    @property
    def bootstrap(self) -> str:
        """Addresses."""


@dataclass
class World:
    """One run's surroundings.

    Attributes:
        harm: When which fault struck: (time, kind of worker, what).
        letters_due: Dead letters that the faults ask for, by reason.
        notes: What injections want to be known in the result.
        chosen: Whom an injection has picked.
    """

    row: Row
    settings: Settings
    broker: Any
    folder: Path
    crew: Crew
    room: Mailroom
    tails: dict[str, Tail]
    random: Random
    harm: list[tuple[int, str, str]] = field(default_factory=list)
    letters_due: Counter[str] = field(default_factory=Counter)
    notes: dict[str, float] = field(default_factory=dict)
    chosen: frozenset[str] = frozenset()
    _eyes: threading.Lock = field(default_factory=threading.Lock)
    _asked: dict[str, Group] = field(default_factory=dict)
    load: Load = field(init=False)
    feed: Feed = field(init=False)
    shipping: Shipping = field(init=False)

    @property
    def client(self) -> dict[str, Any]:
        """Properties of a librdkafka client."""
        return {"bootstrap.servers": self.settings.bootstrap}

    def look(self) -> None:
        """Take in what was written meanwhile; a feed that failed fails the run."""
        with self._eyes:
            for watched in self.tails.values():
                watched.poll()
        for failure in (self.feed.failure, self.shipping.failure):
            if failure is not None:
                raise failure

    def pause(self, seconds: float, *, looks: bool = True) -> None:
        """Let time pass: how long a fault lasts is a part of it."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.3))
            if looks:
                self.look()

    def begin(self, load: Load) -> None:
        """Feed this history, and hand in parcels beside it."""
        self.load = load
        fed = [event for event in load.events if event["id"] not in load.held_back]
        if self.row.live:
            self.feed = LiveFeed(self.settings, self.client, fed)
        else:
            arriving = arrivals(fed, self.random, times=self.row.times, late_ms=self.row.late_ms)
            encoder = self.row.encoder() if self.row.encoder else None
            self.feed = ReplayFeed(self.settings, self.client, arriving, load_s=self.row.load_s, encoder=encoder)
        count = round(self.row.shipping * max(20, len(load.due))) if self.row.shipping else 0
        self.shipping = Shipping(self.settings, self.client, self.feed, count=count, random=self.random)
        self.feed.start()
        self.shipping.start()

    def end(self) -> None:
        """Stop feeding and asking."""
        for group in self._asked.values():
            group.close()
        if hasattr(self, "shipping"):
            self.shipping.stop()
            self.feed.stop()

    def reached(self, fraction: float) -> None:
        """Wait until so much of the history has passed."""
        wait_for(
            lambda: self.feed.fraction >= fraction or self.feed.failure,
            lambda: f"{fraction:.0%} of the history, came to {self.feed.fraction:.0%}",
            seconds=600,
        )
        self.look()

    def jobs(self) -> list[Job]:
        """All jobs so far, attempts included."""
        return self.tails["jobs.email.marketing"].found + self.tails["jobs.email.transactional"].found

    def receipts(self) -> list[Receipt]:
        """All receipts so far."""
        return self.tails["receipts"].found

    def decisions(self) -> Counter[str]:
        """All decisions so far that the naive implementation makes, too."""
        return Counter(self.tails["decisions"].found)

    def pending(self) -> set[str]:
        """Jobs without a final receipt."""
        return {job.job_id for job in self.jobs()} - {r.job_id for r in self.receipts() if r.outcome != "not_accepted"}

    def lag(self, *, seconds: float = 20.0) -> dict[str, int | None]:
        """Of each group, in what it commits: what remains after a while of what is there now."""
        return {stage: group.drained(seconds=seconds) for stage, group in self._groups().items()}

    def _groups(self) -> dict[str, Group]:
        if not self._asked:
            gate = self.settings.topic("gate")
            for stage in self.row.crew:
                topics = [topic for topic in stage_inputs(self.settings, stage) if topic != gate]
                name = stage_group(self.settings, stage)
                self._asked[stage] = Group(self.settings.bootstrap, name, topics, self.settings.partitions)
        return self._asked

    def is_apart(self, address: str) -> bool:
        """Whether decisions about whoever has this address depend on the server's answers."""
        return share_of(address, self.row.apart)


@contextmanager
def open_world(row: Row, *, seed: int, broker: Broker, prefix: str, folder: Path) -> Iterator[World]:
    """Everything runs and has joined; the feed has not begun. All is gone afterwards, topics too."""
    random = Random(f"{row.name}/{seed}")
    with ExitStack() as stack:
        room = stack.enter_context(open_mailroom(delay_s=row.delay_s))
        variables = _variables(row, broker.bootstrap, prefix, room.sink.port)
        if row.around is not None:
            variables |= stack.enter_context(row.around(folder))
        settings = load_settings(variables, None)
        _create(settings)
        stack.callback(_forget, settings)
        told = {"limits": _LIMITS, **row.told}
        crew = Crew(folder, variables, told)
        stack.callback(crew.close)
        tails = {
            name: Tail(settings.bootstrap, settings.topic(name), settings.partitions, decode)
            for name, decode in WATCHED.items()
        }
        stack.callback(lambda: [watched.close() for watched in tails.values()])
        for kind, count in row.crew.items():
            for number in range(count):
                crew.start(kind, f"{kind}-{number}")
        world = World(row, settings, broker, folder, crew, room, tails, random)
        stack.callback(world.end)
        yield world


def _variables(row: Row, bootstrap: str, prefix: str, port: int) -> dict[str, str]:
    return {
        "POSTCART_BOOTSTRAP": bootstrap,
        "POSTCART_TOPIC_PREFIX": f"{prefix}postcart.",
        "POSTCART_SHOP_PREFIX": f"{prefix}shop.",
        "POSTCART_PARTITIONS": str(row.partitions),
        "POSTCART_REPLICATION": str(min(3, max(1, row.brokers))),
        "POSTCART_CLOCK": "wall" if row.live else "replay",
        "POSTCART_WATERMARK_INTERVAL_MS": "400",
        "POSTCART_CAMPAIGNS_DIR": str(ROOT / "campaigns"),
        "POSTCART_TEMPLATES_DIR": str(ROOT / "templates"),
        "POSTCART_LOCALES_DIR": str(ROOT / "locales"),
        "POSTCART_SHOP__COUNTRY": "IS",  # one zone, UTC: as the naive implementation takes who has none
        "POSTCART_SMTP__HOST": "127.0.0.1",
        "POSTCART_SMTP__PORT": str(port),
        "POSTCART_SMTP__TLS": "none",
        "POSTCART_SMTP__TIMEOUT_S": "10",  # also a busy machine answers within that
        "POSTCART_SMTP__PROBE_S": "1",
        "POSTCART_SMTP__POOL_SIZE": str(POOL),
        "POSTCART_SMTP__IN_FLIGHT": str(IN_FLIGHT),
        **row.variables,
    }


def _create(settings: Settings) -> None:
    """Create topics; a broker that has just begun on a busy machine may need more time than a command gives it."""
    for _ in range(_TRIES - 1):
        with suppress(BrokerUnavailable):
            create(settings)
            return
    create(settings)


def _forget(settings: Settings) -> None:
    """Delete a run's topics and groups, so that the broker stays small."""
    admin = AdminClient({"bootstrap.servers": settings.bootstrap, "log_level": 0})
    try:
        for done in admin.delete_topics([topic.name for topic in all_topics(settings)], request_timeout=20).values():
            done.result(20)
    except (KafkaException, TimeoutError):
        return


def whole(world: World, *kinds: str) -> None:
    """Wait until the groups of these kinds have all their workers as members, and no others.

    Raises:
        AssertionError: They don't come to that; shows the ends of the workers' logs.
    """
    admin = AdminClient({"bootstrap.servers": world.settings.bootstrap, "log_level": 0})
    groups = {stage_group(world.settings, kind): kind for kind in kinds}  # type: ignore[arg-type]  # kinds are stages

    def joined() -> bool:
        try:
            asked = admin.describe_consumer_groups(list(groups), request_timeout=_PATIENCE_S)
            told = {name: future.result(_PATIENCE_S) for name, future in asked.items()}
        except KafkaException:
            return False
        return all(len(told[name].members) == len(world.crew.names(kind)) for name, kind in groups.items())

    def logs() -> str:
        return f"{kinds} never joined:\n" + "\n".join(
            world.crew.log_of(name, last=700) for name in world.crew.processes
        )

    wait_for(joined, logs, seconds=_START_S)
