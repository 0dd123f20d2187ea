"""Reads the topic of dead letters from its beginning to where it ends now.

Owns: that reading, filters and grouping. Must not: write.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from msgspec.structs import replace

from postcart.codecs.dead_letters import DeadLetter, Redriven, decode
from postcart.errors import BrokerUnavailable, PostcartError, TopologyError, UnreadableRecord

_REQUEST_S: Final = 10.0
_CREATED_WITHIN_S: Final = 3.0
"""A topic just created is not known everywhere at once: trouble must last to count."""
_SILENCE_S: Final = 30.0
"""So long without any progress, and reading gives up: open transactions end within their time-out of 10 s."""
_CHUNK: Final = 500
_SAMPLES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterFilter:
    """Which letters are meant: those of any of the reasons, topics and ids; an empty set means all."""

    reasons: frozenset[str] = frozenset()
    topics: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()

    def matches(self, letter: DeadLetter) -> bool:
        """Whether this letter is meant."""
        return (
            (not self.reasons or letter.reason in self.reasons)
            and (not self.topics or letter.topic in self.topics)
            and (not self.ids or letter.id in self.ids)
        )


ALL: Final = LetterFilter()


@dataclass(frozen=True, slots=True)
class Found:
    """A letter, and whether it was redriven already."""

    letter: DeadLetter
    redriven: bool


@dataclass(slots=True, kw_only=True)
class DeadGroup:
    """Letters of one reason, topic and stage.

    Attributes:
        count: All of them; ``redriven`` is how many of these were redriven.
        first_ms: Least of the records' timestamps, milliseconds; ``last_ms`` the greatest. None where none has one.
        samples: Ids of the last few that were not redriven.
    """

    reason: str
    topic: str
    stage: str
    count: int = 0
    redriven: int = 0
    first_ms: int | None = None
    last_ms: int | None = None
    samples: list[str] = field(default_factory=list)


def read_letters(
    client: Mapping[str, Any],
    topic: str,
    *,
    only: LetterFilter = ALL,
    values: bool = False,
    note: Callable[[str], None] | None = None,
) -> list[Found]:
    """All letters that match, each id once, by topic, partition and offset of the original.

    Args:
        client: librdkafka's properties of a client.
        topic: Of the dead letters.
        only: Which ones.
        values: Whether the letters keep their values: all of them are held in memory at once.
        note: Told of each record on the topic that is no dead letter.

    Raises:
        BrokerUnavailable: Kafka can't be read.
        TopologyError: There is no such topic.
    """
    letters: dict[str, DeadLetter] = {}
    redriven: set[str] = set()
    for record in records(client, topic, note=note):
        if isinstance(record, Redriven):
            redriven.add(record.id)
        elif only.matches(record):
            letters[record.id] = record if values else replace(record, value=None)
    found = [Found(letter, letter.id in redriven) for letter in letters.values()]
    return sorted(found, key=lambda one: (one.letter.topic, one.letter.partition, one.letter.offset, one.letter.stage))


def records(
    client: Mapping[str, Any], topic: str, *, note: Callable[[str], None] | None = None
) -> Iterator[DeadLetter | Redriven]:
    """Everything on the topic up to where it ends now, in the order of each partition; one at a time in memory.

    Raises:
        BrokerUnavailable: Kafka can't be read.
        TopologyError: There is no such topic.
    """
    for value, place in _values(client, topic):
        try:
            yield decode(value)
        except UnreadableRecord as error:
            if note is not None:
                note(f"{place}: no dead letter: {error.detail}")


def find_letter(client: Mapping[str, Any], topic: str, letter_id: str) -> Found | None:
    """One letter; None if it is not there (any more).

    Raises:
        BrokerUnavailable: Kafka can't be read.
        TopologyError: There is no such topic.
    """
    return next(iter(read_letters(client, topic, only=LetterFilter(ids=frozenset({letter_id})), values=True)), None)


def grouped(found: Iterable[Found]) -> list[DeadGroup]:
    """Groups by reason, topic and stage, the one with most letters to redrive first."""
    groups: dict[tuple[str, str, str], DeadGroup] = {}
    for one in found:
        letter = one.letter
        key = (letter.reason, letter.topic, letter.stage)
        group = groups.setdefault(key, DeadGroup(reason=letter.reason, topic=letter.topic, stage=letter.stage))
        group.count += 1
        group.redriven += one.redriven
        if letter.timestamp_ms is not None:
            group.first_ms = min(letter.timestamp_ms, group.first_ms or letter.timestamp_ms)
            group.last_ms = max(letter.timestamp_ms, group.last_ms or letter.timestamp_ms)
        if not one.redriven:
            group.samples = [*group.samples, letter.id][-_SAMPLES:]
    return sorted(groups.values(), key=lambda group: (group.redriven - group.count, group.reason, group.topic))


def original_value(client: Mapping[str, Any], letter: DeadLetter) -> bytes | None:
    """The whole original value: the letter's own, or where that is truncated the record's, if it is still there.

    Raises:
        LookupError: The record is gone, or another one stands in its place.
        BrokerUnavailable: Kafka can't be read.
    """
    if not letter.truncated:
        return letter.value
    consumer = Consumer(_reader(client, letter.topic) | {"auto.offset.reset": "error", "fetch.max.bytes": 64_000_000})
    try:
        consumer.assign([TopicPartition(letter.topic, letter.partition, letter.offset)])
        deadline = time.monotonic() + _REQUEST_S
        while time.monotonic() < deadline:
            for message in consumer.consume(num_messages=1, timeout=0.5):
                if message.error() is None and message.offset() == letter.offset:
                    value = message.value() or b""
                    if len(value) == letter.size and value.startswith(letter.value or b""):
                        return value
                raise LookupError(f"{letter.topic}[{letter.partition}]@{letter.offset} is not there any more")
    except KafkaException as error:
        raise mapped(error.args[0], letter.topic) from error
    finally:
        consumer.close()
    raise BrokerUnavailable(f"{letter.topic}: nothing could be read within {_REQUEST_S:.0f} s")


def mapped(error: KafkaError, topic: str) -> PostcartError:
    """What an error of the client is in our terms."""
    missing = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION}  # noqa: SLF001 -- librdkafka's names for its own codes
    if error.code() in missing:
        return TopologyError(f"{topic}: there is no such topic; create it with: postcart topics create")
    return BrokerUnavailable(f"{topic}: {error.str()}")


def _values(client: Mapping[str, Any], topic: str) -> Iterator[tuple[bytes, str]]:
    """Every committed value up to the high watermarks of now, and where it stands.

    The watermarks are those of ``read_uncommitted``: what an open transaction hides is waited for, so that a marker
    which a predecessor wrote behind it is not missed.
    """
    ends = _ends(client, topic)
    open_partitions = {number for number, (low, high) in ends.items() if high > low}
    if not open_partitions:
        return
    consumer = Consumer(_reader(client, topic))
    try:
        consumer.assign([TopicPartition(topic, number, ends[number][0]) for number in open_partitions])
        moved_at = time.monotonic()
        while open_partitions:
            for message in consumer.consume(num_messages=_CHUNK, timeout=0.2):
                error, number = message.error(), message.partition()
                position = message.offset() or 0
                if error is None:
                    yield message.value() or b"", f"{topic}[{number}]@{position}"
                    moved_at = time.monotonic()  # behind the yield: a slow taker is no silence of the broker
                elif error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 -- librdkafka's public name for it
                    raise mapped(error, topic)
                elif number is not None and position >= ends[number][1]:
                    moved_at = time.monotonic()
                    open_partitions.discard(number)
            if time.monotonic() - moved_at > _SILENCE_S:
                raise BrokerUnavailable(
                    f"{topic}: nothing could be read for {_SILENCE_S:.0f} s; is a transaction open?"
                )
    except KafkaException as error:
        raise mapped(error.args[0], topic) from error
    finally:
        consumer.close()


def _ends(client: Mapping[str, Any], topic: str) -> dict[int, tuple[int, int]]:
    """Low and high watermark of each partition. A topic just created may be unknown, or without a leader, at first."""
    consumer = Consumer(_reader(client, topic) | {"isolation.level": "read_uncommitted"})
    deadline = time.monotonic() + _CREATED_WITHIN_S
    try:
        while True:
            try:
                known = consumer.list_topics(topic, timeout=_REQUEST_S).topics[topic]
                if known.error is not None:
                    raise KafkaException(known.error)  # noqa: TRY301 -- the same trouble, told in another way
                return {
                    number: consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=_REQUEST_S)
                    for number in known.partitions
                }
            except KafkaException as error:
                if time.monotonic() > deadline:
                    raise mapped(error.args[0], topic) from error
                consumer.poll(0.1)
    finally:
        consumer.close()


def _reader(client: Mapping[str, Any], topic: str) -> dict[str, Any]:
    return {
        **client,
        "group.id": f"{topic}.reader",  # required by the client, never joined
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed",
        "enable.partition.eof": True,
        "allow.auto.create.topics": False,
    }
