"""The engine with real Faust workers inside the test, on the mock broker and on real Kafka."""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

import pytest

from contract.rig import PARTITIONS, Stage, produce, until
from postcart.processors.engine.app import StageApp
from postcart.processors.engine.health import Health
from postcart.processors.engine.task import Effects, Idle, RecordBatch
from stream import copier

pytestmark = pytest.mark.slow


def _tasks(app: StageApp) -> list[copier.CopierTask]:
    return [slot.task for slot in app.engine._roster.running()]  # type: ignore[misc]


def test_everything_comes_out_once_and_lag_ends_at_zero(each_broker: Any) -> None:
    """Records in, outputs and rows out, offsets committed up to the high watermarks: markers leave no lag behind."""
    stage = Stage(each_broker)
    stage.feed(5000)

    async def run() -> None:
        async with stage.worker() as app:
            await stage.drained()
            assert app.engine.health.live()
            assert app.engine.health.ready()
            assert app.engine.health.running == PARTITIONS

    asyncio.run(run())
    stage.assert_copied_once(5000)


def test_state_survives_a_restart(each_broker: Any) -> None:
    """A second worker goes on from the first one's rows: the numbers per key follow each other."""
    stage = Stage(each_broker)

    async def run() -> None:
        for part in range(3):
            stage.feed(1000, first=part * 1000)
            async with stage.worker():
                await stage.drained()

    asyncio.run(run())
    stage.assert_copied_once(3000)


def test_the_last_records_before_a_silence_are_committed(each_broker: Any) -> None:
    """The commit is on a timer too: three records, and then nothing more, come out all the same."""
    stage = Stage(each_broker)

    async def run() -> None:
        async with stage.worker():
            await stage.drained()
            produce(each_broker.bootstrap, stage.spec.inputs[0], 3)
            await stage.drained()
            stage.assert_copied_once(3)

    asyncio.run(run())


@pytest.mark.slow
def test_workers_come_and_go_under_load(each_broker: Any) -> None:
    """A second worker joins and leaves, again and again, while records flow: none lost, none twice, state in step."""
    stage = Stage(each_broker)
    sent = 0

    def feed() -> None:
        nonlocal sent
        stage.feed(200, first=sent)
        sent += 200

    async def visit(host: Health, name: str) -> None:
        async with stage.worker(name) as guest:

            def both_work() -> bool:
                feed()
                return guest.engine.health.running > 0 and host.running < PARTITIONS

            await until(both_work, "both workers run some tasks")
        feed()

    async def run() -> None:
        async with stage.worker("stays") as stays:
            await until(lambda: stays.engine.health.running == PARTITIONS, "the first worker runs all tasks")
            for turn in range(3):
                await visit(stays.engine.health, f"guest{turn}")
            await until(lambda: stays.engine.health.running == PARTITIONS, "the first worker runs all tasks again")
            await stage.drained()

    asyncio.run(run())
    stage.assert_copied_once(sent)


def test_untouched_partitions_never_pause_in_a_rebalance(kafka: Any) -> None:
    """What a worker keeps, it keeps running: its tasks are the same objects before and after."""
    stage = Stage(kafka)

    async def run() -> None:
        async with stage.worker("one") as one:
            await until(lambda: one.engine.health.running == PARTITIONS, "all tasks run")
            before = {task.number: task for task in _tasks(one)}
            async with stage.worker("two") as two:
                await until(lambda: two.engine.health.running > 0, "the second worker runs something")
                kept = _tasks(one)
                assert kept
                assert all(before[task.number] is task for task in kept)
                assert all(before[task.number].closed for task in _tasks(two))

    asyncio.run(run())


class _Noting(copier.CopierTask):
    """Notes what it was told of idleness, and where its inputs stood then."""

    def __init__(self, number: int, out: str) -> None:
        super().__init__(number, out)
        self.seen = 0
        self.told: list[tuple[dict[str, Idle], int | None, int]] = []

    def process(self, batch: RecordBatch) -> None:
        super().process(batch)
        self.seen += len(batch.records)

    def advance(self, idle: Mapping[str, Idle], now_ms: int | None) -> bool:
        self.told.append((dict(idle), now_ms, self.seen))
        return False


def test_an_input_is_idle_only_once_it_was_read_to_a_watermark_of_that_time(each_broker: Any) -> None:
    """``idle[topic]`` comes with everything read that was appended before the clocks showed its times; not before."""
    stage = Stage(each_broker)
    spec = copier.spec_of(stage.prefix, _Noting)
    clock = copier.FixedClock(None)
    first, second = spec.inputs
    early, late = Idle(1000, 1000), Idle(2000, 2000)

    async def run() -> None:
        async with stage.worker(spec=spec, clock=clock) as app:
            await until(lambda: len(_tasks(app)) == PARTITIONS, "all tasks run")
            task = next(task for task in _tasks(app) if task.number == 1)
            await until(lambda: len(task.told) > 3, "the task was advanced")
            assert all(idle == {} and now is None for idle, now, _ in task.told)

            produce(each_broker.bootstrap, first, 500, partition=1)
            clock.value = 1000
            await until(lambda: task.told[-1][0] == {first: early, second: early}, "both inputs are idle")
            assert all(seen == 500 for idle, _, seen in task.told if idle.get(first) == early)

            produce(each_broker.bootstrap, second, 500, partition=1)
            clock.value = 2000
            await until(lambda: task.told[-1][0] == {first: late, second: late}, "both inputs are idle again")
            assert all(seen == 1000 for idle, _, seen in task.told if idle.get(second) == late)

    asyncio.run(run())


class _Overdue(copier.CopierTask):
    """Has more due than it looks at, twenty times."""

    def __init__(self, number: int, out: str) -> None:
        super().__init__(number, out)
        self.asked = 0

    def advance(self, idle: Mapping[str, Idle], now_ms: int | None) -> bool:
        del idle, now_ms
        self.asked += 1
        return self.asked < 20


def test_a_task_with_more_due_is_asked_again_although_nothing_arrives(each_broker: Any) -> None:
    """At the pace of the timer: at that of the watermarks it would take ten minutes."""
    stage = Stage(each_broker)
    spec = copier.spec_of(stage.prefix, _Overdue)

    async def run() -> None:
        async with stage.worker(spec=spec, watermark_interval_ms=30_000) as app:
            await until(lambda: len(_tasks(app)) == PARTITIONS, "all tasks run")
            await until(lambda: all(task.asked >= 20 for task in _tasks(app)), "all have looked at everything")

    asyncio.run(run())


class _Held(copier.CopierTask):
    """Notes when it is called before its state is whole."""

    early = 0

    def process(self, batch: RecordBatch) -> None:
        type(self).early += not self.ready
        super().process(batch)


def test_records_wait_for_the_restore(each_broker: Any) -> None:
    """Partitions are held, not skipped, until their state is read."""
    stage = Stage(each_broker)
    stage.feed(4000)

    async def run() -> None:
        async with stage.worker():
            await stage.drained()
        stage.feed(4000, first=4000)
        async with stage.worker(spec=copier.spec_of(stage.prefix, _Held)):
            await stage.drained()

    asyncio.run(run())
    assert _Held.early == 0
    stage.assert_copied_once(8000)


def test_a_task_may_hand_over_only_rows(each_broker: Any) -> None:
    """A deadline that changes a row and emits nothing is written too, with the offsets of its inputs."""

    class Rows(copier.CopierTask):
        def drain(self) -> Effects:
            return Effects([], super().drain().rows)

        def pending(self) -> bool:
            return False

    stage = Stage(each_broker)
    stage.feed(200)

    async def run() -> None:
        async with stage.worker(spec=copier.spec_of(stage.prefix, Rows), commit_rows_ms=100):
            await stage.drained()
        stage.feed(200, first=200)
        async with stage.worker():
            await stage.drained()

    asyncio.run(run())
    counted = sum(int(value.split(b":")[1]) == 1 for *_, value in stage.outputs())
    assert len(stage.outputs()) == 200
    assert counted == 0


def test_a_worker_without_partitions_is_ready(kafka: Any) -> None:
    """More workers than partitions: the spare one has joined, and may say so."""
    stage = Stage(kafka)

    async def run() -> None:
        async with contextlib.AsyncExitStack() as stack:
            workers = [await stack.enter_async_context(stage.worker(f"w{number}")) for number in range(PARTITIONS + 1)]
            healths = [worker.engine.health for worker in workers]
            await until(lambda: sorted(health.running for health in healths) == [0, 1, 1, 1, 1], "all but one run")
            await until(lambda: all(health.ready() for health in healths), "all are ready")

    asyncio.run(run())
