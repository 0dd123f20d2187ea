"""Contact data is shown by its shape, and what was masked comes back as it was."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postcart.codecs.contact_masking import CONTACT_FIELDS, masked, masked_bytes, masked_text, restored, shape

TEXTS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["anna.b@example.org", "write to x@y.de, please", "+49 170 1234567", "Anna B"]),
)
DOCUMENTS = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), TEXTS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(st.sampled_from(["email", "phone", "name", "id", "line"]), st.text(max_size=4)), inner
        ),
    ),
    max_leaves=12,
)


def test_a_shape_keeps_what_helps_to_find_the_fault() -> None:
    """A missing @ is seen, a name is not."""
    assert shape("Anna.b@example.org 49") == "Xxxx.x@xxxxxxx.xxx 99"
    shown = masked({"email": "anna example.org", "id": "a1", "note": "mail x@y.de or +49 170 1234567", "phone": 170})
    assert shown == {"email": "xxxx xxxxxxx.xxx", "id": "a1", "note": "mail x@x.xx or +99 999 9999999", "phone": "999"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"email":"anna@example.org","na', '{"email":"xxxx@xxxxxxx.xxx","na'),
        ('{"name": "Anna B', '{"name": "Xxxx X'),
        ("{'Phone': '0170", "{'Phone': '9999"),
        ("no contact at all", "no contact at all"),
    ],
)
def test_broken_json_is_masked_too(text: str, shown: str) -> None:
    """As far as fields and addresses can be recognised."""
    assert masked_text(text) == shown


def test_bytes_of_a_person_hide_every_run_of_letters() -> None:
    """Of others only what looks like contact data; lengths stay."""
    content = b"\x00\x06anna b\x1eanna@example.org"
    assert masked_bytes(content, personal=True) == b"\x00\x06xxxx x\x1exxxx@xxxxxxx.xxx"
    assert masked_bytes(b"\x04p1\x12visitor-1", personal=False) == b"\x04p1\x12visitor-1"


@given(DOCUMENTS)
def test_masking_twice_is_masking_once(document: object) -> None:
    """And nothing that was under a contact field survives as it was, unless it holds neither letters nor digits."""
    once = masked(document)
    assert masked(once) == once


@given(DOCUMENTS)
def test_an_untouched_mask_stands_for_what_it_hides(document: object) -> None:
    """Editing a masked document and changing nothing gives the original."""
    plain = json.loads(json.dumps(document))
    assert restored(masked(plain), plain) == plain


def test_a_moved_mask_is_told_by_its_shape_or_refused() -> None:
    """Where two texts have the same shape, nobody can know which is meant."""
    original = {"email": "anna@a.de", "name": "Ben"}
    assert restored({"mail_to": "xxxx@x.xx"}, original) == {"mail_to": "anna@a.de"}
    with pytest.raises(ValueError, match="more than one"):
        restored({"other": "Xxx"}, {"name": "Ben", "first_name": "Tom"})


def test_a_mask_in_broken_text_is_restored() -> None:
    """What was mended by hand in a masked text has the contact data of the original."""
    text = '{"id":"1","email":"anna@a.de","name":"Anna'
    mended = json.loads(masked_text(text) + '"}')
    assert restored(mended, text) == {"id": "1", "email": "anna@a.de", "name": "Anna"}


@pytest.mark.parametrize("text", ["x" * 1_000_000, "+" + "1 " * 500_000, '"name":"' * 100_000], ids=["x", "+", "name"])
def test_a_megabyte_takes_no_minutes(text: str) -> None:
    """Whatever it is made of."""
    began = time.process_time()
    masked_text(text)
    assert time.process_time() - began < 20


def test_fields_are_known_in_lower_case() -> None:
    """As they are looked up."""
    assert all(name == name.lower() for name in CONTACT_FIELDS)
