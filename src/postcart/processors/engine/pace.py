"""How many records a batch may have.

Owns: that policy. Must not: read a clock, or fetch.
"""

_WEIGHT = 0.2
_FIRST, _LEAST = 4_000, 500
_TELLING = 100
"""Smaller batches say little about what a record takes."""


class Pace:
    """As many as are folded in a given time, as measured.

    The larger a batch, the cheaper its records: those of one key are folded together, and its row is found and written
    once. But nothing else happens on the loop meanwhile, commits included. Batches are large only while there is a
    backlog; a stage that keeps up gets what has come.

    Args:
        target_s: How long a batch may take.
        most: Never more records.
    """

    def __init__(self, target_s: float, *, most: int) -> None:
        self._target_s = target_s
        self._most = most
        self._record_s: float | None = None
        self.records = min(_FIRST, most)
        """How many, now."""

    def took(self, records: int, seconds: float) -> None:
        """A batch of so many took so long."""
        if records < _TELLING:
            return
        record_s, known = seconds / records, self._record_s
        self._record_s = record_s if known is None else known + _WEIGHT * (record_s - known)
        self.records = max(min(_LEAST, self._most), min(self._most, int(self._target_s / max(self._record_s, 1e-9))))
