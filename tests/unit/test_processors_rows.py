"""Rows of a partition: kept, indexed, written once per transaction, restored; unknown versions end the worker."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postcart.errors import StateError
from postcart.processors.rows import RowStore


class Row(msgspec.Struct, omit_defaults=True):
    """A row with a deadline."""

    deadline_ms: int
    name: str = ""
    hot: bool = False
    indexed_ms: int = 0


def store() -> RowStore[Row]:
    return RowStore(Row, version=3, deadline=lambda row: row.deadline_ms, stays_decoded=lambda row: row.hot)


def test_a_changed_row_is_written_once_with_its_last_state() -> None:
    """Once per row and transaction, then not again."""
    rows = store()
    for name in ("first", "second"):
        rows.save("a", Row(5, name))
    [(key, value)] = rows.take_changed()
    assert key == b"a"
    assert value is not None
    assert b"second" in value
    assert rows.take_changed() == []
    row = rows.load("a")
    assert row is not None
    assert row.name == "second"


def test_a_dropped_row_is_a_tombstone_and_stays_away() -> None:
    """Also for what restores it."""
    rows = store()
    rows.save("a", Row(5))
    written = rows.take_changed()
    rows.drop("a")
    written += rows.take_changed()
    assert written[-1] == (b"a", None)
    restored = store()
    restored.restore(written)
    restored.restored()
    assert restored.load("a") is None
    assert list(restored.due(10, 10)) == []
    again = store()
    again.restore([*written, written[0]])
    again.restored()
    assert [key for key, _ in again.due(10, 10)] == ["a"]


def test_a_moved_deadline_fires_once_at_its_new_time() -> None:
    """The index holds the old time as a lower bound; the row is put back, not fired."""
    rows = store()
    rows.save("a", Row(5))
    rows.save("a", Row(50, indexed_ms=5))
    assert list(rows.due(49, 10)) == []
    assert [key for key, _ in rows.due(50, 10)] == ["a"]


def test_no_more_rows_fire_than_allowed() -> None:
    """A restart after a long stop must not hold the loop."""
    rows = store()
    for number in range(10):
        rows.save(str(number), Row(number + 1))
    first = [key for key, _ in rows.due(100, 4)]
    assert first == ["0", "1", "2", "3"]
    assert rows.next_deadline_ms() == 5


@given(
    st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(1, 99), st.booleans(), st.booleans()), max_size=60),
    st.integers(0, 100),
)
def test_restored_rows_fire_as_the_living_ones(steps: list[tuple[str, int, bool, bool]], clock_ms: int) -> None:
    """Whatever was saved, dropped and written in whatever portions."""
    living, log = store(), {}
    for key, deadline, gone, written in steps:
        row = living.load(key)
        if gone and row is not None:
            living.drop(key)
        else:
            living.save(key, Row(deadline, hot=written, indexed_ms=row.indexed_ms if row else 0))
        if written:
            log.update(living.take_changed())
    log.update(living.take_changed())
    restored = store()
    restored.restore(list(log.items()))
    restored.restored()
    fired = sorted(key for key, _ in restored.due(clock_ms, 1000))
    assert fired == sorted(key for key, _ in living.due(clock_ms, 1000))


def test_a_row_of_the_next_release_is_read_and_one_beyond_ends_the_worker() -> None:
    """Release N reads N+1, so that an upgrade can be rolled back; it never resets a row that it does not know."""
    rows = store()
    rows.save("a", Row(5, "kept"))
    [(_, value)] = rows.take_changed()
    assert value is not None
    rows.restore([(b"b", bytes([4]) + value[1:])])
    rows.restored()
    row = rows.load("b")
    assert row is not None
    assert row.name == "kept"
    with pytest.raises(StateError, match=r"version 5.*start the newer release"):
        rows.restore([(b"c", bytes([5]) + value[1:])])
    for unreadable in (bytes([255]) + value[1:], value[:9], b""):
        with pytest.raises(StateError, match="was written by version"):
            rows.restore([(b"c", unreadable)])
    rows.restore([(b"d", value[:-1])])
    with pytest.raises(StateError, match="can't be read"):
        rows.load("d")


def eager(small: int = 10) -> RowStore[Row]:
    """Rows with short names are encoded as they are saved."""
    return RowStore(
        Row,
        version=3,
        deadline=lambda row: row.deadline_ms,
        stays_decoded=lambda row: row.hot,
        at_once=lambda row: len(row.name) <= small,
    )


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(1, 50), st.text(max_size=20), st.booleans(), st.booleans()),
        max_size=40,
    )
)
def test_rows_encoded_at_once_are_those_encoded_at_the_commit(
    changes: list[tuple[str, int, str, bool, bool]],
) -> None:
    """The same records, the same index and the same rows, whatever is saved, dropped and committed in which order."""
    early, late = eager(), store()
    written: dict[str, list] = {"early": [], "late": []}
    for key, deadline_ms, name, gone, commit in changes:
        for rows in (early, late):
            if gone:
                rows.drop(key)
                continue
            row = rows.load(key) or Row(deadline_ms)
            row.deadline_ms, row.name = deadline_ms, name
            rows.save(key, row)
        if commit:
            written["early"] += early.take_changed()
            written["late"] += late.take_changed()
    assert written["early"] == written["late"]
    assert early.has_changes == late.has_changes
    assert [(key, row.name) for key, row in early.due(25, 100)] == [(key, row.name) for key, row in late.due(25, 100)]


def test_what_is_changed_after_it_was_saved_counts_once_it_is_saved_again() -> None:
    """That is the price of encoding at once; a large row is written as it is at the commit."""
    rows = eager()
    small, large = Row(5, "small"), Row(5, "a name that is long")
    for key, row in (("s", small), ("l", large)):
        rows.save(key, row)
        row.name += "!"
    values = dict(rows.take_changed())
    assert b"small!" not in (values[b"s"] or b"")
    assert b"long!" in (values[b"l"] or b"")
