"""The read model over SQL: everything that both databases do alike.

Owns: transactions, the order of writes, migrations. Must not: know a driver (``Session`` does).
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from importlib.resources import files
from typing import Any, Final, Protocol

from msgspec import structs

from postcart.adapters.read_model import statements as sql
from postcart.adapters.read_model.months import month_of
from postcart.adapters.read_model.port import Move, Place, Size, Standing, Unaccounted
from postcart.adapters.read_model.sql_feed import forget_items, mark_feed
from postcart.codecs.facts import Fact
from postcart.codecs.marks import ClaimMark, EndMark, ItemMark, JobMark, KeyMark, Mark, StateMark
from postcart.errors import ConfigurationError, ReadModelUnavailable

_INSTALLATION: Final = "installation"
_AT_ONCE: Final = 10_000
"""Rows deleted in one transaction."""


class Session(Protocol):
    """A connection. All methods raise ``ReadModelUnavailable`` if the database can't be reached."""

    dialect: str
    """Name of the folder of migrations."""

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a query."""
        ...

    def run(self, statement: str, *values: Any) -> int:
        """Run a statement; returns the number of rows that it changed."""
        ...

    def many(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run a statement for each row of values."""
        ...

    def transaction(self, *, alone: bool = False) -> AbstractContextManager[None]:
        """All or nothing; ``alone``: no other such transaction runs meanwhile."""
        ...

    def has_tables(self) -> bool:
        """Whether the schema was ever made."""
        ...

    def hold_months(self, moments_ms: Sequence[int]) -> None:
        """Make room for facts of these moments."""
        ...

    def forget_months(self, before_ms: int) -> int:
        """Forget facts of months that ended by then; returns how many."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class SqlReadModel:
    """See ``port.ReadModel``."""

    def __init__(self, session: Session, *, where: str) -> None:
        self._session = session
        self._where = where

    def migrate(self) -> list[str]:
        """See ReadModel."""
        session, known = self._session, migrations(self._session.dialect)
        with session.transaction(alone=True):
            applied = self._applied()
            self._refuse_newer(applied)
            missing = [name for name in known if name not in applied]
            for name in missing:
                self._apply_migration(name, known[name])
        return missing

    def require_schema(self) -> None:
        """See ReadModel."""
        applied = self._applied()
        if not applied:
            raise ReadModelUnavailable(
                f"there is no read model at {self._where} yet: `postcart worker project` makes it and keeps it up"
            )
        self._refuse_newer(applied)
        if migrations(self._session.dialect).keys() - applied:
            raise ReadModelUnavailable(
                f"the read model at {self._where} is older than this release: `postcart worker project` brings it up "
                "to date"
            )

    def bind(self, installation: str) -> None:
        """See ReadModel."""
        self._session.run(sql.SET_PROPERTY, _INSTALLATION, installation)
        found = self._session.rows(sql.PROPERTY, _INSTALLATION)[0][0]
        if found != installation:
            raise ConfigurationError(
                f"the read model at {self._where} holds what {found} did, not {installation}: set "
                "POSTCART_READ_MODEL_URL to a database of its own for each installation"
            )

    def standings(self) -> dict[Place, Standing]:
        """See ReadModel."""
        rows = self._session.rows(sql.STANDINGS)
        return {(topic, partition): Standing(*rest) for topic, partition, *rest in rows}

    def apply(
        self, facts: Sequence[Fact], marks: Sequence[Mark], moves: Mapping[Place, Move], *, now_ms: int
    ) -> frozenset[Place]:
        """See ReadModel."""
        session = self._session
        session.hold_months(sorted({month_of(fact.appended_ms).begin_ms for fact in facts}))
        outrun: set[Place] = set()
        try:
            with session.transaction():
                for (topic, partition), (before, after) in sorted(moves.items()):
                    if before is None:
                        moved = session.run(sql.FIRST_MOVE, topic, partition, after, now_ms)
                    else:
                        moved = session.run(sql.MOVE, after, now_ms, topic, partition, before)
                    if not moved:
                        outrun.add((topic, partition))
                if outrun:
                    raise _Outrun  # noqa: TRY301 -- this is how the transaction is undone
                session.many(sql.ADD_FACT, [structs.astuple(fact) for fact in facts])
                self._mark([one for one in marks if isinstance(one, JobMark | ClaimMark | EndMark)])
                mark_feed(session, [one for one in marks if isinstance(one, ItemMark | StateMark | KeyMark)])
        except _Outrun:
            pass
        return frozenset(outrun)

    def complete(self, places: Sequence[Place], *, at_ms: int) -> None:
        """See ReadModel."""
        with self._session.transaction():
            self._session.many(sql.COMPLETE, [(at_ms, *place, at_ms) for place in sorted(places)])

    def unaccounted(self, committed: Mapping[Place, int], *, most: int) -> list[Unaccounted]:
        """See ReadModel."""
        found: list[Unaccounted] = []
        for (topic, partition), position in sorted(committed.items()):
            for statement in (sql.UNACCOUNTED, sql.UNACCOUNTED_REDRIVEN):
                rows = self._session.rows(statement, topic, partition, position, most)
                found += [Unaccounted(*row) for row in rows]
        return found[:most]

    def named(self, name: str, *, most: int) -> list[Fact]:
        """See ReadModel."""
        found = {fact: None for column in sql.FIND_COLUMNS for fact in self._find(column, name, most)}
        newest = sorted(found, key=lambda fact: (fact.appended_ms, fact.position), reverse=True)
        return newest[:most]

    def about_person(self, person_id: str, *, most: int) -> list[Fact]:
        """See ReadModel."""
        return self._find("person_id", person_id, most)

    def about_visitor(self, visitor_id: str, *, most: int) -> list[Fact]:
        """See ReadModel."""
        return self._find("visitor_id", visitor_id, most)

    def about_episode(self, episode_id: str, *, most: int) -> list[Fact]:
        """See ReadModel."""
        return self._find("episode_id", episode_id, most)

    def size(self) -> Size:
        """See ReadModel."""
        return Size(*self._session.rows(sql.SIZE)[0])

    def count_before(self, beginnings: Mapping[Place, int]) -> int:
        """See ReadModel."""
        counted = [self._session.rows(sql.COUNT_BEFORE, *place, begin) for place, begin in sorted(beginnings.items())]
        return sum(rows[0][0] for rows in counted)

    def forget(self, before_ms: int) -> int:
        """See ReadModel."""
        begin_ms = month_of(before_ms).begin_ms
        forgotten = self._session.forget_months(begin_ms)
        while self._session.run(sql.FORGET_JOBS, begin_ms, _AT_ONCE) == _AT_ONCE:
            pass
        return forgotten

    def forget_items(self, before_ms: int) -> int:
        """See ReadModel."""
        return forget_items(self._session, before_ms)

    def rebuild(self) -> None:
        """See ReadModel."""
        session, known = self._session, migrations(self._session.dialect)
        with session.transaction(alone=True):
            for table in sql.TABLES:
                session.run(f"DROP TABLE IF EXISTS {table}")
            for name, text in known.items():
                self._apply_migration(name, text)

    def close(self) -> None:
        """See ReadModel."""
        self._session.close()

    def _find(self, column: str, name: str, most: int) -> list[Fact]:
        return [Fact(*row) for row in self._session.rows(sql.FIND[column], name, most)]

    def _mark(self, marks: Sequence[JobMark | ClaimMark | EndMark]) -> None:
        """By job, so that two workers lock rows in one order; within a job in the order in which it was said."""
        session = self._session
        marks = sorted(marks, key=lambda mark: (mark.job_id, mark.position))
        session.many(
            sql.MARK_JOB,
            [
                (
                    m.job_id,
                    m.person_id,
                    m.topic,
                    m.partition,
                    m.position,
                    m.appended_ms,
                    m.attempt,
                    m.revision,
                    m.appended_ms,
                )
                for m in marks
                if isinstance(m, JobMark)
            ],
        )
        session.many(
            sql.MARK_CLAIM,
            [
                (m.job_id, m.person_id, m.position, m.appended_ms, m.attempt, m.state)
                for m in marks
                if isinstance(m, ClaimMark)
            ],
        )
        ends = [mark for mark in marks if isinstance(mark, EndMark)]
        session.many(
            sql.MARK_END,
            [
                (m.job_id, m.person_id, m.position, m.appended_ms, m.outcome, m.appended_ms)
                for m in ends
                if m.outcome != "not_accepted"
            ],
        )
        session.many(
            sql.MARK_RETRY,
            [
                (m.job_id, m.person_id, m.position, m.appended_ms, m.attempt)
                for m in ends
                if m.outcome == "not_accepted"
            ],
        )

    # -- migrations -------------------------------------------------------------------------------------------------

    def _applied(self) -> set[str]:
        if not self._session.has_tables():
            return set()
        rows = self._session.rows("SELECT name FROM properties WHERE name LIKE 'migration/%%'")
        return {name.removeprefix("migration/") for (name,) in rows}

    def _apply_migration(self, name: str, text: str) -> None:
        for statement in statements_of(text):
            self._session.run(statement)
        self._session.run(sql.SET_PROPERTY, f"migration/{name}", "applied")

    def _refuse_newer(self, applied: set[str]) -> None:
        unknown = applied - migrations(self._session.dialect).keys()
        if unknown:
            raise ConfigurationError(
                f"the read model at {self._where} was made by a newer release ({', '.join(sorted(unknown))}): run that "
                "release, or set POSTCART_READ_MODEL_URL to another database"
            )


def migrations(dialect: str) -> dict[str, str]:
    """The numbered migrations by name, in order, with their text."""
    folder = files("postcart.adapters.read_model") / "migrations" / dialect
    found = sorted(path.name for path in folder.iterdir() if path.name.endswith(".sql"))
    return {name.removesuffix(".sql"): (folder / name).read_text("utf-8") for name in found}


def statements_of(text: str) -> list[str]:
    """The statements of a migration: each ends with a semicolon at the end of its line."""
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    return [statement.strip() for statement in lines.split(";\n") if statement.strip()]


class _Outrun(Exception):  # noqa: N818 -- not an error: it undoes a transaction
    """A position was not where it was thought to be."""
