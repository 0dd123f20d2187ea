"""Where time comes from: the machine, or a replay that tells it through a topic.

Owns: the only reading of the machine's wall clock, and the topic ``clock`` (one partition, compacted, one key). Must
not: decide what the time is good for, or produce events.

A replay promises: when a value T can be read, every event with a time up to T could be read before. Values never fall.
"""

import threading
import time
from collections.abc import Mapping
from typing import Any, Self

import msgspec
import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from postcart.adapters.rdkafka.leaders import watermarks_of
from postcart.adapters.steady import SteadyTime
from postcart.errors import BrokerUnavailable, ConfigurationError, PostcartError, StateError, TopologyError
from postcart.events.times import iso

log = structlog.get_logger(__name__)

_PASSING = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Passes also while the machine sleeps."""
_KEY = b"clock"
_REQUEST_S = 10.0
_CREATED_WITHIN_S = 3.0
_POLL_S = 0.2


class ClockRecord(msgspec.Struct, frozen=True, gc=False):
    """A value of the topic: the replay has come to ``at_ms``, event time."""

    at_ms: int


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(ClockRecord).decode


def _real_ms() -> int:
    return int(time.time() * 1000)  # noqa: TID251 -- the one place where the machine's clock is read


class WallClock:
    """The machine's clock, without its jumps (see ``postcart.adapters.steady``). May be asked on any thread."""

    is_replay = False

    def __init__(self) -> None:
        self._steady = SteadyTime()
        self._lock = threading.Lock()

    def now_ms(self) -> int:
        """Milliseconds since the epoch, UTC."""
        with self._lock:
            return self._steady.at(wall_ms=_real_ms(), elapsed_ms=int(time.clock_gettime(_PASSING) * 1000))

    def real_ms(self) -> int:
        """The same: here event time and real time pass together."""
        return self.now_ms()


class ReplayClock:
    """The time as a replay tells it, read by a thread of its own.

    Args:
        client: librdkafka's properties of a reader, ``bootstrap.servers`` among them.
        topic: The clock's topic.
    """

    is_replay = True

    def __init__(self, client: Mapping[str, Any], topic: str) -> None:
        self._client = dict(client)
        self._topic = topic
        self._now: int | None = None
        self._failure: PostcartError | None = None
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="replay-clock", daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Begin to read. Once only."""
        self._thread.start()

    def close(self) -> None:
        """Stop reading; the last value stays. May be called at any time, also twice."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def now_ms(self) -> int | None:
        """The latest value read, milliseconds of event time; None before the first. Never falls.

        Raises:
            PostcartError: The topic can't be read any more; the process must end.
        """
        if self._failure is not None:
            raise self._failure
        return self._now

    def real_ms(self) -> int:
        """The machine's clock, whatever the replay tells."""
        return _real_ms()

    def wait_for(self, at_ms: int, *, timeout_s: float) -> bool:
        """Block until the clock has reached ``at_ms``; False if that took longer than ``timeout_s``."""
        with self._changed:
            return self._changed.wait_for(lambda: (self.now_ms() or 0) >= at_ms, timeout_s)

    def _run(self) -> None:
        try:
            consumer = Consumer({"group.id": f"{self._topic}.reader", **self._client, "enable.auto.commit": False})
            try:
                if self._seek_last(consumer):
                    self._follow(consumer)
            finally:
                consumer.close()
        except PostcartError as error:
            self._fail(error)
        except KafkaException as error:
            self._fail(_mapped(error.args[0], self._topic))

    def _seek_last(self, consumer: Consumer) -> bool:
        """Go to the last value; a broker that is away for a while is waited for. False if stopped meanwhile."""
        while not self._stop.is_set():
            try:
                low, high = _bounds(consumer, self._topic)
            except BrokerUnavailable as error:
                log.warning("clock_unreachable", topic=self._topic, error=str(error))
                self._stop.wait(_POLL_S)
            else:
                consumer.assign([TopicPartition(self._topic, 0, max(low, high - 1))])
                return True
        return False

    def _follow(self, consumer: Consumer) -> None:
        while not self._stop.is_set():
            for message in consumer.consume(num_messages=100, timeout=_POLL_S):
                error = message.error()
                if error is None:
                    self._take(message)
                elif error.fatal() or error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise _mapped(error, self._topic)
                elif error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 -- librdkafka's public name for it
                    log.warning("clock_trouble", topic=self._topic, error=str(error))

    def _take(self, message: Message) -> None:
        at_ms = _told_by(message)
        with self._changed:
            if self._now is None or at_ms > self._now:
                self._now = at_ms
                self._changed.notify_all()

    def _fail(self, error: PostcartError) -> None:
        log.error("clock_failed", topic=self._topic, code=error.code, error=str(error))
        with self._changed:
            self._failure = error
            self._changed.notify_all()


class ClockWriter:
    """Tells a replay's time.

    Args:
        client: librdkafka's properties of a client, ``bootstrap.servers`` among them.
        topic: The clock's topic.
    """

    def __init__(self, client: Mapping[str, Any], topic: str) -> None:
        self._client = dict(client)
        self._topic = topic
        self._told: int | None = None
        self._failure: PostcartError | None = None
        self._producer = Producer(
            {**self._client, "enable.idempotence": True, "acks": "all", "linger.ms": 0, "client.id": "replay-clock"}
        )

    def begin(self, start_ms: int) -> None:
        """Check that a replay of events from ``start_ms`` on may begin here.

        Raises:
            ConfigurationError: An earlier replay has told a later time.
            BrokerUnavailable: Kafka can't be asked.
        """
        last = last_told(self._client, self._topic)
        if last is not None and last >= start_ms:
            raise ConfigurationError(
                f"{self._topic}: an earlier replay has come to {iso(last)}, these events begin at {iso(start_ms)} and "
                "would all be late; replay into topics with another prefix (POSTCART_TOPIC_PREFIX)"
            )

    def tell(self, at_ms: int) -> None:
        """Say that every event up to ``at_ms`` can be read. Repeated and lower values are passed over.

        Raises:
            PostcartError: An earlier value could not be written.
        """
        self._producer.poll(0)
        if self._failure is not None:
            raise self._failure
        if self._told is None or at_ms > self._told:
            self._told = at_ms
            self._producer.produce(self._topic, _encode(ClockRecord(at_ms)), _KEY, 0, on_delivery=self._delivered)

    def flush(self) -> None:
        """Wait until the last value is written.

        Raises:
            PostcartError: A value could not be written.
        """
        while self._producer.flush(_POLL_S) and self._failure is None:
            pass
        if self._failure is not None:
            raise self._failure

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self._failure = _mapped(error, self._topic)


def _told_by(message: Message) -> int:
    try:
        return _decode(message.value() or b"").at_ms
    except ValueError as error:
        raise StateError(f"{message.topic()}@{message.offset()}: no clock record: {error}") from error


def last_told(client: Mapping[str, Any], topic: str) -> int | None:
    """The last value of the clock's topic, milliseconds; None if it was never told.

    Raises:
        BrokerUnavailable: Kafka can't be asked.
        TopologyError: There is no such topic.
        StateError: The topic holds something else.
    """
    found: list[int] = []
    consumer = Consumer({**client, "group.id": f"{topic}.reader", "enable.auto.commit": False})
    try:
        low, high = _bounds(consumer, topic)
        if high <= low:
            return None
        consumer.assign([TopicPartition(topic, 0, high - 1)])
        deadline = time.monotonic() + _REQUEST_S
        while not found and time.monotonic() < deadline:
            messages = consumer.consume(num_messages=1, timeout=_POLL_S)
            found += [_told_by(message) for message in messages if message.error() is None]
    except KafkaException as error:
        raise _mapped(error.args[0], topic) from error
    finally:
        consumer.close()
    if not found:
        raise BrokerUnavailable(f"{topic}: its last record could not be read within {_REQUEST_S:.0f} s")
    return found[0]


def _bounds(consumer: Consumer, topic: str) -> tuple[int, int]:
    """Low and high watermark. A topic just created is not known everywhere at once: trouble must last to count."""
    try:
        return watermarks_of(consumer, topic, 0, within_s=_CREATED_WITHIN_S)
    except KafkaException as error:
        raise _mapped(error.args[0], topic) from error


_MISSING = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION})  # noqa: SLF001


def _mapped(error: KafkaError, topic: str) -> PostcartError:
    if error.code() in _MISSING:
        return TopologyError(f"{topic}: there is no such topic; create it with: postcart topics create")
    return BrokerUnavailable(f"{topic}: {error.str()}")
