"""Brokers for contract suites: the same tests on the mock cluster and on real Kafka."""

from typing import Any

import pytest


@pytest.fixture(params=["mock_broker", pytest.param("kafka", marks=pytest.mark.kafka)])
def each_broker(request: pytest.FixtureRequest) -> Any:
    """A mock cluster, then real Kafka."""
    return request.getfixturevalue(request.param)
