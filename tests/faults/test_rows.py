"""The fault matrix, small: every row of it in minutes, several worlds side by side.

Most of the time is waiting for dead members' sessions to end, so worlds overlap. ``make faults`` has them at length.
"""

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from conftest import Cluster
from faults.brokers import broker_for
from faults.places import NoMount
from faults.run import Result, run
from faults.scenario import Described, OwnRow, Row
from faults.small import SMALL
from postcart.adapters.local_kafka import default_cache

EVENTS = 300
SIDE_BY_SIDE = 3

Runs = dict[str, "Future[Result]"]


@pytest.fixture(scope="module")
def runs(kafka: Cluster, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Runs]:
    """All worlds that were asked for, some at a time."""
    asked = {item.callspec.params["row"].name for item in request.session.items if item.path == request.path}
    rows = [row for row in SMALL if row.name in asked]
    folders = {row.name: tmp_path_factory.mktemp(row.name) for row in rows}
    with ThreadPoolExecutor(SIDE_BY_SIDE) as threads:
        begun = {row.name: threads.submit(one, row, kafka, folders[row.name]) for row in rows}
        yield begun
        for future in begun.values():
            future.cancel()


def one(row: Row | OwnRow, kafka: Cluster, folder: Path) -> Result:
    """One small run."""
    cache = default_cache(os.environ)  # noqa: TID251 -- tests are an outermost shell
    with broker_for(row, kafka.bootstrap, cache) as broker:
        prefix = kafka.prefix(f"faults-{row.name}")
        return run(row, seed=1, events=EVENTS, broker=broker, prefix=prefix, folder=folder, timed=False)


ROWS = [pytest.param(row, id=row.name) for row in SMALL]
"""A cluster of several brokers, some of them away, takes as long as all other rows together."""


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.parametrize("row", ROWS)
def test_promises_hold(row: Described, runs: Runs) -> None:
    """Conservation, the ledger and the naive implementation agree, whatever was done."""
    try:
        result = runs[row.name].result()
    except NoMount as problem:
        pytest.skip(str(problem))
    assert result.good, str(result)
