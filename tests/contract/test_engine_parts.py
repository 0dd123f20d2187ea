"""The engine's bookkeeping without a broker: positions, slots, batches."""

import asyncio
import gc
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from confluent_kafka import KafkaError
from hypothesis import given
from hypothesis import strategies as st

from postcart.adapters.rdkafka.grouping import group
from postcart.processors.engine.core import Engine
from postcart.processors.engine.lookout import Lookout, standing_still
from postcart.processors.engine.metrics import NoMetrics
from postcart.processors.engine.roster import Roster
from postcart.processors.engine.slot import Slot, offsets_of
from postcart.processors.engine.task import Effects, Idle, Output, RecordBatch, Row, StageSpec
from postcart.processors.engine.tide import Tide
from stream.copier import CopierTask, FixedClock, settings_of


class _Task:
    def __init__(self) -> None:
        self.effects = Effects([], [])
        self.closed = 0

    def restore(self, rows: Sequence[Row]) -> None: ...

    def restored(self) -> None: ...

    def process(self, batch: RecordBatch) -> None: ...

    def advance(self, idle: Mapping[str, Idle], now_ms: int | None) -> bool:
        del idle, now_ms
        return False

    def pending(self) -> bool:
        return bool(self.effects.outputs)

    def drain(self) -> Effects:
        effects, self.effects = self.effects, Effects([], [])
        return effects

    def close(self) -> None:
        self.closed += 1


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=120))
def test_idle_never_lies(steps: list[tuple[int, int]]) -> None:
    """``idle`` holds only while everything that had been appended when the clocks showed its times is processed.

    Each step appends some records, takes a sample at its own time, and then processes some of what is there.
    """
    tide = Tide(0, 0.0)
    appended = 0
    end_at: list[int] = []
    for now, (arriving, processed) in enumerate(steps):
        appended += arriving
        end_at.append(appended)
        tide.sample(Idle(now, 1000 + now), appended, float(now))
        tide.move(min(appended, tide.position + processed), float(now))
        if tide.idle is not None:
            assert tide.idle.asked_ms == 1000 + tide.idle.clock_ms
            assert tide.position >= end_at[tide.idle.clock_ms]
        if tide.position == appended:
            assert tide.idle == Idle(now, 1000 + now)
        assert tide.lag == appended - tide.position


def test_a_partition_with_unread_records_is_not_idle() -> None:
    """A new watermark beyond the position takes idleness back."""
    tide = Tide(10, 0.0)
    tide.sample(Idle(1000, 1), 10, 1.0)
    assert tide.idle == Idle(1000, 1)
    tide.sample(Idle(2000, 2), 11, 2.0)
    assert tide.idle is None
    tide.move(11, 3.0)
    assert tide.idle == Idle(2000, 2)


def running() -> tuple[Roster, Slot]:
    """A task that stands at offset 5 of its one input."""
    roster = Roster(("a",))
    roster.own(frozenset({("a", 0)}))
    slot = roster.get(0)
    assert slot is not None
    slot.restoring(_Task())
    slot.run({"a": 5}, 0.0)
    return roster, slot


def test_without_a_watermark_idleness_grows_old() -> None:
    """The broker does not answer: what was known stays, with the times of its own question."""
    _, slot = running()
    clock = FixedClock(1000)
    silent: Any = SimpleNamespace(ends=_ends({("a", 0): 5}, {}))
    settings = settings_of("nowhere", "w")
    lookout = Lookout(settings, offsets=silent, clock=clock, metrics=NoMetrics(), seek=lambda *_: None)
    for now_ms in (1000, 2000):
        clock.value = now_ms
        lookout.take_note(slot, *asyncio.run(lookout.ask([slot], ["a"])))
        assert slot.tides["a"].idle == Idle(1000, 1000)


def _ends(*answers: dict[tuple[str, int], int]) -> Any:
    rest = list(answers)

    async def ends(_: Any) -> dict[tuple[str, int], int]:
        return rest.pop(0)

    return ends


def test_without_a_clock_nothing_is_idle() -> None:
    """A replay that has not told the time yet gives no T."""
    tide = Tide(0, 0.0)
    tide.sample(None, 0, 1.0)
    assert tide.idle is None


def test_a_slot_waits_for_all_inputs_and_closes_with_any() -> None:
    """Task n runs only while partition n of every input is owned."""
    roster = Roster(("a", "b"))
    assert roster.own(frozenset({("a", 0), ("a", 1), ("b", 1)})) == [roster.get(1)]
    slot, task = roster.get(1), _Task()
    assert slot is not None
    slot.restoring(task)
    slot.run({"a": 5, "b": 0}, 0.0)
    assert roster.running() == [slot]
    assert roster.release(frozenset({("b", 1)})) == [("a", 1)]
    assert slot.phase == "closed"
    assert task.closed == 1
    waiting = roster.get(1)
    assert waiting is not slot
    assert roster.own(frozenset({("b", 1)})) == [waiting]
    assert roster.release(frozenset({("a", 1), ("b", 1)})) == []
    assert roster.get(1) is None


def test_a_transaction_carries_the_position_of_every_input_of_a_touched_task() -> None:
    """Also where only a deadline fired: an empty offset map would fence nothing."""
    roster = Roster(("a", "b"))
    roster.own(frozenset({("a", 3), ("b", 3)}))
    slot, task = roster.get(3), _Task()
    assert slot is not None
    slot.restoring(task)
    slot.run({"a": 5, "b": 7}, 0.0)
    begun = slot.harvest()
    assert begun is not None
    assert [key for key, _ in begun.effects.rows] == [b"!engine.crashes"]
    assert slot.harvest() is None
    task.effects = Effects([Output("out", b"k", b"v")], [])
    harvest = slot.harvest()
    assert harvest is not None
    assert offsets_of([harvest]) == {("a", 3): 5, ("b", 3): 7}


def test_standing_still_needs_lag_and_time() -> None:
    """No lag, or movement within the limit, is no stand-still."""
    roster, slot = running()

    def found(now: float) -> list[tuple[str, int]]:
        return standing_still(roster, longer_than_s=10, now_s=now)

    assert found(100.0) == []
    slot.tides["a"].sample(Idle(0, 0), 6, 20.0)
    assert found(30.1) == [("a", 0)]
    slot.tides["a"].move(6, 31.0)
    assert found(100.0) == []


def _message(topic: str, partition: int, offset: int, code: int | None = None) -> Any:
    error = None if code is None else KafkaError(code)
    return SimpleNamespace(topic=lambda: topic, partition=lambda: partition, offset=lambda: offset, error=lambda: error)


def test_a_poll_is_grouped_by_partition() -> None:
    """Order within a partition stays; ends of partitions move the position past markers; the rest are errors."""
    end = KafkaError._PARTITION_EOF
    first, gap, late, stray = (_message("t", 0, 4), _message("t", 0, 7), _message("t", 1, 2), _message("t", 2, 0))
    positions = {("t", 0): 4, ("t", 1): 2, ("t", 3): 9}
    batches, errors = group(
        [
            first,
            late,
            gap,
            stray,
            _message("t", 0, 9, end),
            _message("t", 3, 11, end),
            _message("t", 1, 1, end),
            _message("t", 1, 0, KafkaError._TRANSPORT),
        ],
        positions,
    )
    found = {(batch.topic, batch.partition): (batch.start, batch.records, batch.next) for batch in batches}
    assert found == {("t", 0): (4, [first, gap], 9), ("t", 1): (2, [late], 3), ("t", 3): (9, [], 11)}
    assert positions == {("t", 0): 9, ("t", 1): 3, ("t", 3): 11}
    assert [error.code() for error, _ in errors] == [KafkaError._TRANSPORT]


def test_work_that_is_cancelled_before_its_first_step_leaves_nothing_behind() -> None:
    """No coroutine that was made and never awaited: Python would warn, and pytest fails by that warning."""

    async def come_and_go() -> None:
        spec = StageSpec(name="x", inputs=("x.a",), changelog="x.c", task=CopierTask, group="x")
        engine = Engine(
            spec, settings_of("127.0.0.1:1", "w"), clock=FixedClock(0), metrics=NoMetrics(), poller=lambda: None
        )
        engine.start()
        await engine.stop()
        assert not engine.checked.is_set()

    asyncio.run(come_and_go())
    gc.collect()
