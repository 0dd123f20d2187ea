"""What contract suites run against: brokers and databases, each test on all of them."""

from pathlib import Path
from typing import Any

import pytest

from postgres_server import Postgres


@pytest.fixture(params=["mock_broker", pytest.param("kafka", marks=pytest.mark.kafka)])
def each_broker(request: pytest.FixtureRequest) -> Any:
    """A mock cluster, then real Kafka."""
    return request.getfixturevalue(request.param)


@pytest.fixture(params=["sqlite", "postgresql"])
def new_read_model(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of a new, empty database, in SQLite and then in PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/read-model.db"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database()
