"""The read model: what people ask is answered from a projection of Postcart's topics, never by the pipeline.

Owns: the port, SQLite and PostgreSQL behind it, the schema. Must not: know what facts mean, or Kafka.
"""

from pathlib import Path
from urllib.parse import urlsplit

from postcart.adapters.read_model.months import kept_from_ms
from postcart.adapters.read_model.port import Move, Place, ReadModel, Size, Standing, Unaccounted
from postcart.adapters.read_model.postgresql import PostgresSession
from postcart.adapters.read_model.sql import Session, SqlReadModel
from postcart.adapters.read_model.sql_feed import UNREAD_MOST, SqlFeed, StoredItem, View
from postcart.adapters.read_model.sqlite import SqliteSession

SQLITE = "sqlite:///"

__all__ = [
    "UNREAD_MOST",
    "Move",
    "Place",
    "ReadModel",
    "Size",
    "SqlFeed",
    "Standing",
    "StoredItem",
    "Unaccounted",
    "View",
    "kept_from_ms",
    "open_feed",
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
    return SqlReadModel(_session(url, create=create), where=shown_url(url))


def open_feed(url: str) -> SqlFeed:
    """The in-app feeds of the read model at that address, to be read. Raises as ``open_read_model``."""
    return SqlFeed(_session(url, create=False))


def _session(url: str, *, create: bool) -> Session:
    if url.startswith(SQLITE):
        return SqliteSession(Path(url.removeprefix(SQLITE)), create=create)
    return PostgresSession(url, where=shown_url(url))


def shown_url(url: str) -> str:
    """The address without user and password."""
    if url.startswith(SQLITE):
        return url.removeprefix(SQLITE)
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
