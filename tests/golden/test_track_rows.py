"""TRACK's rows that a release has written can be read for ever: their bytes, by version.

``PYTHONPATH=tests python tests/golden/test_track_rows.py`` writes the files of the current version that are missing.
"""

import sys
from pathlib import Path

import msgspec
import pytest

from parcels import COMMON, KEY, MONDAY, estimate, hours, scan, weekdays
from postcart.domain.track import fold
from postcart.domain.track.estimate_days import DayTold
from postcart.domain.track.estimate_model import NO_FIT
from postcart.domain.track.estimate_sums import Sums
from postcart.domain.track.outcome import Context, Tracked
from postcart.domain.track.parcel import Parcel
from postcart.domain.track.rules import Polling, Rules
from postcart.events.shipments import ParcelLine, ParcelRegistered, Place
from postcart.events.times import DAY_MS, from_ms
from postcart.processors.lane_book import LaneBook
from postcart.processors.rows import RowStore
from postcart.processors.track import ROW_VERSION

FOLDER = Path(__file__).parent / "track_rows"
BOOK_VERSION = 1


def registration() -> ParcelRegistered:
    """With every field."""
    return ParcelRegistered(
        id="r1",
        time=from_ms(MONDAY),
        **COMMON,
        order_id="o1",
        person_id="p1",
        lines=(ParcelLine(variant_id="v1", quantity=2, title="Oil"),),
        number=1,
        count=2,
        origin=Place(country="DE", site="w1"),
        destination=Place(country="BR", region="SP"),
        service="express",
        ordered_at=from_ms(MONDAY - DAY_MS),
        ready_at=MONDAY,
        promised_at=from_ms(MONDAY + DAY_MS),
    )


def parcel() -> Parcel:
    """On its way, late, with an exception behind it and a scan before it."""
    row = Parcel(key=KEY)
    events = [
        scan(MONDAY - 1, "info_received"),
        registration(),
        scan(hours(10), "picked_up"),
        scan(hours(20), "exception", reason="customs"),
        estimate(hours(21), MONDAY + 3 * DAY_MS),
        scan(hours(900), "delivered"),
    ]
    fold.arrive(row, events, Tracked())
    fold.advance(row, MONDAY + 9 * DAY_MS, Context(rules=Rules(), business_days=weekdays), Tracked())
    return row


def book() -> LaneBook:
    """A model, days that are not learned yet, and deliveries that are not told yet."""
    kept = LaneBook("lanes", 0, 2)
    sums = Sums()
    for _ in range(40):
        sums.observe(NO_FIT.forecast(registration(), MONDAY), MONDAY + 5 * DAY_MS)
    kept.saw(DayTold(1, 9, 10, sums))
    kept.saw(DayTold(1, 30))
    kept.saw(DayTold(0, 12, 12, sums))
    kept.fit(17)
    kept.delivered(14, sums)
    return kept


def store() -> RowStore[Parcel]:
    """Of parcels."""
    rules = Rules()
    return RowStore(
        Parcel, version=ROW_VERSION, deadline=lambda row: row.deadline_ms(rules), stays_decoded=lambda _: False
    )


def written(row: Parcel) -> bytes:
    """The bytes that the current release writes of a parcel."""
    rows = store()
    rows.save(KEY, row)
    [(_, value)] = rows.take_changed()
    assert value is not None
    return value


@pytest.mark.parametrize("file", sorted(FOLDER.glob("parcel.*.bin")), ids=lambda file: file.stem)
def test_parcels_of_every_released_version_are_read(file: Path) -> None:
    """To the same row as the current release makes."""
    rows = store()
    rows.restore([(KEY.encode(), file.read_bytes())])
    rows.restored()
    read, made = rows.load(KEY), parcel()
    assert read is not None
    assert {watch.level for watch in read.watches.values()} == {1, 2}
    made.indexed_ms = read.indexed_ms
    assert msgspec.to_builtins(read) == msgspec.to_builtins(made)


def polled() -> Parcel:
    """One whose carrier is asked, with every field of that."""
    row = Parcel(key=KEY)
    rules = Rules(polling=Polling(carriers=frozenset({"dhl"})))
    fold.arrive(row, [registration(), scan(hours(10), "available_for_pickup")], Tracked())
    for clock_ms, present_ms in ((hours(11), 0), (hours(12), 0), (hours(14), hours(40))):
        context = Context(rules=rules, business_days=weekdays, present_ms=present_ms)
        fold.advance(row, clock_ms, context, Tracked())
    return row


@pytest.mark.parametrize("file", sorted(FOLDER.glob("polled.*.bin")), ids=lambda file: file.stem)
def test_rounds_of_every_released_version_are_read(file: Path) -> None:
    """To the same round as the current release makes."""
    rows = store()
    rows.restore([(KEY.encode(), file.read_bytes())])
    rows.restored()
    read, made = rows.load(KEY), polled().poll
    assert read is not None
    assert made is not None
    assert read.poll == made
    assert (made.round, made.unchanged, made.put_off) == (2, 2, True)
    assert rows.next_deadline_ms() == made.due_ms == hours(40)


@pytest.mark.parametrize("file", sorted(FOLDER.glob("book.*.bin")), ids=lambda file: file.stem)
def test_books_of_every_released_version_are_read(file: Path) -> None:
    """To the same lanes."""
    read = LaneBook("lanes", 0, 2)
    rows = msgspec.msgpack.decode(file.read_bytes(), type=list[tuple[bytes, bytes | None]])
    parcel = (KEY.encode(), b"a row")
    assert read.restore([*rows, parcel]) == [parcel]
    read.restored()
    made = book()
    assert read.last_day == made.last_day == 12 + 7
    at_ms = 18 * DAY_MS
    assert read.fit(18).forecast(registration(), at_ms) == made.fit(18).forecast(registration(), at_ms)
    assert read.fit(18).ready
    assert read.tell(20) == made.tell(20)


def test_current_versions_have_their_bytes() -> None:
    """A new version without golden bytes would go unnoticed."""
    assert (FOLDER / f"parcel.v{ROW_VERSION}.bin").exists()
    assert (FOLDER / f"polled.v{ROW_VERSION}.bin").exists()
    assert (FOLDER / f"book.v{BOOK_VERSION}.bin").exists()


def main() -> None:
    """Write what is missing."""
    FOLDER.mkdir(exist_ok=True)
    for name, content in (
        (f"parcel.v{ROW_VERSION}.bin", written(parcel())),
        (f"polled.v{ROW_VERSION}.bin", written(polled())),
        (f"book.v{BOOK_VERSION}.bin", msgspec.msgpack.encode(book().take_changed())),
    ):
        if not (FOLDER / name).exists():
            (FOLDER / name).write_bytes(content)


if __name__ == "__main__":
    sys.exit(main())
