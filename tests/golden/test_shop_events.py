"""Bytes that producers wrote with released schemas are read as the same events for ever."""

import json
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import Message

from postcart.codecs.shop_events import ShopEventDecoder
from postcart.codecs.shop_subjects import SUBJECT_OF
from postcart.events.shop import time_ms

GOLDEN = Path(__file__).parent / "shop_events_v1.jsonl"
"""Subject, key, JSON, and hexadecimal bytes of both Avro framings, one event of each kind a line. Never rewritten."""
LINES = [json.loads(line) for line in GOLDEN.read_text().splitlines()]


@pytest.mark.parametrize("line", LINES, ids=lambda line: str(line["json"]["type"]))
def test_read_as_ever(line: dict[str, object]) -> None:
    """All three framings give the event that the JSON says."""
    decoder = ShopEventDecoder(line["subject"], stage="test")  # type: ignore[arg-type]
    plain = msgspec.json.encode(line["json"])
    values = [plain, bytes.fromhex(str(line["wire"])), bytes.fromhex(str(line["single_object"]))]
    batch = [Message(topic="t", partition=0, offset=0, key=str(line["key"]).encode(), value=value) for value in values]
    events, letters = decoder.decode_batch(batch)
    assert not letters
    assert [msgspec.structs.replace(event, time=time_ms(event)) for event in events] == [events[1]] * 3
    written = json.loads(msgspec.json.encode(events[0]))
    assert line["json"].items() <= written.items()  # type: ignore[attr-defined]


def test_every_kind_is_there() -> None:
    """A new kind gets its line."""
    assert {line["json"]["type"] for line in LINES} == {kind.__struct_config__.tag for kind in SUBJECT_OF}
