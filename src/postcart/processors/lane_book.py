"""What one TRACK task knows of deliveries everywhere, and what it has to tell of its own.

Owns: the exchange of daily sums between tasks (topic ``lanes``), and their changelog records. Must not: learn by itself
(domain.track), or know a parcel.

Parcels are spread over tasks by number, lanes are not: so each task tells every partition what was delivered on a day,
once nothing of that day can follow. A prediction on day D uses the days up to D - 7, so a task folds day D when all
tasks have told day D - 7: one that is slow, or elsewhere for hours, holds nobody up. And every task learns the same.
"""

from collections.abc import Iterator, Sequence

import msgspec

from postcart.domain.track.estimate_days import DailyFit, DayTold, LearnedDays
from postcart.domain.track.estimate_model import LAG_DAYS, Fit, LaneModel
from postcart.domain.track.estimate_sums import Sums
from postcart.errors import StateError
from postcart.processors.engine.task import Output, Row

_VERSION = 1
_READABLE = (1, 2)
"""Release N reads what N+1 writes, so that an upgrade can be rolled back."""
_MARK = "!"
"""No parcel's key begins with it."""
_MODEL, _TOLD, _DAY, _OPEN = "!model", "!told", "!day/", "!open/"
_LANES_A_RECORD = 1_000
"""A record stays below what a broker takes by default."""


class LaneBook:
    """The lanes of one task.

    Args:
        topic: Where tasks tell each other.
        partition: Whose task it is.
        tasks: How many there are: partitions of the topic.
    """

    def __init__(self, topic: str, partition: int, tasks: int) -> None:
        self._topic = topic
        self._partition = partition
        self._tasks = tasks
        self._learned = LearnedDays()
        self._fits = DailyFit(self._learned)
        self._through: dict[int, int] = {}
        self._open: dict[int, Sums] = {}
        self._told = -1
        self._changed: set[str] = set()

    @property
    def last_day(self) -> int | None:
        """The last day that may be folded: all tasks have told what it needs. None: some have not told anything."""
        return min(self._through.values()) + LAG_DAYS if len(self._through) >= self._tasks else None

    def saw(self, record: DayTold) -> None:
        """A task, perhaps this one, told a day."""
        if record.sums is not None:
            day = max(record.day, self._learned.through + 1)
            self._learned.add(day, record.sums)
            self._changed.add(f"{_DAY}{day}")
        if record.through > self._through.get(record.task, -1):
            self._through[record.task] = record.through
            self._changed.add(_TOLD)

    def fit(self, day: int) -> Fit:
        """What is known on ``day``, which must not be after ``last_day``; days must not go back."""
        learned = [known for known in self._learned.days if known <= day - LAG_DAYS]
        if learned:
            self._changed |= {_MODEL, *(f"{_DAY}{known}" for known in learned)}
        return self._fits.on(day)

    def delivered(self, day: int, sums: Sums) -> None:
        """Deliveries of this task; of a day that was told already they are told with the next."""
        day = max(day, self._told + 1)
        self._open.setdefault(day, Sums()).add(sums)
        self._changed.add(f"{_OPEN}{day}")

    def tell(self, through: int) -> list[Output]:
        """What is to be told once nothing of the days up to ``through`` can follow; nothing if that was told."""
        if through <= self._told:
            return []
        records = []
        for day in sorted(day for day in self._open if day <= through):
            parts = _parts(self._open.pop(day))
            records += [DayTold(self._partition, self._told, day, part) for part in parts]
            self._changed.add(f"{_OPEN}{day}")
        records.append(DayTold(self._partition, through))
        self._told = through
        self._changed.add(_TOLD)
        encode = msgspec.json.Encoder().encode
        values = [encode(record) for record in records]
        return [Output(self._topic, None, value, number) for number in range(self._tasks) for value in values]

    def restore(self, rows: Sequence[Row]) -> Sequence[Row]:
        """Take these of changelog records, in order; returns the others.

        Raises:
            StateError: One was written by an unknown version.
        """
        mark = _MARK.encode()
        others = [row for row in rows if not row[0].startswith(mark)]
        if len(others) < len(rows):
            for key, value in rows:
                if key.startswith(mark):
                    self._restore(key.decode(), value)
        return others

    def _restore(self, key: str, value: bytes | None) -> None:
        if value is not None and value[0] not in _READABLE:
            raise StateError(f"row {key!r} was written by version {value[0]}: start the newer release")
        body = None if value is None else memoryview(value)[1:]
        try:
            self._take(key, body)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise StateError(f"row {key!r} can't be read: {error}") from error

    def restored(self) -> None:
        """The changelog was read to its end."""
        self._fits = DailyFit(self._learned)

    def take_changed(self) -> list[Row]:
        """Changelog records of what changed since the last call."""
        changed, self._changed = sorted(self._changed), set()
        return [(key.encode(), self._encoded(key)) for key in changed]

    def _take(self, key: str, body: memoryview | None) -> None:
        decode = msgspec.msgpack.decode
        if key == _MODEL and body is not None:
            self._learned.model, self._learned.through = decode(body, type=tuple[LaneModel, int])
        elif key == _TOLD and body is not None:
            self._through, self._told = decode(body, type=tuple[dict[int, int], int])
        elif key.startswith((_DAY, _OPEN)):
            sums = self._learned.days if key.startswith(_DAY) else self._open
            day = int(key.rpartition("/")[2])
            if body is None:
                sums.pop(day, None)
            else:
                sums[day] = decode(body, type=Sums)

    def _encoded(self, key: str) -> bytes | None:
        value: object
        if key == _MODEL:
            value = (self._learned.model, self._learned.through)
        elif key == _TOLD:
            value = (self._through, self._told)
        else:
            sums = self._learned.days if key.startswith(_DAY) else self._open
            value = sums.get(int(key.rpartition("/")[2]))
        return None if value is None else bytes([_VERSION]) + msgspec.msgpack.encode(value)


def _parts(sums: Sums) -> Iterator[Sums]:
    """Sums that come to the same, none with too many lanes."""
    lanes = sorted(sums.lanes)
    yield Sums(sums.products, sums.outcomes, {lane: sums.lanes[lane] for lane in lanes[:_LANES_A_RECORD]},
               sums.level, sums.spread)  # fmt: skip
    for begin in range(_LANES_A_RECORD, len(lanes), _LANES_A_RECORD):
        yield Sums(lanes={lane: sums.lanes[lane] for lane in lanes[begin : begin + _LANES_A_RECORD]})
