"""The index of dead letters says the same as a dictionary would, in whatever order letters and markers come."""

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from postcart.adapters.dead_letters.index import LetterIndex, Place
from postcart.codecs.dead_letters import Edited, LetterHead, Redriven
from postcart.events import ids

NAMES = [ids.uuid5(ids.POSTCART, f"{n}") for n in range(4)] + ["no uuid", "AAAAAAAA-0000-0000-0000-000000000000"]


def letter(name: str, reason: str) -> LetterHead:
    return LetterHead(id=name, stage="detect", reason=reason, detail="d", topic="t", partition=0, offset=0)


RECORDS = st.one_of(
    st.builds(letter, st.sampled_from(NAMES), st.sampled_from(["decode", "invalid"])),
    st.builds(Redriven, id=st.sampled_from(NAMES), at_ms=st.just(1)),
    st.builds(
        Edited, id=st.sampled_from(NAMES), at_ms=st.just(1), by=st.just("a"), revision=st.just(1),
        fields=st.just(()), old_sha256=st.just(""), new_sha256=st.just(""),
    ),
)  # fmt: skip


@given(st.lists(RECORDS, max_size=20))
def test_as_a_dictionary_would(records: list[Any]) -> None:
    """Groups, states, and which of several letters of one id counts."""
    index = LetterIndex()
    letters: dict[str, tuple[LetterHead, Place]] = {}
    marks: dict[str, str] = {}
    for offset, record in enumerate(records):
        place = Place(0, offset, 1_000 + offset)
        if isinstance(record, LetterHead):
            index.add(record, place)
            letters.setdefault(record.id, (record, place))
        else:
            index.mark(record)
            marks[record.id] = "edited" if isinstance(record, Edited) else "redriven"
    for name in NAMES:
        for offset in range(len(records)):
            place = Place(0, offset, 1_000 + offset)
            counts = name in letters and letters[name][1] == place
            assert index.look(name, place) == (marks.get(name, "waiting") if counts else None)
    groups = {group.reason: group for group in index.groups()}
    assert set(groups) == {one.reason for one, _ in letters.values()}
    for reason, group in groups.items():
        own = [(one, place) for one, place in letters.values() if one.reason == reason]
        states = Counter(marks.get(one.id, "waiting") for one, _ in own)
        assert group.count == len(own)
        assert (group.waiting, group.redriven, group.edited) == tuple(
            states[state] for state in ("waiting", "redriven", "edited")
        )
        assert (group.first_ms, group.last_ms) == (
            min(place.at_ms for _, place in own), max(place.at_ms for _, place in own),
        )  # fmt: skip
        waiting = [one.id for one, place in sorted(own, key=lambda pair: -pair[1].offset) if one.id not in marks]
        assert group.samples == waiting[:3]
    index.close()


def test_a_job_is_followed_once_it_is_wanted() -> None:
    """Others are not kept."""
    index = LetterIndex()
    assert index.standing("j") is None
    index.set_standing("j", "accepted")
    assert index.standing("j") is None
    index.want_job("j")
    assert index.standing("j") == "unheard"
    index.set_standing("j", "accepted")
    index.want_job("j")
    assert index.standing("j") == "accepted"
    index.close()
