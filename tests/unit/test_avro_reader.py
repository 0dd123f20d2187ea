"""The Avro reader that is put together gives what fastavro, the reference, gives."""

import io
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postcart.codecs.avro_reader import reader_of, reference
from postcart.codecs.avro_schemas import released_schemas
from postcart.codecs.avro_source import ahead, source_of
from postcart.codecs.avro_values import Damaged
from postcart.codecs.shop_subjects import SUBJECTS

PARSED = fastavro.parse_schema(
    {
        "type": "record",
        "name": "All",
        "fields": [
            {"name": "text", "type": "string"},
            {"name": "maybe", "type": ["null", "string"]},
            {"name": "number", "type": "long"},
            {"name": "small", "type": ["null", "int"]},
            {"name": "real", "type": "double"},
            {"name": "single", "type": "float"},
            {"name": "flag", "type": "boolean"},
            {"name": "raw", "type": "bytes"},
            {"name": "four", "type": {"type": "fixed", "name": "Four", "size": 4}},
            {"name": "suit", "type": {"type": "enum", "name": "Suit", "symbols": ["A", "B", "C"]}},
            {"name": "items", "type": {"type": "array", "items": "long"}},
            {"name": "table", "type": {"type": "map", "values": ["null", "string"]}},
            {
                "name": "inner",
                "type": ["null", {"type": "record", "name": "In", "fields": [{"name": "x", "type": "int"}]}],
            },
            {"name": "again", "type": ["null", "In"]},
            {
                "name": "either",
                "type": [
                    {"type": "record", "name": "Left", "fields": []},
                    {"type": "record", "name": "Right", "fields": [{"name": "y", "type": "string"}]},
                    "null",
                ],
            },
        ],
    }
)
LONG, INT = st.integers(-(2**63), 2**63 - 1), st.integers(-(2**31), 2**31 - 1)
INNER = st.none() | st.fixed_dictionaries({"x": INT})
VALUES = st.fixed_dictionaries(
    {
        "text": st.text(max_size=100),
        "maybe": st.none() | st.text(max_size=100),
        "number": LONG,
        "small": st.none() | INT,
        "real": st.floats(allow_nan=False),
        "single": st.floats(width=32, allow_nan=False),
        "flag": st.booleans(),
        "raw": st.binary(),
        "four": st.binary(min_size=4, max_size=4),
        "suit": st.sampled_from("ABC"),
        "items": st.lists(LONG),
        "table": st.dictionaries(st.text(), st.none() | st.text()),
        "inner": INNER,
        "again": INNER,
        "either": st.just(("Left", {})) | st.text().map(lambda text: ("Right", {"y": text})) | st.none(),
    }
)
READ, REFERENCE = reader_of(PARSED), reference(PARSED)


def written(value: object) -> bytes:
    """As fastavro writes it."""
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, PARSED, value)
    return stream.getvalue()


@pytest.mark.slow
@given(VALUES, st.binary(max_size=12))
def test_every_value_is_read_as_by_the_reference(value: object, before: bytes) -> None:
    """Whatever stands before it, and up to the same byte."""
    data = before + written(value)
    assert READ is not None
    assert READ(data, len(before)) == REFERENCE(data, len(before))


@given(VALUES, st.data())
def test_damaged_bytes_never_read_as_whole(value: object, data: st.DataObject) -> None:
    """What is cut off fails, or ends behind the end of the bytes, which the caller refuses."""
    whole = written(value)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    assert READ is not None
    try:
        _, end = READ(cut, 0)
    except Exception:  # noqa: BLE001 -- any error will do: the caller takes them all
        return
    assert end != len(cut)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_all_released_schemas_have_readers(subject: str) -> None:
    """None of this project's own is left to the slower reader."""
    assert all(reader_of(schema.parsed) for schema in released_schemas(subject))


def test_written_ahead_they_read_the_same() -> None:
    """Several schemas in one module, each found by its text."""
    others = [schema.parsed for schema in released_schemas("shop.carts")]
    space: dict[str, Any] = {}
    exec(ahead([*others, PARSED]), space)  # noqa: S102 -- as in a build
    readers = space["READERS"]
    assert len(readers) == len(others) + 1
    value = {
        "text": "a",
        "maybe": None,
        "number": 1,
        "small": None,
        "real": 1.5,
        "single": 0.5,
        "flag": True,
        "raw": b"",
        "four": b"abcd",
        "suit": "C",
        "items": [1, -1],
        "table": {"k": None},
        "inner": {"x": 3},
        "again": None,
        "either": ("Right", {"y": "z"}),
    }
    data = written(value)
    assert readers[source_of(PARSED).digest](data, 0) == REFERENCE(data, 0) == (value, len(data))


def test_a_logical_type_is_left_to_the_reference() -> None:
    """Somebody else's schema may have decimals or dates."""
    assert reader_of(fastavro.parse_schema({"type": "int", "logicalType": "date"})) is None


def test_names_may_be_the_words_of_the_templates() -> None:
    """Those of records in a union are told as they are."""
    names = ("VALUE", "CHOICES", "OTHER", "ITEM", "EMPTY", "SYMBOLS")
    records = [{"type": "record", "name": name, "fields": [{"name": name, "type": "long"}]} for name in names]
    parsed = fastavro.parse_schema({"type": "array", "items": records})
    stream = io.BytesIO()
    values = [(name, {name: number}) for number, name in enumerate(names)]
    fastavro.schemaless_writer(stream, parsed, values)
    data, read = stream.getvalue(), reader_of(parsed)
    assert read is not None
    assert read(data, 0) == reference(parsed)(data, 0) == (values, len(data))


def test_a_record_may_hold_its_own_kind() -> None:
    """By its name: optional, in lists, in tables."""
    parsed = fastavro.parse_schema(
        {
            "type": "record",
            "name": "Node",
            "fields": [
                {"name": "next", "type": ["null", "Node"]},
                {"name": "others", "type": {"type": "array", "items": "Node"}},
                {"name": "named", "type": {"type": "map", "values": "Node"}},
            ],
        }
    )
    leaf = {"next": None, "others": [], "named": {}}
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, parsed, {"next": leaf, "others": [leaf, leaf], "named": {"a": leaf}})
    data, read = stream.getvalue(), reader_of(parsed)
    assert read is not None
    assert read(data, 0) == reference(parsed)(data, 0)


def test_a_number_of_more_than_64_bits_is_damage() -> None:
    """Ten bytes are the most; without an end it would be read for ever."""
    read = reader_of("long")
    assert read is not None
    assert read(b"\xff" * 9 + b"\x01", 0) == (-(2**63), 10)
    with pytest.raises(Damaged):
        read(b"\xff" * 10 + b"\x01", 0)


@pytest.mark.parametrize("first", [1_796_005_372_664, -1_796_005_372_664, 2**34 - 20_000, 2**41 - 20_000, 0, -9_000])
def test_numbers_that_share_their_last_bytes(first: int) -> None:
    """Those of six bytes are put together from what was seen before: times of one hour, and the edges of six bytes."""
    read = reader_of("long")
    assert read is not None
    for number in range(first, first + 40_000, 61):
        stream = io.BytesIO()
        fastavro.schemaless_writer(stream, "long", number)
        encoded = stream.getvalue()
        assert read(b"\xff" + encoded + b"\xff", 1) == (number, 1 + len(encoded))
        for cut in range(len(encoded)):
            with pytest.raises((Damaged, IndexError)):
                read(encoded[:cut], 0)
