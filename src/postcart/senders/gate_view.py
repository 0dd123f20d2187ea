"""What one partition's gate and keys say, as far as they have been read.

Owns: the compact maps (records rest encoded), and how fresh they are. Must not: read a topic, or judge.

Filled on the reader's thread, asked on the event loop: single operations on dicts and attributes need no lock.
"""

from collections import deque

import msgspec

from postcart.events.gate import GatePerson, GateProgress, GateRecord
from postcart.senders.freshness import Freshness

_decode = msgspec.json.Decoder(GateRecord).decode
_PROGRESS = b'{"type":"progress"'
_MARKS_MOST = 240


class GateView:
    """Of one partition number."""

    def __init__(self) -> None:
        self._people: dict[bytes, bytes] = {}
        self._keys: dict[bytes, bytes] = {}
        self._orders_read_ms: int | None = None
        self._carts_read_ms: int | None = None
        self._read_to = {"gate": 0, "keys": 0}
        self._marks: deque[tuple[float, int, int]] = deque(maxlen=_MARKS_MOST)
        self._gate_read_s: float | None = None
        self._keys_end: int | None = None
        self.malformed = 0
        """Records of the gate that could not be decoded; whoever they concern is unknown."""

    def __len__(self) -> int:
        return len(self._people)

    # -- on the reader's thread -------------------------------------------------------------------------------------

    def gate_record(self, key: bytes | None, value: bytes | None) -> None:
        """Take in a record of ``gate``; None removes the person."""
        if value is not None and value.startswith(_PROGRESS):
            self._progress(value)
        elif key is not None:
            _put(self._people, key, value)

    def key_record(self, key: bytes | None, value: bytes | None) -> None:
        """Take in a wrapped per-person key; None destroys it."""
        if key is not None:
            _put(self._keys, key, value)

    def gate_position(self, position: int) -> None:
        """The gate has been read up to here."""
        self._read_to["gate"] = position

    def keys_position(self, position: int) -> None:
        """The keys have been read up to here."""
        self._read_to["keys"] = position

    # -- on the event loop ------------------------------------------------------------------------------------------

    def watermarks(self, *, asked_s: float, gate: int | None, keys: int | None) -> None:
        """High watermarks that were asked for at ``asked_s``, on the elapsed-time clock."""
        if gate is not None:
            self._marks.append((asked_s, gate, self._read_to["gate"]))
        if self._keys_end is None:
            self._keys_end = keys

    @property
    def loaded(self) -> bool:
        """Whether both topics have been read up to a watermark that was asked for since the beginning."""
        self._advance()
        return self._gate_read_s is not None and self._keys_end is not None and self._read_to["keys"] >= self._keys_end

    def covers(self, read_s: float) -> bool:
        """Whether the gate has been read to a watermark that was asked for after that moment of elapsed time."""
        self._advance()
        return self._gate_read_s is not None and self._gate_read_s > read_s

    @property
    def stalled(self) -> bool:
        """Whether nothing was read over many answers of the broker, although there was something to read."""
        self._advance()
        return len(self._marks) == _MARKS_MOST and self._marks[0][2] == self._read_to["gate"]

    def freshness(self, *, now_s: float, real_ms: int) -> Freshness:
        """How old this knowledge is, at that moment of elapsed and of real time."""
        self._advance()
        gate_age_s = None if self._gate_read_s is None else now_s - self._gate_read_s
        orders_age_ms = None if self._orders_read_ms is None else real_ms - self._orders_read_ms
        carts_age_ms = 0 if self._carts_read_ms is None else real_ms - self._carts_read_ms
        return Freshness(gate_age_s, orders_age_ms, carts_age_ms)

    def person(self, person_id: str) -> GatePerson | None:
        """What the gate says about a person; None if nothing."""
        value = self._people.get(person_id.encode())
        if value is None:
            return None
        try:
            record = _decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self.malformed += 1
            return None
        return record if isinstance(record, GatePerson) else None

    def wrapped_key(self, person_id: str) -> bytes | None:
        """The person's wrapped key, if it has been read and not been destroyed."""
        return self._keys.get(person_id.encode())

    def _progress(self, value: bytes) -> None:
        try:
            record = _decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self.malformed += 1
            return
        if isinstance(record, GateProgress):
            self._orders_read_ms, self._carts_read_ms = record.orders_read_ms, record.carts_read_ms

    def _advance(self) -> None:
        position = self._read_to["gate"]
        while self._marks and self._marks[0][1] <= position:
            self._gate_read_s = self._marks.popleft()[0]


def _put(where: dict[bytes, bytes], key: bytes, value: bytes | None) -> None:
    if value is None:
        where.pop(key, None)
    else:
        where[key] = value
