"""Writes dead letters to the topics that they came from, each once.

Owns: the transaction that holds a record together with its marker. Must not: change a record.

A letter's original bytes and the marker that says so are committed in one transaction, so an interrupted redrive is
simply run again. The transactional id is one per topic of dead letters: a second redrive ends the first.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Producer

from postcart.adapters.dead_letters.reading import ALL, LetterFilter, mapped, original_value, read_letters, records
from postcart.codecs.dead_letters import DeadLetter, Redriven, encode
from postcart.errors import BrokerUnavailable, ConfigurationError, Fenced, PostcartError

_CALL_S: Final = 30.0
_BATCH: Final = 200
_BATCH_BYTES: Final = 8_000_000
_SAMPLES: Final = 3
HEADER: Final = "postcart-redriven"
"""Header of a redriven record: the letter's id."""


@dataclass(slots=True, kw_only=True)
class RedriveReport:
    """What a redrive did, or would do.

    Attributes:
        executed: False for a dry run.
        matching: Letters that match and were not redriven before, by (reason, topic).
        redriven_before: Letters that match but were redriven by an earlier run.
        written: Letters written by this run; 0 in a dry run.
        gone: Letters that hold only a reference, to records that are no longer there.
        samples: Some of the letters that match, without their values.
    """

    executed: bool
    matching: Counter[tuple[str, str]] = field(default_factory=Counter)
    redriven_before: int = 0
    written: int = 0
    gone: list[str] = field(default_factory=list)
    samples: list[DeadLetter] = field(default_factory=list)


def redrive(
    client: Mapping[str, Any],
    topic: str,
    *,
    only: LetterFilter = ALL,
    execute: bool = False,
    now_ms: Callable[[], int],
    per_second: int | None = None,
    on_progress: Callable[[RedriveReport], None] | None = None,
) -> RedriveReport:
    """Write the original records of matching letters to their original topics, under their original keys.

    Idempotent: a letter is redriven once, also over several runs, crashes and runs at the same time. A record that is
    as unusable as before becomes a new letter, of its new position.

    Args:
        client: librdkafka's properties of a client.
        topic: Of the dead letters.
        only: Which ones.
        execute: False only counts.
        now_ms: Real wall time, for the markers.
        per_second: Most letters a second; None: no limit.
        on_progress: Told after each transaction.

    Raises:
        Fenced: Another redrive of this topic began; it goes on where this one was.
        BrokerUnavailable: Kafka did not take a batch; run it again.
        ConfigurationError: A topic refuses a record, because of its size or because it does not exist.
    """
    # Opened before reading: whatever an interrupted predecessor left open is aborted, so its markers are all readable.
    producer = _open(client, topic) if execute else None
    found = read_letters(client, topic, only=only)
    report = RedriveReport(executed=execute)
    waiting = [one.letter for one in found if not one.redriven]
    report.redriven_before = len(found) - len(waiting)
    report.matching.update((letter.reason, letter.topic) for letter in waiting)
    report.samples = waiting[:_SAMPLES]
    if producer is None:
        return report
    # Read once more, now with the values, a batch at a time: only the ids of all letters are held in memory.
    for batch in _batches(records(client, topic), {letter.id for letter in waiting}):
        began = time.monotonic()
        _write(producer, topic, _with_originals(client, batch, report), now_ms=now_ms(), report=report)
        if on_progress is not None:
            on_progress(report)
        if per_second is not None:
            time.sleep(max(0.0, len(batch) / per_second - (time.monotonic() - began)))
    return report


def _open(client: Mapping[str, Any], topic: str) -> Producer:
    producer = Producer(
        {
            **client,
            "transactional.id": f"{topic}.redrive",
            "partitioner": "murmur2_random",  # Java's default; librdkafka's own is CRC32
            "message.max.bytes": 64_000_000,  # what the topic allows is for the broker to say
            "transaction.timeout.ms": 60_000,
        }
    )
    try:
        producer.init_transactions(_CALL_S)
    except KafkaException as error:
        raise _judged(error.args[0], topic) from error
    return producer


def _batches(found: Iterable[DeadLetter | Redriven], waiting: set[str]) -> Iterator[list[DeadLetter]]:
    """The waiting letters, each once, as much as one transaction takes."""
    batch: list[DeadLetter] = []
    size = 0
    for letter in found:
        if not isinstance(letter, DeadLetter) or letter.id not in waiting:
            continue
        waiting.discard(letter.id)
        if batch and (len(batch) >= _BATCH or size + letter.size > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(letter)
        size += letter.size
    if batch:
        yield batch


def _with_originals(
    client: Mapping[str, Any], batch: Sequence[DeadLetter], report: RedriveReport
) -> list[tuple[DeadLetter, bytes | None]]:
    found: list[tuple[DeadLetter, bytes | None]] = []
    for letter in batch:
        try:
            found.append((letter, original_value(client, letter)))
        except LookupError:
            report.gone.append(letter.id)
    return found


def _write(
    producer: Producer,
    topic: str,
    letters: Sequence[tuple[DeadLetter, bytes | None]],
    *,
    now_ms: int,
    report: RedriveReport,
) -> None:
    """One transaction. After an error it is not known whether it was committed; its markers will tell."""
    if not letters:
        return
    trouble: list[PostcartError] = []

    def delivered(error: KafkaError | None, message: Any) -> None:
        if error is not None:
            trouble.append(_judged(error, message.topic()))

    try:
        producer.begin_transaction()
        for letter, value in letters:
            headers: list[tuple[str, str | bytes | None]] = [*letter.headers, (HEADER, letter.id.encode())]
            producer.produce(letter.topic, value, letter.key, headers=headers, on_delivery=delivered)
            key, marker = encode(Redriven(id=letter.id, at_ms=now_ms))
            producer.produce(topic, marker, key, on_delivery=delivered)
            producer.poll(0)
        producer.commit_transaction(_CALL_S)
    except KafkaException as error:
        judged = trouble[0] if trouble else _judged(error.args[0], topic)
        if not isinstance(judged, Fenced):
            _abort(producer)
        raise judged from error
    report.written += len(letters)


def _abort(producer: Producer) -> None:
    try:
        producer.abort_transaction(_CALL_S)
    except KafkaException:
        return  # the next run's init_transactions, or the time-out, aborts it


def _judged(error: KafkaError, topic: str) -> PostcartError:
    if error.code() in {KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED}:  # noqa: SLF001 -- librdkafka's name for it
        return Fenced(f"{topic}: another redrive has begun; it goes on where this one was")
    if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
        return ConfigurationError(
            f"{topic}: a record is larger than the topic's max.message.bytes; raise that, or leave its letter out"
        )
    judged = mapped(error, topic)
    if isinstance(judged, BrokerUnavailable):
        return BrokerUnavailable(f"{judged}; run it again: nothing is redriven twice")
    return judged
