"""A visitor's record as it comes from a shop's topic, and the decoders of all of these topics.

Owns: one good record, messages, and the reason for which a bad one is refused. Must not: know which reason is right.
"""

import msgspec
import pytest
from confluent_kafka import TIMESTAMP_CREATE_TIME, Message

from postcart.codecs.shop_events import ShopEventDecoder
from postcart.codecs.shop_subjects import SUBJECTS
from postcart.errors import UnreadableRecord
from postcart.events.shop import SessionStarted

STARTED = SessionStarted(id="1", time=1_664_582_400_000, visitor_id="6f1d2c58-0d3e-5a63-9d0b-0f4e5b7c2a11")
KEY = STARTED.visitor_id.encode()
JSON = msgspec.json.encode(STARTED)
DECODERS = {subject: ShopEventDecoder(subject, stage="detect") for subject in SUBJECTS}
SESSIONS = DECODERS["shop.sessions"]


def message(key: bytes | None, value: bytes | None, *, offset: int = 0, subject: str = "shop.sessions") -> Message:
    """A record as the consumer gives it."""
    return Message(
        topic=subject,
        partition=3,
        offset=offset,
        key=key,
        value=value,
        headers=[("source", b"web"), ("empty", None)],
        timestamp=(TIMESTAMP_CREATE_TIME, 1_664_582_400_123),
    )


def reason(decoder: ShopEventDecoder, key: bytes | None, value: bytes | None) -> str:
    """The reason, which one record alone and a batch must agree on; neighbours get through."""
    with pytest.raises(UnreadableRecord) as raised:
        decoder.decode(key, value)
    assert raised.value.reason in UnreadableRecord.REASONS
    letters = decoder.decode_batch([message(key, value)])[1]
    assert [letter.reason for letter in letters] == [raised.value.reason]
    return raised.value.reason
