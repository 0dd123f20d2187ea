"""Record batches in, decoded events out; what can't be read becomes dead letters.

Owns: the step that is the same in every stage: decode a batch, count, collect dead letters, tell the clock. Must
not: know what the events mean.
"""

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, Protocol

from confluent_kafka import Message

from postcart.codecs import dead_letters
from postcart.codecs.dead_letters import DeadLetter
from postcart.events.event import moment_ms
from postcart.events.shop import Event, time_ms
from postcart.processors.engine.task import Output, RecordBatch
from postcart.processors.stage_metrics import StageMetrics

_time = attrgetter("time")


class BatchDecoder(Protocol):
    """Decodes the records of one topic."""

    def decode_batch(self, messages: Sequence[Message]) -> tuple[list[Any], list[DeadLetter]]:
        """Events in order, and what could not be read."""
        ...


def append_bound_ms(batch: RecordBatch, latest_event_ms: int) -> int:
    """The highest of min(event time, append time) in a batch whose youngest event is ``latest_event_ms``.

    Append times of a partition don't fall, so the cheap answer is right unless a source's clock is fast.
    """
    first = batch.records[0].timestamp()[1]
    if latest_event_ms <= first:
        return latest_event_ms
    return min(latest_event_ms, batch.records[-1].timestamp()[1])


def latest_ms(events: Sequence[Event]) -> int:
    """The youngest event's time; 0 without events."""
    try:
        latest: int | datetime = max(map(_time, events), default=0)
    except TypeError:  # some sources write texts, others milliseconds
        return max(map(time_ms, events))
    return moment_ms(latest)


def dead_outputs(topic: str, letters: Sequence[DeadLetter], metrics: StageMetrics) -> list[Output]:
    """Dead letters as records under their original keys, counted by reason."""
    outputs = []
    for letter in letters:
        key, value = dead_letters.encode(letter)
        outputs.append(Output(topic, key, value))
        metrics.dead_letters(letter.topic, letter.reason)
    return outputs
