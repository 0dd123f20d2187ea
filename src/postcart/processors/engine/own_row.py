"""Finds the one row among changelog records that belongs to somebody other than the task's rows.

Owns: that of several such records the last counts. Must not: read them.
"""

from collections.abc import Sequence

from postcart.processors.engine.task import Row


def own_row(rows: Sequence[Row], key: bytes) -> tuple[Row | None, Sequence[Row]]:
    """The last record with this key, if there is one, and all records with other keys."""
    others = [row for row in rows if row[0] != key]
    found = next(row for row in reversed(rows) if row[0] == key) if len(others) < len(rows) else None
    return found, others
