"""The read model in PostgreSQL.

Owns: the connection, the lock of migrations, the monthly partitions. Must not: hold SQL that SQLite would say alike.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, LiteralString, cast

import psycopg
from psycopg import sql as compose

from postcart.adapters.read_model.months import month_named, month_of
from postcart.errors import ConfigurationError, ReadModelUnavailable

_SCHEMA = "postcart"
_PARTITION = "facts_"
_LOCK = 0x706F7374  # any number that nobody else takes: the letters "post"
_CONNECT_S = 10


class PostgresSession:
    """See ``sql.Session``. Its tables are in the schema ``postcart`` of the database.

    Args:
        url: ``postgresql://…``, as libpq reads it.
        where: The same without a password, for messages.

    Raises:
        ReadModelUnavailable: It can't be reached.
        ConfigurationError: The user may not do what is needed.
    """

    dialect = "postgresql"

    def __init__(self, url: str, *, where: str) -> None:
        self._where = where
        with self._translated():
            self._connection = psycopg.connect(
                url,
                autocommit=True,
                connect_timeout=_CONNECT_S,
                application_name="postcart",
                options=f"-c search_path={_SCHEMA}",
            )

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """See Session."""
        with self._translated():
            return self._connection.execute(_trusted(statement), values).fetchall()

    def run(self, statement: str, *values: Any) -> int:
        """See Session."""
        with self._translated():
            return self._connection.execute(_trusted(statement), values).rowcount

    def many(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        """See Session. All rows travel in one pipeline, without waiting for each answer."""
        if rows:
            with self._translated(), self._connection.pipeline(), self._connection.cursor() as cursor:
                cursor.executemany(_trusted(statement), rows)

    @contextmanager
    def transaction(self, *, alone: bool = False) -> Iterator[None]:
        """See Session."""
        with self._translated(), self._connection.transaction():
            if alone:
                self._connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
                self._connection.execute(f"CREATE SCHEMA IF NOT EXISTS {_SCHEMA}")
            yield

    def has_tables(self) -> bool:
        """See Session."""
        return self.rows("SELECT to_regclass(%s) IS NOT NULL", f"{_SCHEMA}.properties")[0][0] is True

    def hold_months(self, moments_ms: Sequence[int]) -> None:
        """See Session. Partitions are made in a transaction of their own: it waits for those that write."""
        for month in sorted(month_of(at_ms) for at_ms in moments_ms):
            name = _PARTITION + month.text
            if self.rows("SELECT to_regclass(%s) IS NOT NULL", f"{_SCHEMA}.{name}")[0][0]:
                continue  # asked each time: a rebuild may have dropped it
            with self.transaction(alone=True):
                self._connection.execute(
                    compose.SQL("CREATE TABLE IF NOT EXISTS {} PARTITION OF facts FOR VALUES FROM ({}) TO ({})").format(
                        compose.Identifier(name), month.begin_ms, month.end_ms
                    )
                )

    def forget_months(self, before_ms: int) -> int:
        """See Session."""
        names = self.rows(
            "SELECT child.relname FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid "
            "WHERE inhparent = to_regclass(%s)",
            f"{_SCHEMA}.facts",
        )
        forgotten = 0
        for (name,) in sorted(names):
            month = month_named(name.removeprefix(_PARTITION))
            if month.end_ms <= before_ms:
                table = compose.Identifier(name)
                with self.transaction(alone=True):
                    counted = self._connection.execute(compose.SQL("SELECT count(*) FROM {}").format(table)).fetchone()
                    self._connection.execute(compose.SQL("DROP TABLE {}").format(table))
                forgotten += counted[0] if counted else 0
        return forgotten

    def close(self) -> None:
        """See Session."""
        self._connection.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except psycopg.OperationalError as error:
            said = str(error).strip().splitlines()[0]
            raise ReadModelUnavailable(f"the read model at {self._where} can't be used: {said}") from error
        except psycopg.errors.InsufficientPrivilege as error:
            raise ConfigurationError(f"POSTCART_READ_MODEL_URL ({self._where}): {error}") from error


def _trusted(statement: str) -> LiteralString:
    """Statements come from ``statements``, with no value in them."""
    return cast("LiteralString", statement)  # type: ignore[redundant-cast]  # mypy takes LiteralString for str
