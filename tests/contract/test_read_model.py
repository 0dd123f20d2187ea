"""What both databases of the read model promise: applied once, in any order, all or nothing; found, forgotten."""

import threading
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from random import Random

import pytest

from postcart.adapters.read_model import Move, ReadModel, open_read_model
from postcart.adapters.read_model.sql import migrations
from postcart.adapters.read_model.statements import FIND_COLUMNS
from postcart.codecs.facts import Fact
from postcart.codecs.marks import ClaimMark, EndMark, JobMark, Mark
from postcart.errors import ConfigurationError, ReadModelUnavailable
from postcart.events.times import parse_iso
from postgres_server import Postgres

NOVEMBER = parse_iso("2026-11-20T12:00:00Z")
JOBS, TOPIC = "p.jobs.email.marketing", "p.decisions"
Open = Callable[[], ReadModel]


@pytest.fixture
def opened(new_read_model: str) -> Iterator[Open]:
    """Opens connections to a new, empty read model."""
    url = new_read_model
    connections: list[ReadModel] = []

    def open_() -> ReadModel:
        connections.append(open_read_model(url, create=True))
        return connections[-1]

    yield open_
    for connection in connections:
        connection.close()


@pytest.fixture
def store(opened: Open) -> ReadModel:
    """One with its schema."""
    store = opened()
    store.migrate()
    return store


def fact(position: int, *, at_ms: int = NOVEMBER, **ids: str) -> Fact:
    return Fact(TOPIC, 0, position, at_ms, "due", at_ms, body=f'{{"n":{position}}}', **ids)


def job(name: str, position: int, *, attempt: int = 1, revision: int = 0, at_ms: int = NOVEMBER) -> JobMark:
    return JobMark(name, "person", JOBS, 0, position, at_ms, attempt, revision)


def claim(name: str, position: int, state: str, *, attempt: int = 1) -> ClaimMark:
    return ClaimMark(name, "person", position, NOVEMBER, attempt, state)


def end(name: str, position: int, outcome: str, *, attempt: int = 1, at_ms: int = NOVEMBER) -> EndMark:
    return EndMark(name, "person", position, at_ms, attempt, outcome)  # type: ignore[arg-type]  # of the closed set


def mark(store: ReadModel, *marks: Mark) -> None:
    """Each in a transaction of its own."""
    for one in marks:
        store.apply([], [one], {}, now_ms=NOVEMBER)


def lost(store: ReadModel, committed: int = 100) -> set[str]:
    return {one.job_id for one in store.unaccounted({(JOBS, 0): committed}, most=100)}


def test_facts_and_positions_are_stored_together(store: ReadModel) -> None:
    """What was applied is there with its position; applied again, nothing changes."""
    facts = [fact(0, person_id="ann"), fact(1, person_id="bob")]
    assert not store.apply(facts, [], {(TOPIC, 0): Move(None, 2)}, now_ms=7)
    assert not store.apply([fact(2, person_id="ann")], [], {(TOPIC, 0): Move(2, 3)}, now_ms=8)
    assert store.about_person("ann", most=9) == [fact(2, person_id="ann"), facts[0]]
    standing = store.standings()[TOPIC, 0]
    assert (standing.next, standing.applied_ms, standing.complete_ms) == (3, 8, None)
    assert not store.apply(facts, [], {}, now_ms=9)
    assert store.size() == (3, 0, 1, NOVEMBER)


def test_a_position_that_moved_elsewhere_undoes_all(store: ReadModel) -> None:
    """Nothing of the transaction is stored, and the partitions that were outrun are named."""
    store.apply([], [], {(TOPIC, 0): Move(None, 5), (TOPIC, 1): Move(None, 5)}, now_ms=1)
    moves = {(TOPIC, 0): Move(5, 6), (TOPIC, 1): Move(4, 6)}
    assert store.apply([fact(5)], [job("j", 1)], moves, now_ms=2) == {(TOPIC, 1)}
    assert store.apply([fact(5)], [], {(TOPIC, 0): Move(None, 6)}, now_ms=2) == {(TOPIC, 0)}
    assert store.size()[:2] == (0, 0)
    assert store.standings()[TOPIC, 0].next == 5


def test_everything_is_found_by_any_of_its_ids(store: ReadModel) -> None:
    """Of whatever they are; newest first, and no more than asked for."""
    names = FIND_COLUMNS
    facts = [fact(number, **{name: f"a {name}"}) for number, name in enumerate(names)]
    store.apply([*facts, fact(9, person_id="x"), fact(10, visitor_id="x")], [], {}, now_ms=1)
    for one, name in zip(facts, names, strict=True):
        assert store.named(f"a {name}", most=5) == [one]
    assert [one.position for one in store.named("x", most=5)] == [10, 9]
    assert [one.position for one in store.named("x", most=1)] == [10]
    assert store.named("unknown", most=5) == []
    assert store.about_visitor("a visitor_id", most=5) == [facts[names.index("visitor_id")]]
    assert store.about_episode("a episode_id", most=5) == [facts[names.index("episode_id")]]


LIFE: dict[str, tuple[list[Mark], bool]] = {
    "taken on, nothing known": ([job("j", 1)], True),
    "claimed": ([job("j", 1), claim("j", 1, "claimed")], False),
    "released, in line no more": ([job("j", 1), claim("j", 1, "claimed"), claim("j", 2, "released")], True),
    "accepted": ([job("j", 1), claim("j", 1, "claimed"), claim("j", 2, "settled"), end("j", 1, "accepted")], False),
    "suppressed": ([job("j", 1), claim("j", 1, "settled"), end("j", 1, "suppressed")], False),
    "uncertain": ([job("j", 1), claim("j", 2, "settled"), end("j", 1, "uncertain")], False),
    "given back": ([job("j", 1), claim("j", 2, "released"), end("j", 1, "not_accepted")], False),
    "given back, the next attempt taken on": (
        [job("j", 1), claim("j", 2, "released"), end("j", 1, "not_accepted"), job("j", 8, attempt=2)],
        True,
    ),
    "the claim of the attempt before": ([job("j", 8, attempt=2), claim("j", 1, "claimed")], True),
    "the second attempt ended": (
        [job("j", 1), end("j", 1, "not_accepted"), job("j", 8, attempt=2), end("j", 2, "rejected", attempt=2)],
        False,
    ),
    "redriven": ([job("j", 1), end("j", 1, "rejected"), job("j", 9, revision=1, at_ms=NOVEMBER + 9)], True),
    "redriven and ended": (
        [
            job("j", 1),
            end("j", 1, "rejected"),
            job("j", 9, revision=1, at_ms=NOVEMBER + 9),
            end("j", 2, "accepted", at_ms=NOVEMBER + 10),
        ],
        False,
    ),
}


def test_which_jobs_are_unaccounted_for(store: ReadModel) -> None:
    """In every state of its life; and the same in whatever order its topics are read."""
    for (name, (marks, _)), order in product(LIFE.items(), range(4)):
        named = [one._replace(job_id=f"{name}/{order}") for one in marks]
        topics: list[list[Mark]] = [
            [one for one in named if isinstance(one, kind)] for kind in (JobMark, ClaimMark, EndMark)
        ]
        random = Random(f"{name}/{order}")
        while rest := [topic for topic in topics if topic]:
            mark(store, random.choice(rest).pop(0))
    assert lost(store) == {f"{name}/{order}" for name, (_, expected) in LIFE.items() for order in range(4) if expected}
    assert lost(store, committed=1) == set()
    assert store.unaccounted({("other", 0): 100}, most=9) == []


def test_accepted_overrides_uncertain(store: ReadModel) -> None:
    """Whichever comes first."""
    mark(store, job("j", 1), end("j", 5, "accepted"), end("j", 6, "uncertain"))
    mark(store, job("j", 9, revision=1, at_ms=NOVEMBER - 1))
    assert lost(store) == set()


def test_marks_of_one_transaction_count_in_their_order(store: ReadModel) -> None:
    """A claim and its settlement are often read together."""
    store.apply([], [claim("j", 4, "settled"), claim("j", 3, "claimed"), job("j", 1)], {}, now_ms=1)
    assert lost(store) == {"j"}


def test_completeness_only_moves_on(store: ReadModel) -> None:
    """And only for partitions that are known."""
    store.apply([], [], {(TOPIC, 0): Move(None, 1)}, now_ms=1)
    for at_ms in (50, 40):
        store.complete([(TOPIC, 0), (TOPIC, 7)], at_ms=at_ms)
    assert store.standings() == {(TOPIC, 0): (1, 1, 50)}


def test_whole_months_are_forgotten(store: ReadModel) -> None:
    """Facts by the month in which the broker took them, jobs by when they were last heard of."""
    old = parse_iso("2026-09-30T23:59:59Z")
    store.apply([fact(0, at_ms=old), fact(1, at_ms=old + 1_000), fact(2)], [job("old", 1, at_ms=old)], {}, now_ms=1)
    mark(store, job("new", 2))
    assert store.forget(parse_iso("2026-09-30T00:00:00Z")) == 0
    assert store.forget(parse_iso("2026-10-31T00:00:00Z")) == 1
    assert store.size() == (2, 1, 0, old + 1_000)
    assert store.forget(NOVEMBER) == 1
    assert not store.apply([fact(3, at_ms=old)], [], {}, now_ms=1), "an old month may come again"
    assert store.size().facts == 2


def test_a_rebuild_begins_anew_while_others_are_connected(opened: Open, store: ReadModel) -> None:
    """Positions are gone with the facts, so that a worker that runs finds itself outrun and begins at the beginning."""
    worker = opened()
    for number in range(8):  # as often as it takes for statements to be prepared
        before = number or None
        assert not worker.apply([fact(number)], [job("j", number)], {(TOPIC, 0): Move(before, number + 1)}, now_ms=1)
    store.rebuild()
    assert store.size() == (0, 0, 0, None)
    assert worker.apply([fact(8)], [], {(TOPIC, 0): Move(8, 9)}, now_ms=1) == {(TOPIC, 0)}
    assert not worker.apply([fact(0)], [job("j", 0)], {(TOPIC, 0): Move(None, 1)}, now_ms=1)
    assert worker.migrate() == []


def test_many_may_migrate_at_once(opened: Open) -> None:
    """One does, the others find it done."""
    done: list[list[str]] = []

    def migrate() -> None:
        store = opened()
        done.append(store.migrate())
        store.close()

    threads = [threading.Thread(target=migrate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done, key=len)[:3] == [[], [], []]
    assert len(done[-1] + done[0] + done[1] + done[2]) >= 1


def test_a_schema_of_nobody_or_of_a_newer_release_is_told(opened: Open) -> None:
    """Asking before anything was projected, and asking what a newer release has made."""
    store = opened()
    with pytest.raises(ReadModelUnavailable, match="postcart worker project"):
        store.require_schema()
    store.migrate()
    store.require_schema()
    store._session.run("INSERT INTO properties (name, value) VALUES ('migration/9999_later', 'applied')")  # type: ignore[attr-defined]
    with pytest.raises(ConfigurationError, match="newer release"):
        store.require_schema()
    with pytest.raises(ConfigurationError, match="newer release"):
        store.migrate()


def test_a_database_is_of_one_installation(store: ReadModel) -> None:
    """Another topic prefix is refused."""
    store.bind("postcart.")
    store.bind("postcart.")
    with pytest.raises(ConfigurationError, match="POSTCART_READ_MODEL_URL"):
        store.bind("other.")


def test_both_databases_have_the_same_migrations_and_columns(postgres: Postgres, tmp_path: Path) -> None:
    """So that what runs on one runs on the other."""
    assert list(migrations("postgresql")) == list(migrations("sqlite"))
    lite, large = (open_read_model(url, create=True) for url in (f"sqlite:///{tmp_path}/x.db", postgres.new_database()))
    for store in (lite, large):
        store.migrate()
    for table in ("facts", "jobs", "positions", "properties"):
        names = [row[1] for row in lite._session.rows(f"PRAGMA table_info({table})")]  # type: ignore[attr-defined]
        found = large._session.rows(  # type: ignore[attr-defined]
            "SELECT column_name FROM information_schema.columns WHERE table_name = %s ORDER BY ordinal_position", table
        )
        assert names == [name for (name,) in found]
    lite.close()
    large.close()


def test_a_database_that_is_not_there_is_told(tmp_path: Path) -> None:
    """Without the password."""
    with pytest.raises(ReadModelUnavailable, match="can't be used") as told:
        open_read_model("postgresql://ann:secret@127.0.0.1:1/postcart")
    assert "secret" not in str(told.value)
    with pytest.raises(ReadModelUnavailable, match="worker project"):
        open_read_model(f"sqlite:///{tmp_path}/none.db")
