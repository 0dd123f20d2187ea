"""A history of shop events into Kafka, as if it happened now, only faster.

Owns: producing events under their keys, their pace, and up to which event time everything has been acknowledged. Must
not: make events, or know what workers do with them.

The clock is told T only when every event with a time up to T was acknowledged by all in-sync replicas. Events may come
out of order by ``disorder_ms``: those not yet read can't be older than the youngest one read less that, so the bound
is known without reading the whole history.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal, Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from postcart.adapters.replay.bounds import OpenEvents, Pace
from postcart.codecs.shop_events import ShopEventEncoder
from postcart.codecs.shop_subjects import Subject
from postcart.errors import BrokerUnavailable, ConfigurationError, PostcartError, TopologyError
from postcart.events.shop import ShopEvent
from postcart.events.times import DAY_MS, MINUTE_MS

DEFAULT_RUN_ON_MS: Final = 10 * DAY_MS
"""After the last event the clock goes on for so long: all steps of a sequence, deferred by a night, fit in."""
_TICK_S: Final = 0.1
_BURST: Final = 2_000
_REQUEST_S: Final = 10.0
_REFUSED_S: Final = 60.0
"""So long a record is sent again that the broker refuses for reasons unknown to it, as while its disk is full."""


class ClockSink(Protocol):
    """Where the time is told; see ``postcart.adapters.clock``."""

    def begin(self, start_ms: int) -> None:
        """Check that a replay from ``start_ms`` on may begin."""
        ...

    def tell(self, at_ms: int) -> None:
        """Say that everything up to ``at_ms`` can be read."""
        ...

    def flush(self) -> None:
        """Wait until the last value is written."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayProgress:
    """How far a replay has come. ``clock_ms`` is what was told last, ``end_ms`` is known after the last event."""

    sent: int
    acknowledged: int
    clock_ms: int | None
    last_event_ms: int | None
    end_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """How to replay.

    Attributes:
        client: librdkafka's properties of a client, ``bootstrap.servers`` among them.
        topics: Subject → name of its topic.
        speed: Event time passes so many times faster than real time; None: as fast as possible, the clock jumps.
        run_on_ms: How long the clock goes on after the last event.
        disorder_ms: How much older than the youngest event before it an event may be.
        framing: How values are framed.
    """

    client: Mapping[str, Any]
    topics: Mapping[Subject, str]
    speed: float | None = None
    run_on_ms: int = DEFAULT_RUN_ON_MS
    disorder_ms: int = 5 * MINUTE_MS
    framing: Literal["json", "avro"] = "json"


def replay(
    events: Iterable[ShopEvent],
    *,
    options: ReplayOptions,
    clock: ClockSink,
    on_progress: Callable[[ReplayProgress], None] | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> ReplayProgress:
    """Produce the events in the order given and tell the clock until the end; returns how far it came.

    Args:
        events: At their own times; an event is sent when the clock has come to it.
        options: See there.
        clock: Told about every 100 ms of real time.
        on_progress: Told as often.
        stopped: Asked as often; True ends the replay early, with everything sent acknowledged.

    Raises:
        ConfigurationError: The events are more out of order than allowed, or the clock has passed them already.
        TopologyError: A topic is missing.
        BrokerUnavailable: Kafka can't be reached, or gave a record up.
    """
    return _Replay(iter(events), options, clock, on_progress, stopped).run()


class _Replay:
    """One run."""

    def __init__(
        self,
        events: Iterator[ShopEvent],
        options: ReplayOptions,
        clock: ClockSink,
        on_progress: Callable[[ReplayProgress], None] | None,
        stopped: Callable[[], bool],
    ) -> None:
        self._options = options
        self._clock = clock
        self._on_progress = on_progress
        self._stopped = stopped
        self._open = OpenEvents(events, options.disorder_ms)
        self._encode = ShopEventEncoder("single_object" if options.framing == "avro" else "json").encode
        self._failure: PostcartError | None = None
        self._refused_at: float | None = None
        self._sent = 0
        self._acknowledged = 0
        self._told: int | None = None
        self._end: int | None = None
        self._ticked = 0.0
        self._producer = Producer(
            {
                **options.client,
                "client.id": "replay",
                "partitioner": "murmur2_random",  # Java's default; librdkafka's own is CRC32
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": 5,
                "queue.buffering.max.messages": 500_000,
            }
        )

    def run(self) -> ReplayProgress:
        self._check_topics()
        self._open.read_ahead()
        if not self._open.unsent:
            return self._progress()
        start = min(at_ms for at_ms, _, _ in self._open.unsent)
        self._clock.begin(start)
        # A worker that waits for the first word of the clock gets it before there is anything to decide.
        self._tell(start - 1)
        try:
            if self._produce_all(Pace(self._options.speed, start)):
                self._run_on()
        finally:
            self._producer.flush(_REQUEST_S)
        self._clock.flush()
        self._raise_failure()
        self._report()
        return self._progress()

    def _produce_all(self, pace: Pace) -> bool:
        """Send every event when its time has come and wait for the acknowledgements; False if stopped."""
        while True:
            self._send_due(pace.now_ms())
            if self._open.finished:
                return True
            if self._tick(pace.now_ms()) and self._stopped():
                return False
            waiting = pace.seconds_until(self._open.unsent[0][0]) if self._open.unsent else _TICK_S
            self._producer.poll(min(waiting, _TICK_S))

    def _send_due(self, now_ms: float) -> None:
        unsent = self._open.unsent
        for _ in range(_BURST):
            self._open.read_ahead()
            if not unsent or unsent[0][0] > now_ms:
                return
            self._produce(unsent.popleft())
        self._producer.poll(0)

    def _produce(self, due: tuple[int, int, ShopEvent]) -> None:
        subject, key, value = self._encode(due[2])
        topic = self._options.topics[subject]
        while True:
            try:
                self._producer.produce(topic, value, key, on_delivery=partial(self._delivered, due))
            except BufferError:
                self._producer.poll(_TICK_S)
                self._raise_failure()
            except KafkaException as error:
                raise _mapped(error.args[0], topic) from error
            else:
                self._sent += 1
                return

    def _delivered(self, due: tuple[int, int, ShopEvent], error: KafkaError | None, message: Message) -> None:
        if error is None:
            self._refused_at = None
            self._acknowledged += 1
            self._open.acknowledge(due[1])
        elif error.code() == KafkaError.UNKNOWN and self._may_try_again():
            self._sent -= 1
            self._open.unsent.appendleft(due)  # the clock waits for it, so it comes in time
        else:
            self._failure = self._failure or _mapped(error, message.topic() or "")

    def _may_try_again(self) -> bool:
        now = time.monotonic()
        self._refused_at = self._refused_at or now
        return now < self._refused_at + _REFUSED_S

    def _run_on(self) -> None:
        """After the last event: from its time on, at the same speed, to the end."""
        last = self._open.youngest_ms or 0
        self._end = last + self._options.run_on_ms
        self._tell(last)
        # Not from where the pace has come to meanwhile: a slow broker must not make the clock jump.
        pace = Pace(self._options.speed, last)
        while self._told is None or self._told < self._end:
            if self._tick(min(pace.now_ms(), self._end)) and self._stopped():
                return
            self._producer.poll(min(_TICK_S, pace.seconds_until(self._end)))

    def _tick(self, now_ms: float) -> bool:
        """Tell clock and progress, if it is time for that."""
        self._raise_failure()
        now = time.monotonic()
        if now - self._ticked < _TICK_S and now_ms != self._end:
            return False
        self._ticked = now
        bound = self._open.bound_ms
        at_ms = now_ms if bound is None else min(now_ms, bound)
        if at_ms != float("inf"):
            self._tell(int(at_ms))
        self._report()
        return True

    def _tell(self, at_ms: int) -> None:
        if self._told is None or at_ms > self._told:
            self._clock.tell(at_ms)
            self._told = at_ms

    def _report(self) -> None:
        if self._on_progress is not None:
            self._on_progress(self._progress())

    def _progress(self) -> ReplayProgress:
        return ReplayProgress(
            sent=self._sent,
            acknowledged=self._acknowledged,
            clock_ms=self._told,
            last_event_ms=self._open.youngest_ms,
            end_ms=self._end,
        )

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _check_topics(self) -> None:
        try:
            known = self._producer.list_topics(timeout=_REQUEST_S).topics
        except KafkaException as error:
            servers = self._options.client.get("bootstrap.servers")
            raise BrokerUnavailable(f"Kafka does not answer at {servers}: {error.args[0].str()}") from error
        missing = sorted(name for name in self._options.topics.values() if name not in known)
        if missing:
            raise TopologyError(f"no such topics: {', '.join(missing)}; create them with: postcart topics create")


def _mapped(error: KafkaError, topic: str) -> PostcartError:
    if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
        return ConfigurationError(f"{topic}: an event is larger than the topic's max.message.bytes allows")
    return BrokerUnavailable(f"{topic}: a record was given up: {error.str()}")
