"""What ends a worker of the engine by itself, what a supervisor is told, and what is left for the next one."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from contract.rig import PARTITIONS, Stage, commit_zero, produce_one, until
from postcart.errors import (
    EXIT_AGAIN,
    EXIT_BUG,
    EXIT_CONFIGURATION,
    EXIT_OK,
    BrokerUnavailable,
    Fenced,
    TopologyError,
    exit_code,
)
from postcart.processors.engine.app import StageApp
from postcart.processors.engine.crashes import ENOUGH
from postcart.processors.engine.task import RecordBatch
from stream import copier

pytestmark = pytest.mark.slow


class _Broken(copier.CopierTask):
    """A task with a bug."""

    def process(self, batch: RecordBatch) -> None:
        super().process(batch)
        raise ZeroDivisionError("a bug")


def test_a_bug_ends_the_process_and_commits_nothing(each_broker: Any) -> None:
    """An exception of a task is not swallowed, retried or acknowledged."""
    stage = Stage(each_broker)
    stage.feed(100)

    async def run() -> None:
        failure = await stage.failure_of(stage.app(spec=copier.spec_of(stage.prefix, _Broken)))
        assert isinstance(failure, ZeroDivisionError)
        assert exit_code(failure) == EXIT_BUG
        assert stage.copied() == ({}, 0)
        async with stage.worker():
            await stage.drained()

    asyncio.run(run())
    stage.assert_copied_once(100)


class _Poisoned(copier.CopierTask):
    """A task with a bug that only one record shows."""

    def die(self) -> None:
        raise ZeroDivisionError("a bug")


def test_a_record_that_ends_the_process_is_set_aside(each_broker: Any) -> None:
    """Three workers end by it, each a little further on; the fourth finds it, and the rest is processed.

    There is one in each of two partitions. Where the first ends a worker before it has begun the other partition, that
    end does not count for the second: so it may take more workers, but no partition ends more than three.
    """
    stage = Stage(each_broker)
    spec = copier.spec_of(stage.prefix, _Poisoned)
    stage.feed(300)
    for partition in (1, 2):
        produce_one(each_broker.bootstrap, spec.inputs[0], copier.POISON, partition=partition)
    stage.feed(300, first=300)

    async def run() -> None:
        ended = 0
        while not await stage.drains_or_fails_by(ZeroDivisionError, spec=spec):
            ended += 1
        assert ENOUGH <= ended <= 2 * ENOUGH
        stage.feed(300, first=600)
        async with stage.worker(spec=spec):
            await stage.drained()

    asyncio.run(run())
    stage.assert_copied_once(900)
    letters = stage.letters()
    assert [(one.reason, one.value, one.topic) for one in letters] == [("crashed", b"poison", spec.inputs[0])] * 2
    assert {one.partition for one in letters} == {1, 2}
    assert all("ZeroDivisionError" in one.detail for one in letters)


def test_a_second_worker_of_the_same_name_ends_the_first(kafka: Any) -> None:
    """The older one is fenced; it neither commits nor hangs."""
    stage = Stage(kafka)
    stage.feed(100)

    async def run() -> None:
        older = stage.app("same")
        ending = asyncio.create_task(stage.failure_of(older))
        await until(lambda: older.engine.health.running == PARTITIONS, "the older one runs")
        async with stage.worker("same"):
            while not ending.done():
                stage.feed(100, first=100)
                await asyncio.sleep(0.05)
            failure = await ending
            assert isinstance(failure, Fenced)
            assert exit_code(failure) == EXIT_AGAIN

    asyncio.run(run())


def test_missing_topics_are_all_named(kafka: Any) -> None:
    """One message says what is missing and which command mends it."""
    stage = Stage(kafka)
    spec = replace(
        stage.spec, inputs=(stage.spec.inputs[0], f"{stage.prefix}nowhere"), changelog=f"{stage.prefix}no.log"
    )
    failure = asyncio.run(stage.failure_of(stage.app(spec=spec)))
    assert isinstance(failure, TopologyError)
    assert f"{stage.prefix}nowhere" in str(failure)
    assert f"{stage.prefix}no.log" in str(failure)
    assert "postcart topics create" in str(failure)
    assert exit_code(failure) == EXIT_CONFIGURATION


def test_unequal_partition_counts_are_refused(kafka: Any) -> None:
    """Task n needs partition n of every topic."""
    stage = Stage(kafka)
    kafka.create({f"{stage.prefix}wide": PARTITIONS + 1})
    spec = replace(stage.spec, inputs=(stage.spec.inputs[0], f"{stage.prefix}wide"))
    failure = asyncio.run(stage.failure_of(stage.app(spec=spec)))
    assert isinstance(failure, TopologyError)
    assert "partition counts differ" in str(failure)


def test_a_group_without_offsets_is_told_what_to_do(each_broker: Any) -> None:
    """Neither the beginning nor the end is guessed."""
    stage = Stage(each_broker, commit=False)
    commit_zero(each_broker.bootstrap, stage.spec.group, [stage.spec.inputs[0]])
    failure = asyncio.run(stage.failure_of(stage.app()))
    assert isinstance(failure, TopologyError)
    assert "postcart topics create" in str(failure)


def test_an_unreachable_broker_is_named(mock_broker: Any) -> None:
    """After a while the process ends with the address in its message."""
    stage = Stage(mock_broker)
    settings = copier.settings_of("127.0.0.1:1", "w", connect_within_ms=100)
    failure = asyncio.run(stage.failure_of(copier.build_app(stage.spec, settings, clock=copier.FixedClock(0))))
    assert isinstance(failure, BrokerUnavailable)
    assert "127.0.0.1:1" in str(failure)


def test_exit_codes() -> None:
    """What a supervisor is told."""
    assert exit_code(None) == EXIT_OK
    assert exit_code(Fenced("x")) == EXIT_AGAIN
    assert exit_code(TopologyError("x")) == EXIT_CONFIGURATION
    assert exit_code(ValueError("x")) == EXIT_BUG


def _pause_behind_its_back(app: StageApp) -> Any:
    poller = app.engine._poller()
    return asyncio.wrap_future(poller.call(lambda consumer: consumer.pause(consumer.assignment())))


def test_a_partition_that_stands_still_is_sought_again(each_broker: Any) -> None:
    """The watchdog: something to read, and no movement; a seek to the position sets it going."""
    stage = Stage(each_broker)

    async def run() -> None:
        async with stage.worker(seek_after_ms=300) as app:
            await until(lambda: app.engine.health.running == PARTITIONS, "all tasks run")
            await _pause_behind_its_back(app)
            stage.feed(400)
            await stage.drained()

    asyncio.run(run())
    stage.assert_copied_once(400)


def test_a_partition_that_stays_still_ends_the_process(each_broker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A silent fetcher is no state to stay in: another worker reads on from what was committed."""
    stage = Stage(each_broker)

    async def run() -> None:
        app = stage.app(seek_after_ms=200, stalled_after_ms=800)
        ending = asyncio.create_task(stage.failure_of(app))
        await until(lambda: app.engine.health.running == PARTITIONS, "all tasks run")
        await _pause_behind_its_back(app)
        monkeypatch.setattr(app.engine._lookout, "_seek", lambda *_: None)
        stage.feed(400)
        failure = await ending
        assert isinstance(failure, Fenced)
        assert "stands still" in str(failure)
        assert app.engine.health.failure is failure
        assert not app.engine.health.live()
        async with stage.worker():
            await stage.drained()

    asyncio.run(run())
    stage.assert_copied_once(400)
