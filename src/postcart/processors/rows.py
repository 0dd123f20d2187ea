"""The rows of one partition: in memory, at rest as bytes, with an index of their deadlines.

Owns: loading, encoding, versions, tombstones and the order of deadlines. Must not: know what a row means, or Kafka.

A row at rest is ``version (1 byte) | deadline (8 bytes, big endian) | msgpack``: so that after a restore the index
is rebuilt without decoding a row. A row is encoded as it is saved, while all of it is in the processor's caches, or at
the commit, where many changes would each encode a large one; those that will be touched again soon stay decoded.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush
from struct import Struct
from typing import Generic, Protocol, TypeVar, cast

import msgspec

from postcart.errors import StateError
from postcart.processors.outlines import Waiting

_HEAD = 9
_deadline_at_rest = Struct(">xQ").unpack_from
_READABLE_AHEAD = 1
"""Release N reads rows of N+1, so that an upgrade can be rolled back."""


def never(_row: object) -> bool:
    """No row."""
    return False


class IndexedRow(Protocol):
    """A row that remembers under which deadline it stands in the index."""

    indexed_ms: int


R = TypeVar("R", bound=IndexedRow)


class RowStore(Generic[R]):
    """Rows of type ``R`` by key.

    Args:
        row_type: The msgspec struct of a row.
        version: The version that this release writes; it reads one more.
        deadline: The row's next deadline in milliseconds, event time.
        at_once: Whether to encode a row as it is saved; nobody may change it after that without saving it again.
        stays_decoded: Whether a row that is encoded at the commit is likely to be touched again soon.
        waiting: Counts what rows wait for; without it that is not counted.
        older: By version: how rows are read that this release's ``row_type`` can't read; they are written anew as they
            are restored.
    """

    def __init__(
        self,
        row_type: type[R],
        *,
        version: int,
        deadline: Callable[[R], int],
        stays_decoded: Callable[[R], bool],
        at_once: Callable[[R], bool] = never,
        waiting: Waiting | None = None,
        older: Mapping[int, Callable[[memoryview], R]] | None = None,
    ) -> None:
        self._rows: dict[str, R | bytes] = {}
        self._touched: dict[str, R | bytes | None] = {}
        self._heap: list[tuple[int, str]] = []
        self._decode = msgspec.msgpack.Decoder(row_type).decode
        self._encode = msgspec.msgpack.Encoder().encode
        self._version = version
        self._prefix = bytes([version])
        self._deadline = deadline
        self._stays_decoded = stays_decoded
        self._at_once = at_once
        self._waiting = waiting
        self._older = older or {}
        self._encoded_rows = self._encoded_bytes = 0

    @property
    def size_estimate(self) -> int:
        """Encoded size of all rows in bytes: their number by the mean of all that were written or restored here."""
        return len(self._rows) * self._encoded_bytes // self._encoded_rows if self._encoded_rows else 0

    def waiting(self) -> Mapping[str, int]:
        """How many rows wait for a deadline, by its kind."""
        return self._waiting.counts(len(self._rows)) if self._waiting else {}

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, key: str) -> bool:
        return key in self._rows

    def load(self, key: str) -> R | None:
        """The row, or None. Changes to it count once it is saved."""
        row = self._rows.get(key)
        if type(row) is not bytes:
            return row  # type: ignore[return-value]  # a struct or None
        decoded = self._rows[key] = self._decoded(key, row, self._decode)
        return decoded

    def save(self, key: str, row: R, *, sooner: bool = True) -> None:
        """Keep the row as it is now; it is written with the next ``take_changed``.

        Args:
            key: The row's.
            row: The row.
            sooner: False promises that its deadline is not before the one it is indexed under.
        """
        if sooner or not row.indexed_ms:
            deadline = self._deadline(row)
            if not row.indexed_ms or deadline < row.indexed_ms:
                row.indexed_ms = deadline
                heappush(self._heap, (deadline, key))
        self._rows[key] = self._touched[key] = self._at_rest(key, row) if self._at_once(row) else row

    def drop(self, key: str) -> None:
        """Forget the row; a tombstone is written."""
        self._rows.pop(key, None)
        self._touched[key] = None
        if self._waiting is not None:
            self._waiting.keep(key, None)

    def due(self, clock_ms: int, limit: int) -> Iterator[tuple[str, R]]:
        """Rows whose deadline is at or before ``clock_ms``, at most ``limit``; the caller saves or drops each.

        The index may hold a row too early (its deadline moved): it is put back at its place.
        """
        heap = self._heap
        while heap and heap[0][0] <= clock_ms and limit:
            indexed, key = heappop(heap)
            row = self._indexed_under(key, indexed)
            if row is None:
                continue
            row.indexed_ms = 0
            deadline = self._deadline(row)
            if deadline > clock_ms:
                row.indexed_ms = deadline
                heappush(heap, (deadline, key))
                continue
            limit -= 1
            yield key, row

    def _indexed_under(self, key: str, indexed_ms: int) -> R | None:
        """The row if it stands under this deadline; of one at rest that is told without decoding it."""
        known = self._rows.get(key)
        if type(known) is bytes and known[1:_HEAD] != indexed_ms.to_bytes(8, "big"):
            return None
        row = self.load(key)
        return row if row is not None and row.indexed_ms == indexed_ms else None

    def next_deadline_ms(self) -> int | None:
        """A lower bound of the earliest deadline; None without rows."""
        return self._heap[0][0] if self._heap else None

    def take_changed(self) -> list[tuple[bytes, bytes | None]]:
        """Changelog records of what changed since the last call, each row once; rows come to rest."""
        changed: list[tuple[bytes, bytes | None]] = []
        for key, row in self._touched.items():
            if row is None or isinstance(row, bytes):
                changed.append((key.encode(), row))
                continue
            value = self._at_rest(key, row)
            changed.append((key.encode(), value))
            if not self._stays_decoded(row):
                self._rows[key] = value
        self._touched.clear()
        return changed

    def _at_rest(self, key: str, row: R) -> bytes:
        value = self._encoded(row)
        self._encoded_rows += 1
        self._encoded_bytes += len(value)
        waiting = self._waiting
        if waiting is not None and (kind := waiting.kind(row)) is not waiting.known.get(key):
            waiting.keep(key, kind)
        return value

    def _encoded(self, row: R) -> bytes:
        return self._prefix + row.indexed_ms.to_bytes(8, "big") + self._encode(row)

    @property
    def has_changes(self) -> bool:
        """Whether a row was saved or dropped since the last ``take_changed``."""
        return bool(self._touched)

    def restore(self, records: Sequence[tuple[bytes, bytes | None]]) -> None:
        """Take changelog records in order; a later one replaces the earlier.

        Raises:
            StateError: A row of an unknown version: it is never reset.
        """
        rows, newest = self._rows, self._version + _READABLE_AHEAD
        unknown = bytes([newest + 1])  # compared as bytes: what begins with a version beyond is not before it
        for key, value in records:
            if value is None:
                rows.pop(key.decode(), None)
            elif value < unknown and len(value) > _HEAD:
                rows[key.decode()] = value
            else:
                raise StateError(
                    f"row {key!r} was written by version {int.from_bytes(value[:1])}, this release reads up to "
                    f"{newest}: start the newer release"
                )

    def restored(self, also: Callable[[Mapping[str, bytes], int], None] | None = None) -> None:
        """Rebuild the index after the last restored record, before any row is loaded.

        ``also``: told of the rows as well: by key, each encoded from that place on.
        """
        at_rest = cast("dict[str, bytes]", self._rows)
        for version, read in self._older.items():
            self._read_anew(at_rest, version, read)
        self._heap = [(_deadline_at_rest(value)[0], key) for key, value in at_rest.items()]
        heapify(self._heap)
        self._encoded_rows, self._encoded_bytes = len(at_rest), sum(map(len, at_rest.values()))
        if self._waiting is not None:
            self._waiting.saw_at_rest(at_rest, _HEAD)
        if also is not None:
            also(at_rest, _HEAD)

    def _read_anew(self, rows: dict[str, bytes], version: int, read: Callable[[memoryview], R]) -> None:
        """Bring rows of an older version into today's form; they stay so, but are written only once they change."""
        old = bytes([version])
        for key in [key for key, value in rows.items() if value.startswith(old)]:
            rows[key] = self._encoded(self._decoded(key, rows[key], read))

    def keys(self) -> Iterable[str]:
        """Keys of all rows."""
        return self._rows.keys()

    def _decoded(self, key: str, value: bytes, decode: Callable[[memoryview], R]) -> R:
        try:
            return decode(memoryview(value)[_HEAD:])
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise StateError(f"row {key!r} can't be read: {error}") from error
