"""What is on the topic of dead letters: groups, single letters, and the history of each.

Owns: filters, and which record of the topic says what. Must not: write.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from postcart.adapters.dead_letters.index import DeadGroup, LetterIndex, Place, State
from postcart.adapters.dead_letters.scanning import REQUEST_S, Scan, mapped, reader
from postcart.codecs.dead_letters import (
    DeadLetter,
    Edited,
    HeadRecord,
    LetterHead,
    Redriven,
    RedriveRun,
    Unmasked,
    decode,
    decode_head,
)
from postcart.errors import BrokerUnavailable, UnreadableRecord

REDRIVEN_HEADER: Final = "postcart-redriven"
"""Header of a redriven record: the id of the letter that it was."""
REVISION_HEADER: Final = "postcart-revision"
"""Header of an edited record or a job sent again: which revision it is."""

Note = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterFilter:
    """Which letters are meant; what is empty or None excludes none.

    Attributes:
        key: The original's key.
        since_ms: Set aside at or after this time; ``until_ms``: before that one.
        detail: A part of the detail's text.
    """

    reasons: frozenset[str] = frozenset()
    topics: frozenset[str] = frozenset()
    stages: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()
    key: bytes | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    detail: str = ""

    def matches(self, letter: LetterHead, at_ms: int) -> bool:
        """Whether this letter, set aside at ``at_ms``, is meant."""
        return (
            (not self.reasons or letter.reason in self.reasons)
            and (not self.topics or letter.topic in self.topics)
            and (not self.stages or letter.stage in self.stages)
            and (not self.ids or letter.id in self.ids)
            and (self.key is None or letter.key == self.key)
            and (self.since_ms is None or at_ms >= self.since_ms)
            and (self.until_ms is None or at_ms < self.until_ms)
            and self.detail in letter.detail
        )


ALL: Final = LetterFilter()


class Found(NamedTuple):
    """A letter without its value, when it was set aside, and what became of it."""

    letter: LetterHead
    at_ms: int
    state: State


@dataclass(slots=True)
class Case:
    """Everything about one letter.

    Attributes:
        place: Where it stands on the topic of dead letters.
        history: What was done with it, in order.
        born_of: The letter whose record, written again, became this letter; None if it is the first.
        became: Letters that its record became when it was written again.
    """

    letter: DeadLetter
    place: Place
    history: list[Redriven | Edited | Unmasked] = field(default_factory=list)
    became: list[str] = field(default_factory=list)

    @property
    def born_of(self) -> str | None:
        """See above."""
        return header(self.letter, REDRIVEN_HEADER)

    @property
    def state(self) -> State:
        """What became of it."""
        states = [type(one) for one in self.history]
        return "edited" if Edited in states else "redriven" if Redriven in states else "waiting"


def header(letter: LetterHead, name: str) -> str | None:
    """The last header of this name, as text."""
    values = [value for key, value in letter.headers if key == name and value is not None]
    return values[-1].decode("utf-8", "replace") if values else None


def place_of(message: Message) -> Place:
    """Where a record stands."""
    partition, offset = message.partition(), message.offset()
    return Place(-1 if partition is None else partition, -1 if offset is None else offset, message.timestamp()[1])


def head_records(
    client: Mapping[str, Any], topic: str, *, note: Note | None = None
) -> Iterator[tuple[HeadRecord, Message]]:
    """Everything on the topic up to where it ends now, in the order of each partition; one at a time in memory.

    Raises:
        BrokerUnavailable: Kafka can't be read.
        TopologyError: There is no such topic.
    """
    for message in Scan(client, topic):
        try:
            yield decode_head(message.value() or b""), message
        except UnreadableRecord as error:
            if note is not None:
                note(f"{topic}[{message.partition()}]@{message.offset()}: no dead letter: {error.detail}")


@contextmanager
def indexed(
    client: Mapping[str, Any],
    topic: str,
    *,
    only: LetterFilter = ALL,
    note: Note | None = None,
    index: LetterIndex | None = None,
    on_letter: Callable[[LetterHead, Message], None] | None = None,
) -> Iterator[LetterIndex]:
    """An index of the letters that match, while the block lasts. ``on_letter`` is told of each.

    ``index``: an empty one to be filled; None: a new one.

    Raises:
        BrokerUnavailable: Kafka can't be read.
        TopologyError: There is no such topic.
    """
    index = index or LetterIndex()
    try:
        for record, message in head_records(client, topic, note=note):
            if isinstance(record, Redriven | Edited):
                index.mark(record)
            elif isinstance(record, LetterHead):
                place = place_of(message)
                if only.matches(record, place.at_ms):
                    index.add(record, place)
                    if on_letter is not None:
                        on_letter(record, message)
        yield index
    finally:
        index.close()


def dead_groups(
    client: Mapping[str, Any], topic: str, *, only: LetterFilter = ALL, note: Note | None = None
) -> list[DeadGroup]:
    """Letters by reason, topic and stage; each id counts once.

    Raises:
        BrokerUnavailable: Kafka can't be read.
        TopologyError: There is no such topic.
    """
    with indexed(client, topic, only=only, note=note) as index:
        return index.groups()


def read_letters(
    client: Mapping[str, Any], topic: str, *, only: LetterFilter = ALL, note: Note | None = None
) -> Iterator[Found]:
    """All letters that match, each id once, in the order of each partition of the topic. Reads it twice.

    Raises:
        BrokerUnavailable: Kafka can't be read.
        TopologyError: There is no such topic.
    """
    with indexed(client, topic, only=only, note=note) as index:
        for record, message in head_records(client, topic):
            if isinstance(record, LetterHead):
                place = place_of(message)
                state = index.look(record.id, place)
                if state is not None:
                    yield Found(record, place.at_ms, state)


def find_letter(client: Mapping[str, Any], topic: str, letter_id: str) -> Case | None:
    """One letter with its history; None if it is not there (any more).

    Raises:
        BrokerUnavailable: Kafka can't be read.
        TopologyError: There is no such topic.
    """
    found: list[tuple[DeadLetter, Place]] = []
    history: list[Redriven | Edited | Unmasked] = []
    became: list[str] = []
    for record, message in head_records(client, topic):
        if isinstance(record, LetterHead):
            if record.id == letter_id and not found:
                letter = decode(message.value() or b"")
                if isinstance(letter, DeadLetter):
                    found.append((letter, place_of(message)))
            elif header(record, REDRIVEN_HEADER) == letter_id:
                became.append(record.id)
        elif not isinstance(record, RedriveRun) and record.id == letter_id:
            history.append(record)
    if not found:
        return None
    return Case(*found[0], sorted(history, key=lambda one: one.at_ms), became)


def read_runs(client: Mapping[str, Any], topic: str) -> list[tuple[RedriveRun, int]]:
    """Each redrive, the latest first, as its last record tells it, with the letters that its markers count.

    Raises:
        BrokerUnavailable: Kafka can't be read.
        TopologyError: There is no such topic.
    """
    runs: dict[str, RedriveRun] = {}
    written: dict[str, int] = {}
    for record, _ in head_records(client, topic):
        if isinstance(record, RedriveRun):
            if record.id not in runs or record.state != "began":
                runs[record.id] = record
        elif isinstance(record, Redriven) and record.run is not None:
            written[record.run] = written.get(record.run, 0) + 1
    return sorted(
        ((run, written.get(run.id, 0)) for run in runs.values()), key=lambda pair: pair[0].at_ms, reverse=True
    )


def original_value(client: Mapping[str, Any], letter: DeadLetter) -> bytes | None:
    """The whole original value: the letter's own, or where that is truncated the record's, if it is still there.

    Raises:
        LookupError: The record is gone, or another one stands in its place.
        BrokerUnavailable: Kafka can't be read.
    """
    if not letter.truncated:
        return letter.value
    gone = f"{letter.topic}[{letter.partition}]@{letter.offset} is not there any more"
    consumer = Consumer(reader(client, letter.topic) | {"auto.offset.reset": "error", "fetch.max.bytes": 64_000_000})
    try:
        consumer.assign([TopicPartition(letter.topic, letter.partition, letter.offset)])
        polls = int(REQUEST_S / 0.5)
        for _ in range(polls):
            for message in consumer.consume(num_messages=1, timeout=0.5):
                if message.error() is None and message.offset() == letter.offset:
                    value = message.value() or b""
                    if len(value) == letter.size and value.startswith(letter.value or b""):
                        return value
                raise LookupError(gone)
    except KafkaException as error:
        raise mapped(error.args[0], letter.topic) from error
    finally:
        consumer.close()
    raise BrokerUnavailable(f"{letter.topic}: nothing could be read within {REQUEST_S:.0f} s")
