"""The in-app feed in both databases: in the order of the topic, once, page by page, forgotten, closed with its key."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postcart.adapters.read_model import Move, ReadModel, SqlFeed, StoredItem, View, open_feed, open_read_model
from postcart.codecs.marks import ItemMark, KeyMark, Mark, StateMark
from postcart.events.feed import KEPT_MS, STATES, FeedItem, FeedMark, FeedState
from postcart.events.times import HOUR_MS, parse_iso

NOW = parse_iso("2026-11-20T12:00:00Z")
TOPIC = "p.feed"
PERSONS = ("ann", "bob")


class Store:
    """A read model, its feeds, and where the one partition stands."""

    def __init__(self, url: str, stack: ExitStack) -> None:
        self.model: ReadModel = open_read_model(url, create=True)
        stack.callback(self.model.close)
        self.model.migrate()
        self.feed: SqlFeed = open_feed(url)
        stack.callback(self.feed.close)
        self.next = 0

    def apply(self, marks: Sequence[Mark]) -> None:
        """Marks that take the next positions."""
        move = Move(self.next or None, self.next + len(marks))
        assert not self.model.apply([], marks, {(TOPIC, 0): move}, now_ms=NOW)
        self.next = move.after

    def add(self, *names: str, person: str = "ann", at_ms: int = NOW) -> None:
        """New items, in that order."""
        self.apply([item(name, self.next + n, person=person, at_ms=at_ms) for n, name in enumerate(names)])

    def mark(self, state: FeedState, name: str | None = None, *, person: str = "ann", up_to: int | None = None) -> None:
        """One mark."""
        self.apply([state_mark(state, self.next, name, person=person, up_to=up_to)])

    def page(
        self, view: View = "active", *, person: str = "ann", before: int | None = None, most: int = 99
    ) -> list[str]:
        """Ids of a page."""
        return [one.item_id for one in self.feed.page(person, view, before=before, most=most, now_ms=NOW)]

    def states(self, name: str, person: str = "ann") -> tuple[bool, bool, bool]:
        """Whether it is seen, read, archived."""
        found = self.feed.item(person, name, now_ms=NOW)
        assert found is not None
        return found.seen_ms is not None, found.read_ms is not None, found.archived_ms is not None


def item(name: str, position: int, *, person: str = "ann", at_ms: int = NOW) -> ItemMark:
    made = FeedItem(item_id=name, person_id=person, at_ms=7, kind="cart", purpose="marketing", sealed=f"sealed {name}")
    return ItemMark(made, 0, position, at_ms)


def state_mark(
    state: FeedState, position: int, name: str | None = None, *, person: str = "ann", up_to: int | None = None
) -> StateMark:
    return StateMark(FeedMark(person_id=person, state=state, at_ms=NOW, item_id=name, up_to=up_to), position)


@pytest.fixture
def store(new_read_model: str) -> Iterator[Store]:
    with ExitStack() as stack:
        yield Store(new_read_model, stack)


@pytest.mark.slow
def test_an_item_is_stored_once_and_whole(store: Store) -> None:
    """Appended again, as after a crash, it stays where it was; other people's are theirs."""
    store.add("a", "b")
    store.add("a")
    store.add("c", person="bob")
    assert store.page() == ["b", "a"]
    found = store.feed.item("ann", "a", now_ms=NOW)
    assert found == StoredItem("a", 0, 0, 0, NOW, 7, "cart", "marketing", "sealed a", None, None, None)
    assert store.feed.item("bob", "a", now_ms=NOW) is None
    assert store.feed.standings(TOPIC) == {0: 4}


def test_what_a_person_does_with_items(store: Store) -> None:
    """Read is seen; archived is read and in a view of its own; all up to a place leaves what is newer, or archived."""
    store.add("a", "b", "c")
    store.mark("read", "a")
    store.mark("archived", "b")
    assert store.states("a") == (True, True, False)
    assert store.states("b") == (True, True, True)
    assert (store.page(), store.page("unread"), store.page("archived")) == (["c", "a"], ["c"], ["b"])
    store.mark("unread", "a")
    store.mark("unarchived", "b")
    store.add("d")
    assert store.feed.unread("ann", now_ms=NOW) == 3
    newest = store.feed.page("ann", "active", before=None, most=2, now_ms=NOW)[1]
    assert newest.item_id == "c"
    assert [one.item_id for one in store.feed.unseen("ann", newest.position)] == ["c"]
    store.mark("read", up_to=newest.position)
    assert store.page("unread") == ["d"]
    store.mark("archived", "d", person="bob")
    assert store.states("d") == (False, False, False)


def test_what_changed_since_a_place(store: Store) -> None:
    """In the order of the changes, each item as it is now; marks that change nothing are no change."""
    store.add("a", "b", "c")
    store.mark("read", "a")  # 3
    store.mark("read", "a")  # 4: it was
    store.mark("seen", up_to=2)  # 5: b and c

    def since(position: int, until: int = 99) -> list[str]:
        return [one.item_id for one in store.feed.changed("ann", since=position, until=until, most=9, now_ms=NOW)]

    assert (since(0), since(4), since(6), since(0, until=4)) == (["a", "b", "c"], ["b", "c"], [], ["a"])
    assert store.feed.touched(0, since=3, until=6) == ["ann"]
    assert store.feed.touched(0, since=6, until=9) == []


def test_thirty_days(store: Store) -> None:
    """Older items are not shown, and then gone."""
    store.add("old", at_ms=NOW - KEPT_MS - 1)
    store.add("new", at_ms=NOW - KEPT_MS + HOUR_MS)
    assert (store.page(), store.feed.unread("ann", now_ms=NOW)) == (["new"], 1)
    assert store.feed.item("ann", "old", now_ms=NOW) is None
    assert store.model.forget_items(NOW - KEPT_MS) == 1
    assert store.model.forget_items(NOW - KEPT_MS) == 0
    assert store.page() == ["new"]


def test_a_destroyed_key_takes_the_items_along(store: Store) -> None:
    """The latest key counts; without one nothing of that person is left, and others lose nothing."""
    store.apply([KeyMark("ann", 0, b"\x00one"), KeyMark("ann", 1, b"two"), KeyMark("bob", 2, b"his")])
    assert (store.feed.key("ann"), store.feed.key("eve")) == (b"two", None)
    store.add("a")
    store.add("b", person="bob")
    store.apply([KeyMark("ann", store.next, None)])
    assert (store.feed.key("ann"), store.page(), store.page(person="bob")) == (None, [], ["b"])
    assert store.feed.key("bob") == b"his"


def test_a_rebuild_begins_anew(store: Store) -> None:
    """Feeds and keys are dropped, too."""
    store.apply([KeyMark("ann", 0, b"one"), item("a", 1)])
    store.model.rebuild()
    assert (store.page(), store.feed.key("ann"), store.feed.standings(TOPIC)) == ([], None, {})


Step = tuple[Literal["add"], str] | tuple[Literal["mark"], str, FeedState, int | None]


def _steps() -> st.SearchStrategy[list[Step]]:
    person = st.sampled_from(PERSONS)
    add = st.tuples(st.just("add"), person)
    mark = st.tuples(st.just("mark"), person, st.sampled_from(STATES), st.none() | st.integers(0, 20))
    return st.lists(st.one_of(add, add, mark), max_size=15)


class Model:
    """Feeds as the words say: names by person in order, and the set of states of each."""

    def __init__(self) -> None:
        self.items: dict[str, list[str]] = {person: [] for person in PERSONS}
        self.states: dict[str, set[str]] = {}
        self.place: dict[str, int] = {}

    def take(self, step: Step, position: int) -> Mark:
        """Do what a step says, at that position; returns its record."""
        if step[0] == "add":
            name, person = f"item {position}", step[1]
            self.items[person].append(name)
            self.states[name], self.place[name] = set(), position
            return item(name, position, person=person)
        _, person, state, number = step
        name = f"item {number}" if number is not None else None
        for one in self.items[person]:
            if one == name or (name is None and "archived" not in self.states[one]):
                self._set(one, state)
        return state_mark(state, position, name, person=person, up_to=None if name else position)

    def _set(self, name: str, state: FeedState) -> None:
        states = self.states[name]
        if state.startswith("un"):
            states.discard({"unread": "read", "unarchived": "archived"}[state])
        else:
            states |= {"seen": {"seen"}, "read": {"seen", "read"}, "archived": {"seen", "read", "archived"}}[state]

    def page(self, person: str, view: View) -> list[str]:
        """Names that a view shows, newest first."""
        wanted: Callable[[set[str]], bool] = {
            "active": lambda states: "archived" not in states,
            "unread": lambda states: not states & {"archived", "read"},
            "archived": lambda states: "archived" in states,
        }[view]
        return [name for name in reversed(self.items[person]) if wanted(self.states[name])]


@given(steps=_steps(), more=st.integers(0, 3), size=st.integers(1, 4))
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)  # the store is emptied by each example
def test_pages_are_stable_and_feeds_as_the_words_say(store: Store, steps: list[Step], more: int, size: int) -> None:
    """Whatever is added between two pages: those that were there come in order, each once; views are as described."""
    store.model.rebuild()
    store.next, model = 0, Model()
    for step in steps:
        store.apply([model.take(step, store.next)])
    for person in PERSONS:
        for view in ("active", "unread", "archived"):
            expected, got, before = model.page(person, view), [], None
            while page := store.feed.page(person, view, before=before, most=size, now_ms=NOW):
                got += [one.item_id for one in page]
                before = page[-1].position
                for _ in range(more if len(got) < 30 else 0):
                    store.apply([model.take(("add", person), store.next)])
            assert got == expected
        assert store.feed.unread(person, now_ms=NOW) == len(model.page(person, "unread"))
