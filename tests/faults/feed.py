"""Feeds a history: under the accelerated clock of a replay, or live as it happens.

Owns: the threads that do so, and how far they have come. Must not: know workers.
"""

import threading
import time
from collections.abc import Sequence
from typing import Any, Protocol

from confluent_kafka import Producer

from faults.crew import wall_ms
from histories import DAY, MINUTE
from oracle.basics import milliseconds
from postcart.adapters.clock import ClockWriter
from postcart.adapters.replay import ReplayOptions, ReplayProgress
from postcart.adapters.replay.run import _Replay
from postcart.codecs.shop_events import ShopEventEncoder
from postcart.settings import Settings
from side_by_side import typed

Json = dict[str, Any]

RUN_ON_MS = 5 * DAY
"""So long the clock keeps its pace after the last event: 72 h, a night and a reserve."""
SETTLED_MS = 45 * DAY
"""Then it jumps: every episode has expired."""
_TICK_MS = 10 * MINUTE
_TICK_S = 0.4
_PATIENCE_MS = 1_800_000
"""A record waits so long for a broker that is away."""
_END_S = 60.0


class Feed(Protocol):
    """How far the history has come."""

    failure: BaseException | None
    speed: float
    """How much of the history's time passes in real time."""
    ticking: bool
    """Whether a replay's clock goes on when all is fed."""

    @property
    def fraction(self) -> float:
        """From 0 to 1: of its whole time."""

    @property
    def now_ms(self) -> int:
        """The time by which jobs are due now."""

    @property
    def finished(self) -> bool:
        """Whether all is fed."""

    def start(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """End; what was fed stays."""


class ReplayFeed:
    """A history under the replay's clock, then the clock alone until stopped."""

    def __init__(
        self, settings: Settings, client: Json, events: Sequence[Json], *, load_s: float, encoder: Any = None
    ) -> None:
        self._settings, self._client, self._encoder = settings, client, encoder
        self._events = typed(events)
        times = [milliseconds(event["time"]) for event in events]
        self._begin, self._last = min(times), max(times)
        self.speed = (self._last + RUN_ON_MS - self._begin) / 1000 / load_s
        self._clock = self._begin
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self.failure: BaseException | None = None
        self.finished = False
        self.ticking = False

    @property
    def fraction(self) -> float:
        """As ``Feed``."""
        return min(1.0, (self._clock - self._begin) / (self._last + RUN_ON_MS - self._begin))

    @property
    def now_ms(self) -> int:
        """As ``Feed``."""
        return self._clock

    def start(self) -> None:
        """As ``Feed``."""
        self._thread.start()

    def stop(self) -> None:
        """As ``Feed``. Brokers that are gone for good, of a run that failed, are not waited for."""
        self._stop.set()
        self._thread.join(_END_S)

    def advance(self, at_ms: int) -> None:
        """Let the clock, when all is fed, jump there."""
        self._clock = max(self._clock, at_ms)

    def _run(self) -> None:
        try:
            self._feed()
        except BaseException as error:  # noqa: BLE001 -- told to the run, which fails by it
            self.failure = error

    def _feed(self) -> None:
        settings = self._settings
        client = {**self._client, "message.timeout.ms": _PATIENCE_MS, "log_level": 0}
        clock = ClockWriter(client, settings.topic("clock"))
        options = ReplayOptions(
            client=client,
            topics=_topics(settings),
            speed=self.speed,
            run_on_ms=RUN_ON_MS,
        )
        run = _Replay(iter(self._events), options, clock, self._note, self._stop.is_set)
        if self._encoder is not None:
            run._encode = self._encoder.encode
        run.run()
        self._clock = self._last + SETTLED_MS
        clock.tell(self._clock)
        clock.flush()
        self.finished = True
        while not self._stop.wait(_TICK_S):
            if self.ticking:
                self._clock += _TICK_MS
            clock.tell(self._clock)  # passes over what was told before

    def _note(self, progress: ReplayProgress) -> None:
        self._clock = max(self._clock, progress.clock_ms or 0)


class LiveFeed:
    """Events at their own times by the machine's clock; they must lie ahead."""

    speed = 1.0

    def __init__(self, settings: Settings, client: Json, events: Sequence[Json]) -> None:
        self._events = sorted(zip((milliseconds(e["time"]) for e in events), typed(events), strict=True), key=_first)
        self._topics = _topics(settings)
        self._producer = _producer(client)
        self._begin, self._last = self._events[0][0], self._events[-1][0]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self.failure: BaseException | None = None
        self.finished = False
        self.ticking = False

    @property
    def fraction(self) -> float:
        """As ``Feed``."""
        return min(1.0, max(0.0, (wall_ms() - self._begin) / max(1, self._last - self._begin)))

    @property
    def now_ms(self) -> int:
        """As ``Feed``."""
        return wall_ms()

    def start(self) -> None:
        """As ``Feed``."""
        self._thread.start()

    def stop(self) -> None:
        """As ``Feed``."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            encode = ShopEventEncoder().encode
            for at_ms, event in self._events:
                while (wait_s := (at_ms - wall_ms()) / 1000) > 0 and not self._stop.wait(min(wait_s, 0.1)):
                    self._producer.poll(0)
                if self._stop.is_set():
                    return
                subject, key, value = encode(event)
                self._producer.produce(self._topics[subject], value, key)
            self._producer.flush(_PATIENCE_MS / 1000)
            self.finished = True
        except BaseException as error:  # noqa: BLE001 -- told to the run, which fails by it
            self.failure = error


def write(client: Json, records: Sequence[tuple[str, bytes | None, bytes | None]]) -> None:
    """Append records (topic, key, value) now and wait until the broker has them."""
    producer = _producer(client)
    failures: list[Any] = []
    for topic, key, value in records:
        producer.produce(topic, value, key, on_delivery=lambda error, _: failures.append(error) if error else None)
    deadline = time.monotonic() + 60
    while producer.flush(1.0) and time.monotonic() < deadline:
        pass
    assert not failures, failures[0]


def _producer(client: Json) -> Producer:
    return Producer(
        {
            **client,
            "partitioner": "murmur2_random",
            "enable.idempotence": True,
            "linger.ms": 5,
            "message.timeout.ms": _PATIENCE_MS,
            "message.max.bytes": 8 * 1024 * 1024,
        }
    )


def _topics(settings: Settings) -> dict[Any, str]:
    return {f"shop.{name}": settings.shop_topic(name) for name in ("sessions", "carts", "orders", "profiles")}


def _first(item: tuple[int, Any]) -> int:
    return item[0]
