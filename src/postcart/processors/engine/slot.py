"""One partition number of a stage on this worker: its task, where it stands, what it owns.

Owns: when a task may run. Must not: talk to Kafka.
"""

from collections.abc import Iterable, Mapping
from typing import Literal

from postcart.processors.engine.crashes import Crashes
from postcart.processors.engine.task import Effects, Output, Task
from postcart.processors.engine.tide import Tide

Phase = Literal["waiting", "restoring", "running", "closed"]


class Slot:
    """Lives from the first assignment of one of its partitions until one of them is given up.

    ``waiting`` until all of the stage's input partitions of this number are owned; ``restoring`` while the changelog
    is read; ``running``; ``closed`` for good: a later assignment makes a new slot.
    """

    def __init__(self, number: int, inputs: tuple[str, ...]) -> None:
        self.number = number
        self.phase: Phase = "waiting"
        self.owned: set[str] = set()
        self.tides: dict[str, Tide] = {}
        self.committed: dict[str, int] = {}
        """Position per input topic as the group knows it."""
        self.crashes = Crashes()
        self.letters: list[Output] = []
        """Dead letters of records that were set aside, to be written."""
        self._inputs = inputs
        self._task: Task | None = None

    @property
    def complete(self) -> bool:
        """Whether every input partition of this number is owned."""
        return len(self.owned) == len(self._inputs)

    @property
    def task(self) -> Task:
        """The task; only while restoring or running."""
        if self._task is None:
            raise RuntimeError(f"slot {self.number} is {self.phase}")
        return self._task

    def restoring(self, task: Task) -> None:
        """Begin to restore this task."""
        self._task = task
        self.phase = "restoring"

    def run(self, positions: dict[str, int], now_s: float, until: Mapping[str, int] | None = None) -> None:
        """Begin to process, at these positions; ``until`` where there have been crashes, see ``Crashes.begin``."""
        self.tides = {topic: Tide(position, now_s) for topic, position in positions.items()}
        self.committed = dict(positions)
        self.crashes.begin(until or {})
        self.phase = "running"

    def close(self) -> None:
        """Let go of the task and all it holds; what it did not hand over is forgotten with it."""
        self.phase = "closed"
        if self._task is not None:
            self._task.close()
            self._task = None

    def excuse(self, now_s: float) -> None:
        """Don't count it as standing still that inputs have not moved up to now."""
        for tide in self.tides.values():
            tide.moved_at = now_s

    def advance(self, now_ms: int | None) -> bool:
        """Let the task fire what is due; whether more is."""
        idle = {topic: tide.idle for topic, tide in self.tides.items() if tide.idle is not None}
        return self.task.advance(idle, now_ms)

    def positions(self) -> dict[str, int]:
        """Next position per input topic."""
        return {topic: tide.position for topic, tide in self.tides.items()}

    def harvest(self) -> "Harvest | None":
        """What is to be written for this slot since the last time; ``None`` if nothing."""
        drained = self.task.drain()
        letters, self.letters = self.letters, []
        effects = Effects(drained.outputs + letters, drained.rows + self.crashes.take_changed())
        positions = self.positions()
        if not effects.outputs and not effects.rows and positions == self.committed:
            return None
        return Harvest(self, effects, positions)


class Harvest:
    """A slot's part of one transaction: kept until it is committed."""

    __slots__ = ("effects", "positions", "slot")

    def __init__(self, slot: Slot, effects: Effects, positions: dict[str, int]) -> None:
        self.slot = slot
        self.effects = effects
        self.positions = positions


def offsets_of(harvests: Iterable[Harvest]) -> dict[tuple[str, int], int]:
    """Next position of every input partition that the harvests touch."""
    return {
        (topic, harvest.slot.number): position for harvest in harvests for topic, position in harvest.positions.items()
    }
