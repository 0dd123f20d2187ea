"""The read model: what people ask is answered from a projection of Postcart's topics, never by the pipeline.

Owns: the port, SQLite and PostgreSQL behind it, the schema. Must not: know what facts mean, or Kafka.
"""

from pathlib import Path
from urllib.parse import urlsplit

from postcart.adapters.read_model.months import kept_from_ms
from postcart.adapters.read_model.port import Move, Place, ReadModel, Size, Standing, Unaccounted
from postcart.adapters.read_model.postgresql import PostgresSession
from postcart.adapters.read_model.sql import SqlReadModel
from postcart.adapters.read_model.sqlite import SqliteSession

SQLITE = "sqlite:///"

__all__ = [
    "Move",
    "Place",
    "ReadModel",
    "Size",
    "Standing",
    "Unaccounted",
    "kept_from_ms",
    "open_read_model",
    "shown_url",
]


def open_read_model(url: str, *, create: bool = False) -> ReadModel:
    """The read model at ``postgresql://…`` or ``sqlite:///path`` (relative; four slashes begin an absolute one).

    Args:
        url: Where it is.
        create: Make the file of SQLite if it is missing; a database of PostgreSQL must be there.

    Raises:
        ReadModelUnavailable: It can't be reached, refuses the login, or the file is missing.
    """
    where = shown_url(url)
    if url.startswith(SQLITE):
        return SqlReadModel(SqliteSession(Path(url.removeprefix(SQLITE)), create=create), where=where)
    return SqlReadModel(PostgresSession(url, where=where), where=where)


def shown_url(url: str) -> str:
    """The address without user and password."""
    if url.startswith(SQLITE):
        return url.removeprefix(SQLITE)
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
