"""All slots of a worker, kept in step with what it owns.

Owns: making and closing slots. Must not: talk to Kafka.
"""

from collections.abc import Iterator

from postcart.processors.engine.slot import Slot

Names = frozenset[tuple[str, int]]


class Roster:
    """Slots by partition number.

    Args:
        inputs: The stage's input topics.
    """

    def __init__(self, inputs: tuple[str, ...]) -> None:
        self._inputs = inputs
        self._slots: dict[int, Slot] = {}

    def __iter__(self) -> Iterator[Slot]:
        return iter(tuple(self._slots.values()))

    def __len__(self) -> int:
        return len(self._slots)

    def get(self, number: int) -> Slot | None:
        """The slot of this number, whatever its phase."""
        return self._slots.get(number)

    def running(self) -> list[Slot]:
        """Slots whose tasks process."""
        return [slot for slot in self._slots.values() if slot.phase == "running"]

    def own(self, partitions: Names) -> list[Slot]:
        """Take these in; returns the slots that are complete by that, in order of their numbers."""
        for topic, number in partitions:
            self._slots.setdefault(number, Slot(number, self._inputs)).owned.add(topic)
        numbers = sorted({number for _, number in partitions})
        return [slot for number in numbers if (slot := self._slots[number]).phase == "waiting" and slot.complete]

    def release(self, partitions: Names) -> list[tuple[str, int]]:
        """Close the slots of these; returns their other inputs that stay owned, which now wait for completion again."""
        left: list[tuple[str, int]] = []
        for number in {number for _, number in partitions}:
            slot = self._slots.pop(number, None)
            if slot is None:
                continue
            slot.close()
            kept = slot.owned - {topic for topic, partition in partitions if partition == number}
            if kept:
                self._slots[number] = successor = Slot(number, self._inputs)
                successor.owned = kept
                left += [(topic, number) for topic in kept]
        return left

    def close(self) -> None:
        """Close all."""
        for slot in self._slots.values():
            slot.close()
        self._slots.clear()
