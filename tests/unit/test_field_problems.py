"""All problems of a document at once, and none that the decoder doesn't have."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postcart.codecs.field_problems import field_names, field_problems, nearest
from postcart.events.jobs import Job
from postcart.events.shop import CartEvents, ProfileUpdated, SessionEvents

ADDED = {
    "type": "added", "id": "a1", "time": 1, "visitor_id": "v1",
    "line": {"variant_id": "p1", "quantity": 2, "unit_price": "9.90", "product": {"title": "Shoe"}},
}  # fmt: skip
SNAPSHOT = {
    "type": "snapshot", "id": "s1", "time": 1, "visitor_id": "v1",
    "lines": [{"variant_id": name, "quantity": 1, "unit_price": "1"} for name in ("p1", "p2")],
}  # fmt: skip


def test_every_problem_is_told_with_its_field() -> None:
    """Also inside of lines, and what is missing."""
    document = {
        "type": "snapshot", "time": "tomorrow", "visitor_id": 5, "sequence": 1.5,
        "lines": [{"variant_id": "p1", "quantity": -1, "unit_price": "x"}, {"quantity": 1, "unit_price": "1"}],
    }  # fmt: skip
    assert [problem.field for problem in field_problems(document, CartEvents)] == [
        "id", "time", "sequence", "visitor_id", "lines[0].quantity", "lines[0].unit_price", "lines[1].variant_id",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("document", "kind", "problem"),
    [
        ([], CartEvents, ("", "the record is no JSON object")),
        ({}, CartEvents, ("type", "is missing; one of: added, changed, cleared, coupon, removed, snapshot")),
        (
            {"type": "adde"},
            CartEvents,
            ("type", "'adde' is none of: added, changed, cleared, coupon, removed, snapshot"),
        ),
    ],
)
def test_the_kind_comes_first(document: object, kind: object, problem: tuple[str, str]) -> None:
    """Without it no field has a meaning."""
    assert field_problems(document, kind) == [problem]


def test_one_kind_needs_no_name() -> None:
    """A tag is asked for only where there is a choice; a wrong one is a problem all the same."""
    profile = {"id": "e", "time": 1, "person_id": "p"}
    assert field_problems(profile, ProfileUpdated) == []
    assert field_problems(profile | {"type": "order"}, ProfileUpdated) == [("type", "'order' is none of: profile")]


def test_names_of_fields_and_the_nearest() -> None:
    """For a hint at what was probably meant."""
    names = field_names(ADDED, CartEvents)
    assert {"type", "visitor_id", "line", "line.quantity", "line.product.title"} <= set(names)
    assert nearest("vistor_id", names) == "; did you mean visitor_id?"
    assert nearest("zzzzzz", names) == ""


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just("9.90"), st.just([]),
    st.just({}),
    st.just("2022-10-01T00:15:00Z"),
)  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn) -> Any:
    """A good document with some fields replaced or taken away."""
    document = json.loads(json.dumps(draw(st.sampled_from([ADDED, SNAPSHOT, {"type": "profile", "id": "e", "time": 1,
        "person_id": "p", "email": "a@b.c", "country": "DE", "consents": [
            {"channel": "email", "purpose": "marketing", "given": True}]}]))))  # fmt: skip
    places = [document, *document.get("lines", []), *document.get("consents", []), *[document.get("line", {})]]
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.sampled_from([place for place in places if place] or [document]))
        name = draw(st.sampled_from(sorted(place)))
        if draw(st.booleans()):
            place[name] = draw(VALUES)
        elif len(place) > 1:
            del place[name]
    return document


@given(damaged())
def test_problems_are_those_of_the_decoder(document: dict[str, Any]) -> None:
    """None at all if and only if the decoder takes the document."""
    kind = ProfileUpdated if "consents" in document or document.get("type") == "profile" else CartEvents
    try:
        text = msgspec.json.encode(document)
        msgspec.json.decode(text, type=kind)
    except ValueError:
        assert field_problems(document, kind) != []
    else:
        assert field_problems(document, kind) == []


@given(st.dictionaries(st.sampled_from([*Job.__struct_fields__, "type"]), VALUES))
def test_any_document_of_any_topic(document: dict[str, Any]) -> None:
    """Nothing fails, whatever is asked about what."""
    for kind in (Job, SessionEvents, CartEvents):
        for problem in field_problems(document, kind):
            assert problem.problem
