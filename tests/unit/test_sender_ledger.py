"""A transaction of unknown outcome: what the committed offsets tell."""

import asyncio
from typing import Any

import pytest

from postcart.errors import Fenced
from postcart.senders.ledger import Ledger, Partitions
from postcart.senders.metrics import NoMetrics

JOBS = ("jobs", 0)


def took_place(found: int, *, offset: int, before: int) -> bool:
    """What a ledger makes of a committed offset ``found``."""
    unused: Any = None

    async def committed(wanted: Partitions) -> dict[tuple[str, int], int | None]:
        return dict.fromkeys(wanted, found)

    async def ask() -> bool:
        ledger = Ledger(unused, committed=committed, poller=unused, metrics=NoMetrics())
        try:
            return await ledger._took_place({JOBS: offset}, {JOBS: before})
        finally:
            ledger.stop()

    return asyncio.run(ask())


def test_moved_offsets_tell() -> None:
    """Also where they went back: a released job's offset is committed again."""
    assert took_place(7, offset=7, before=5)
    assert not took_place(5, offset=7, before=5)
    assert took_place(3, offset=3, before=5)


@pytest.mark.parametrize(("found", "offset", "before"), [(5, 5, 5), (9, 7, 5)])
def test_where_they_do_not_tell_the_process_ends(found: int, offset: int, before: int) -> None:
    """Receipts alone move no offset, and a third value is somebody else's: nothing is written on a guess."""
    with pytest.raises(Fenced):
        took_place(found, offset=offset, before=before)
