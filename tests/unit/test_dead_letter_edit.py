"""A mended record: only what the stage takes, under the right key, in its framing, and still known as the same."""

import io
import json
from pathlib import Path
from typing import Any

import fastavro
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postcart.adapters.topics import stage_inputs, stages
from postcart.codecs.avro_schemas import AvroSchema, avro_schema, released_schemas
from postcart.codecs.dead_letter_edit import Revision, changed_fields, revise, with_value, without
from postcart.codecs.field_problems import FieldProblem
from postcart.codecs.payload_forms import taken_apart
from postcart.codecs.shop_events import ShopEventDecoder, ShopEventEncoder
from postcart.codecs.shop_subjects import to_avro
from postcart.codecs.topic_contracts import TopicContract
from postcart.events.jobs import Job
from postcart.events.shop import CartLine, LineAdded, LineRemoved, ProfileUpdated
from postcart.settings import load_settings
from postcart.wiring.dead_letters import job_topics, topic_contracts

CONTRACTS = topic_contracts(load_settings({}))
CARTS, PROFILES = CONTRACTS["shop.carts"], CONTRACTS["shop.profiles"]
JOBS = CONTRACTS["postcart.jobs.email.marketing"]
REMOVED = LineRemoved(id="r1", time=1_700_000_000_000, visitor_id="v1", variant_id="p1")
JOB = Job(
    job_id="j1", person_id="p1", episode_id="e1", step=1, channel="email", purpose="marketing", campaign="c",
    campaign_version="1", journey="standard", template="cart", armed_ms=1, planned_ms=2, due_ms=2, not_after_ms=9,
)  # fmt: skip


def edit(
    value: bytes | None, key: bytes | None, contract: TopicContract = CARTS, **sets: str
) -> Revision | list[FieldProblem]:
    """Set fields and revise."""
    form = taken_apart(value, contract.subject, contract.registry)
    document = form.document
    for path, text in sets.items():
        document = with_value(document, path.replace("__", "."), text, contract)
    return revise(value, key, document, form=form, contract=contract)


def good(revision: Revision | list[FieldProblem]) -> Revision:
    assert isinstance(revision, Revision), revision
    return revision


@pytest.mark.parametrize("framing", ["json", "wire", "single_object"])
def test_the_right_key_in_the_same_framing(framing: str) -> None:
    """A wrong key is mended without any change of the value: Avro stays the same bytes."""
    value = ShopEventEncoder(framing, schema_id=77).encode(REMOVED)[2]
    revision = good(edit(value, b"nobody"))
    assert (revision.key, revision.fields, revision.number) == (b"v1", ("key",), 1)
    assert CARTS.decode(revision.key, revision.value) == REMOVED
    if framing != "json":
        assert revision.value == value


@pytest.mark.parametrize("framing", ["wire", "single_object"])
def test_a_changed_field_of_avro(framing: str) -> None:
    """The header stays, the rest is written anew by the same schema."""
    event = LineAdded(id="a", time=5, visitor_id="guest", line=CartLine(variant_id="p", quantity=1, unit_price="1"))  # type: ignore[arg-type]
    value = ShopEventEncoder(framing, schema_id=77).encode(msgspec.convert(msgspec.to_builtins(event), LineAdded))[2]
    assert edit(value, b"guest") == [("visitor_id", "the key b'guest' means nobody")]
    revision = good(edit(value, b"guest", visitor_id="v7", line__quantity="3"))
    assert revision.fields == ("visitor_id", "line.quantity", "key")
    assert revision.value[:5] == value[:5]
    event = ShopEventDecoder("shop.carts", stage="x").decode(b"v7", revision.value)  # type: ignore[assignment]
    assert (event.visitor_id, event.line.quantity, event.id) == ("v7", 3, "a")


class OneSchema:
    """A registry that knows one schema."""

    def __init__(self, definition: Any) -> None:
        self._schema = avro_schema(definition)

    def schema(self, schema_id: int) -> AvroSchema | None:
        """The schema, under the id 5."""
        return self._schema if schema_id == 5 else None


def foreign(without_field: str) -> TopicContract:
    """The profiles' contract with a registry whose schema lacks a field."""
    path = Path(__file__).resolve().parents[2] / "schemas" / "shop.profiles" / "v1.avsc"
    definition = json.loads(path.read_text(encoding="utf-8"))
    definition["fields"] = [field for field in definition["fields"] if field["name"] != without_field]
    registry = OneSchema(definition)
    decoder = ShopEventDecoder("shop.profiles", stage="x", registry=registry)
    return TopicContract(
        topic="t", kind=ProfileUpdated, decode=decoder.decode, key_field="person_id", subject="shop.profiles",
        registry=registry,
    )  # fmt: skip


def test_a_foreign_schema_is_kept_or_named() -> None:
    """By the registry's schema where that can hold the event; else it is said, and JSON is offered."""
    contract = foreign("country")
    profile = ProfileUpdated(id="e", time=1, person_id="p1", name="Anna")
    schema = contract.registry.schema(5)  # type: ignore[union-attr]
    stream = io.BytesIO()
    stream.write(b"\x00\x00\x00\x00\x05")
    fastavro.schemaless_writer(stream, schema.parsed, to_avro(profile))  # type: ignore[union-attr]
    value = stream.getvalue()
    assert good(edit(value, b"other", contract)).value == value
    (problem,) = edit(value, b"p1", contract, country="DE")
    assert "no place for all of its fields; --as-json" in problem.problem
    form = taken_apart(value, "shop.profiles", contract.registry)
    document = with_value(form.document, "country", "DE", contract)
    done = good(revise(value, b"p1", document, form=form, contract=contract, as_json=True))
    assert json.loads(done.value)["country"] == "DE"


def test_an_unknown_fingerprint_becomes_the_released_one() -> None:
    """There is nothing to take apart, but the framing is known."""
    value = b"\xc3\x01ABCDEFGH???"
    form = taken_apart(value, "shop.carts")
    assert form.document is None
    document = {"type": "removed", "id": "r1", "time": 1, "visitor_id": "v1", "variant_id": "p"}
    done = good(revise(value, b"v1", document, form=form, contract=CARTS))
    assert done.value[:10] == b"\xc3\x01" + released_schemas("shop.carts")[0].rabin
    assert CARTS.verdict(done.key, done.value) is None


def test_all_problems_at_once() -> None:
    """Types, bounds of times and amounts, and fields that nobody knows."""
    value = (
        b'{"type":"added","id":"a","time":"2022-10-01T10:00:00","visitor_id":5,"extra":1,'
        b'"line":{"variant_id":"p","quantity":-2,"unit_price":"NaN"}}'
    )
    problems = edit(value, b"v", vistor_id="x")
    assert [problem.field for problem in problems] == [
        "time", "visitor_id", "line.quantity", "line.unit_price", "vistor_id"
    ]  # fmt: skip
    assert "did you mean visitor_id?" in problems[-1].problem  # type: ignore[union-attr]


def test_an_event_keeps_its_id_unless_that_was_the_fault() -> None:
    """Repeats are known by it; in a broken text it is looked for."""
    value = b'{"type":"removed","id":"r1","time":1,"visitor_id":"v1","variant_id":5}'
    assert [problem.field for problem in edit(value, b"v1", variant_id='"p"', id="r2")] == ["id"]
    assert good(edit(value, b"v1", variant_id="5")).document["variant_id"] == "5"
    unreadable = value.replace(b'"r1"', b"7")
    assert good(edit(unreadable, b"v1", id="r2", variant_id="p")).document["id"] == "r2"
    broken = value[:-5]
    document = {"type": "removed", "id": "r2", "time": 1, "visitor_id": "v1", "variant_id": "p"}
    refused = revise(broken, b"v1", document, form=taken_apart(broken, "shop.carts"), contract=CARTS)
    assert [problem.field for problem in refused] == ["id"]
    done = good(revise(broken, b"v1", {**document, "id": "r1"}, form=taken_apart(broken, "shop.carts"), contract=CARTS))
    assert done.key == b"v1"


def test_a_job_becomes_the_next_revision_and_stays_the_same_job() -> None:
    """Nothing that claims and receipts know it by can be changed; it may also be sent as it is."""
    value = msgspec.json.encode(msgspec.structs.replace(JOB, revision=2))
    done = good(edit(value, b"p1", JOBS, template="cart-2"))
    assert (done.number, done.fields, json.loads(done.value)["revision"]) == (3, ("template",), 3)
    assert good(edit(value, b"p1", JOBS)).number == 3
    fields = ("job_id", "person_id", "episode_id", "step", "attempt", "armed_ms")
    for name in fields:
        assert [problem.field for problem in edit(value, b"p1", JOBS, **{name: "7"})] == [name], name
    assert job_topics(load_settings({})).claims[JOBS.topic] == "postcart.claims.email"


def test_nothing_changed_and_still_unreadable_is_refused() -> None:
    """It would only die again."""
    value = b'{"type":"removed","id":"r1","time":1,"visitor_id":"v1","variant_id":"p"}'
    assert edit(b"x" + value, b"v1") == [("", "the record is no JSON object")]
    assert good(edit(value, b"v1")).fields == ()


@pytest.mark.parametrize(
    ("path", "text", "found"),
    [
        ("visitor_id", "12", "12"),
        ("visitor_id", '"12"', "12"),
        ("sequence", "12", 12),
        ("session_id", "null", None),
        ("session_id", '"null"', "null"),
        ("line.quantity", "3", 3),
        ("line.product", '{"title":"Shoe"}', {"title": "Shoe"}),
        ("time", "2022-10-01T10:00:00Z", "2022-10-01T10:00:00Z"),
    ],
)
def test_a_value_is_json_where_that_fits_its_field(path: str, text: str, found: object) -> None:
    """So nobody has to quote a number that is a text."""
    added = {"type": "added", "id": "a", "time": 1, "visitor_id": "v", "line": {"variant_id": "p", "quantity": 1}}
    place = with_value(added, path, text, CARTS)
    for step in path.split("."):
        place = place[step]
    assert place == found
    assert added["line"] == {"variant_id": "p", "quantity": 1}, "the original is left alone"


def test_places_that_are_none() -> None:
    """Said with the path."""
    for path in ("", "a..b", "[0]", "line.deep.x", "id.x.y", "lines[0]"):
        with pytest.raises(ValueError, match=r".+"):
            with_value({"id": "1", "lines": []}, path, "1", CARTS)
    with pytest.raises(ValueError, match="no such field to take away"):
        without({"id": "1"}, "name")
    assert without({"lines": [{"a": 1, "b": 2}]}, "lines[0].a") == {"lines": [{"b": 2}]}


@given(st.dictionaries(st.sampled_from("abc"), st.integers() | st.lists(st.integers(), max_size=2)))
def test_equal_documents_have_no_changed_fields(document: dict[str, Any]) -> None:
    """And one changed field is told alone."""
    assert list(changed_fields(document, json.loads(json.dumps(document)))) == []
    assert list(changed_fields(document, {**document, "a": "new"})) == ["a"]


@pytest.mark.slow
@given(st.binary(max_size=80), st.none() | st.binary(max_size=5))
def test_any_bytes_can_be_revised_or_refused(value: bytes, key: bytes | None) -> None:
    """What comes out is always what the stage takes."""
    for contract in (CARTS, PROFILES, JOBS):
        for framed in (value, b"\x00\x00\x00\x00\x01" + value, b"{" + value):
            form = taken_apart(framed, contract.subject)
            done = revise(framed, key, form.document, form=form, contract=contract)
            if isinstance(done, Revision):
                assert contract.verdict(done.key, done.value) is None
            else:
                assert done


def test_every_topic_whose_records_can_die_has_its_contract() -> None:
    """Whatever a stage reads, but for the gate, of which no record is ever set aside."""
    settings = load_settings({})
    read = {topic for stage in stages(settings) for topic in stage_inputs(settings, stage)}
    assert read - {settings.topic("gate")} <= CONTRACTS.keys()
