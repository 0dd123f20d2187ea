"""The read model in a SQLite file: for one machine, as in the demo.

Owns: the connection. Must not: hold SQL that PostgreSQL would say alike (statements has it).
"""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from postcart.adapters.read_model import statements as sql
from postcart.errors import ReadModelUnavailable

_BUSY_S = 30.0
_AGAIN_S = 0.01


class SqliteSession:
    """See ``sql.Session``.

    Args:
        path: The file.
        create: Whether to make it if it is not there.

    Raises:
        ReadModelUnavailable: It can't be opened.
    """

    dialect = "sqlite"

    def __init__(self, path: Path, *, create: bool) -> None:
        self._path = path
        if not create and not path.exists():
            raise ReadModelUnavailable(
                f"there is no read model at {path} yet: `postcart worker project` makes it and keeps it up"
            )
        with self._translated():
            self._connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
            self._write_ahead()
            # With WAL: a crash loses no more than the last commits.
            self._connection.execute("PRAGMA synchronous = NORMAL")

    def _write_ahead(self) -> None:
        """Switch to WAL. SQLite does not wait for another connection that does the same: it says locked at once."""
        until = time.monotonic() + _BUSY_S
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError:
                if time.monotonic() > until:
                    raise
                time.sleep(_AGAIN_S)
            else:
                return

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """See Session."""
        with self._translated():
            return self._connection.execute(_dialect(statement), values).fetchall()

    def run(self, statement: str, *values: Any) -> int:
        """See Session."""
        with self._translated():
            return self._connection.execute(_dialect(statement), values).rowcount

    def many(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        """See Session."""
        if rows:
            with self._translated():
                self._connection.executemany(_dialect(statement), rows)

    @contextmanager
    def transaction(self, *, alone: bool = False) -> Iterator[None]:
        """See Session. SQLite has one writer at a time anyway."""
        del alone
        self.run("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.rollback()
            raise
        self.run("COMMIT")

    def has_tables(self) -> bool:
        """See Session."""
        return bool(self.rows("SELECT 1 FROM sqlite_master WHERE name = 'properties'"))

    def hold_months(self, moments_ms: Sequence[int]) -> None:
        """See Session. Nothing is needed."""

    def forget_months(self, before_ms: int) -> int:
        """See Session."""
        return self.run(sql.FORGET_FACTS, before_ms)

    def close(self) -> None:
        """See Session."""
        self._connection.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise ReadModelUnavailable(f"the read model at {self._path} can't be used: {error}") from error


def _dialect(statement: str) -> str:
    return statement.replace("%s", "?").replace("%%", "%")
