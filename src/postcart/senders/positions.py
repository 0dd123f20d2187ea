"""Up to where a topic-partition's jobs are all claimed: the offset that may be committed.

Owns: that bookkeeping. Must not: know jobs, claims or Kafka.
"""

import heapq


class Positions:
    """Of one topic-partition. Records in line hold the committed offset back; claimed ones don't.

    Args:
        start: Position from which records are taken in.
    """

    def __init__(self, start: int) -> None:
        self.next = start
        """Position after everything that was taken in."""
        self._in_line: set[int] = set()
        self._heap: list[int] = []

    def __len__(self) -> int:
        return len(self._in_line)

    def __contains__(self, offset: int) -> bool:
        return offset in self._in_line

    def hold(self, offset: int) -> None:
        """Keep a record in line: it was taken in, or its claim was released. Idempotent."""
        if offset not in self._in_line:
            self._in_line.add(offset)
            heapq.heappush(self._heap, offset)

    def let_go(self, offset: int) -> None:
        """Count a record as dealt with: its claim or its outcome goes into the same transaction. Idempotent."""
        self._in_line.discard(offset)

    def move(self, following: int) -> None:
        """Note that everything below ``following`` was taken in."""
        self.next = max(self.next, following)

    def low_water(self) -> int:
        """The offset to commit: the first record in line, or the next to take in if that comes before.

        An earlier owner's job may be in line although what lies before it has not been taken in yet.
        """
        while self._heap and self._heap[0] not in self._in_line:
            heapq.heappop(self._heap)
        return min(self._heap[0], self.next) if self._heap else self.next
