"""Whatever can't be used becomes a dead letter with a reason, and nothing stops."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postcart.codecs.dead_letters import HEAD_BYTES, decode, encode
from postcart.codecs.sanity import SENTINEL_KEYS
from postcart.codecs.shop_events import ShopEventDecoder, ShopEventEncoder
from postcart.codecs.shop_subjects import Subject, avro_events
from postcart.events.shop import CartLine, Identified, LineAdded, OrderPlaced, ProfileUpdated
from shop_records import DECODERS, JSON, KEY, SESSIONS, STARTED, message, reason


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "framing"),
        (b"", "framing"),
        (b"hello", "framing"),
        (b"\x00\x00", "framing"),
        (b"\xc3\x01\x00", "framing"),
        (b"\xc3\x01" + bytes(8), "schema_unknown"),
        (b"\x00" + bytes(4) + b"\xff" * 10, "schema_unknown"),
        (b"{", "decode"),
        (JSON[:-1], "decode"),
        (b"{\xff}", "decode"),
        (b'{"type":"started","id":"\xff"}', "decode"),
        (b"{}", "invalid"),
        (JSON.replace(b"started", b"stopped"), "invalid"),
        (JSON.replace(b'"1"', b"1"), "invalid"),
        (JSON.replace(b"1664582400000", b'"2022-10-01T00:00:00"'), "invalid"),
        (JSON.replace(b"1664582400000", b"-1"), "invalid"),
        (JSON.replace(b"1664582400000", b"9" * 30), "invalid"),
        (JSON.replace(b"1664582400000", b'"9999-10-01T00:00:00Z"'), "invalid"),
        (JSON.replace(b"started", b"added"), "invalid"),
        (JSON.replace(b'"sequence":0', b'"sequence":9223372036854775808'), "invalid"),
        (JSON.replace(b'"sequence":0', b'"sequence":1' + b"0" * 99), "invalid"),
        (JSON + b" " * 1_000_000, "oversized"),
        (JSON[:-1] + b',"x":' + b"[" * 50_000 + b"]" * 50_000 + b"}", "decode"),
        (JSON[:-1] + b',"x":' + b'{"a":' * 50_000 + b"1" + b"}" * 50_001, "decode"),
        (JSON.replace(b"6f1d2c58", b"\\ud800"), "decode"),
    ],
)
def test_unusable_values(value: bytes | None, expected: str) -> None:
    """Each damage has its reason."""
    assert reason(SESSIONS, KEY, value) == expected


@pytest.mark.parametrize("amount", ["NaN", "sNaN", "Infinity", "-Infinity", "1E+400", "1E-400", "1" * 60, "0E-30"])
def test_amounts_that_can_not_be_counted_with(amount: str) -> None:
    """What passes as a decimal but would fail, or explode, in arithmetic is refused, in every framing."""
    line = CartLine(variant_id="p", quantity=1, unit_price=Decimal(amount))
    event = LineAdded(id="1", time=1, visitor_id="visitor", line=line)
    order = OrderPlaced(id="1", time=1, person_id="person", order_id="o", lines=(line,))
    total = OrderPlaced(id="1", time=1, person_id="person", order_id="o", total=Decimal(amount))
    for unfit in (event, order, total):
        for framing in ("json", "single_object"):
            subject, key, value = ShopEventEncoder(framing).encode(unfit)
            assert reason(DECODERS[subject], key, value) == "invalid"


@pytest.mark.parametrize("key", [*sorted(SENTINEL_KEYS), "GUEST", " null "])
def test_sentinel_keys(key: str) -> None:
    """A key that means nobody is refused in any letter case, also where the event agrees with it."""
    event = msgspec.structs.replace(STARTED, visitor_id=key)
    assert reason(SESSIONS, key.encode(), msgspec.json.encode(event)) == "key_sentinel"


def test_keys() -> None:
    """Missing, empty or another visitor's key; a person's topics go by the person."""
    assert reason(SESSIONS, None, JSON) == "key_missing"
    assert reason(SESSIONS, b"", JSON) == "key_missing"
    assert reason(SESSIONS, b"another", JSON) == "key_mismatch"
    assert reason(SESSIONS, b"\xff", JSON) == "key_mismatch"
    identified = Identified(id="1", time=1, visitor_id="visitor", person_id="person")
    assert reason(SESSIONS, b"person", msgspec.json.encode(identified)) == "key_mismatch"
    profile = ProfileUpdated(id="1", time=1, person_id="person")
    assert DECODERS["shop.profiles"].decode(b"person", msgspec.json.encode(profile)) == profile


def test_tombstones() -> None:
    """No value is no event on the compacted topic, and a dead letter elsewhere."""
    profiles = DECODERS["shop.profiles"]
    profile = ProfileUpdated(id="1", time=1, person_id="person")
    batch = [message(b"person", None), message(b"person", msgspec.json.encode(profile))]
    assert profiles.decode(b"person", None) is None
    assert profiles.decode_batch(batch) == ([profile], [])
    assert profiles.decode_aligned(batch) == ([None, profile], [])


def test_a_dead_letter_tells_everything() -> None:
    """Reason, position and the original bytes; good records before and after it get through, in place."""
    bad = b'{"type":"started"\xff'
    batch = [message(KEY, JSON, offset=6), message(b"\x00key", bad, offset=7), message(KEY, JSON, offset=8)]
    aligned, letters = SESSIONS.decode_aligned(batch)
    assert aligned == [STARTED, None, STARTED]
    assert SESSIONS.decode_batch(batch) == ([STARTED, STARTED], letters)
    (letter,) = letters
    assert (letter.topic, letter.partition, letter.offset, letter.stage) == ("shop.sessions", 3, 7, "detect")
    assert (letter.timestamp_ms, letter.headers) == (1_664_582_400_123, (("source", b"web"), ("empty", None)))
    assert (letter.key, letter.value, letter.size, letter.truncated) == (b"\x00key", bad, len(bad), False)
    key, value = encode(letter)
    assert key == b"\x00key"
    assert decode(value) == letter
    again = SESSIONS.decode_batch(batch)[1][0]
    other = ShopEventDecoder("shop.sessions", stage="journey").decode_batch(batch)[1][0]
    assert again.id == letter.id != other.id


def test_a_dead_letter_of_five_megabytes() -> None:
    """What doesn't fit stays where it is; the letter names the place and keeps the first 64 KiB."""
    huge = JSON[:-1] + b',"x":"' + b"x" * 5_000_000 + b'"}'
    events, (letter,) = SESSIONS.decode_batch([message(KEY, huge)])
    assert events == []
    assert (letter.reason, letter.size, letter.truncated) == ("oversized", len(huge), True)
    assert letter.value == huge[:HEAD_BYTES]
    assert len(encode(letter)[1]) < 100_000
    whole = ShopEventDecoder("shop.sessions", stage="detect", most_dead_bytes=6_000_000)
    assert whole.decode_batch([message(KEY, huge)])[1][0].value == huge


def test_damaged_avro() -> None:
    """Cut, extended or overwritten anywhere, an Avro payload is an event or a dead letter, never anything else."""
    for framing in ("single_object", "wire"):
        value = ShopEventEncoder(framing).encode(STARTED)[2]
        assert reason(SESSIONS, KEY, value + b"\x00") in {"decode", "schema_unknown"}
        for cut in range(len(value)):
            assert SESSIONS.decode_batch([message(KEY, value[:cut])])[1]
        for position in range(len(value)):
            for byte in (0x00, 0x7F, 0x80, 0xFF):
                damaged = value[:position] + bytes([byte]) + value[position + 1 :]
                events, letters = SESSIONS.decode_batch([message(KEY, damaged)])
                assert len(events) + len(letters) == 1


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda tail: b"\x00\x00\x00\x00\x01" + tail))
def test_any_bytes(value: bytes) -> None:
    """Random bytes never stop anything."""
    for subject, decoder in DECODERS.items():
        events, letters = decoder.decode_batch([message(KEY, value, subject=subject)])
        assert len(events) + len(letters) == 1


def test_values_that_are_no_events() -> None:
    """An Avro value without a kind, or of another topic's kind, is invalid."""
    for value in ("text", {}, {"kind": ("postcart.shop.Added", {})}, ("Unheard", {})):
        with pytest.raises(ValueError, match=r"no record|no event"):
            avro_events("shop.sessions")(value, None)
    subject: Subject = "shop.profiles"
    assert isinstance(avro_events(subject)({"id": "1", "time": 1, "person_id": "p"}, None), ProfileUpdated)
