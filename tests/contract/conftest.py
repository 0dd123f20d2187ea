"""What contract suites run against besides brokers: databases, each test on all of them."""

from pathlib import Path

import pytest

from postgres_server import Postgres


@pytest.fixture(params=["sqlite", "postgresql"])
def new_read_model(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of a new, empty database, in SQLite and then in PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/read-model.db"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database()
