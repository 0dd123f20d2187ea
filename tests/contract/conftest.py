"""What contract suites run against besides brokers: databases, each test on all of them."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from postgres_server import Postgres


@pytest.fixture(autouse=True)
def clients_end_with_their_test(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whoever uses a broker leaves no client behind: one whose broker is gone would look for it for ever.

    Engines are cycles of objects, so they wait for the collector.
    """
    yield
    if {"kafka", "mock_broker", "each_broker"} & set(request.fixturenames):
        gc.collect()


@pytest.fixture(params=["sqlite", "postgresql"])
def new_read_model(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of a new, empty database, in SQLite and then in PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/read-model.db"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database()
