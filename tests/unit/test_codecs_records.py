"""Postcart's own records: whatever can't be read is a dead letter, and the rest of the batch gets through."""

import msgspec
import pytest
from confluent_kafka import Message

from postcart.codecs.records import RecordDecoder
from postcart.events.signals import AnySignal, TaskClock

CLOCK = TaskClock(task=1, clock_ms=5)
GOOD = msgspec.json.encode(CLOCK)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "decode"),
        (b"{", "decode"),
        (b'{"type":"\xff"}', "decode"),
        (b"{}", "invalid"),
        (GOOD.replace(b"5", b"true"), "invalid"),
        (GOOD[:-1] + b',"x":' + b"[" * 50_000 + b"]" * 50_000 + b"}", "decode"),
    ],
)
def test_unreadable(value: bytes, reason: str) -> None:
    """Each damage has its reason; a tombstone is passed over."""
    decoder = RecordDecoder(AnySignal, stage="journey")
    batch = [Message(topic="signals", partition=0, offset=n, value=v) for n, v in enumerate([GOOD, value, None, GOOD])]
    records, (letter,) = decoder.decode_batch(batch)
    assert records == [CLOCK, CLOCK]
    assert (letter.reason, letter.offset, letter.value, letter.stage) == (reason, 1, value, "journey")
