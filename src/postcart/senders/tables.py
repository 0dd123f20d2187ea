"""Whole copies of the compacted topics that every sender needs: the catalogue and the suppressions.

Owns: their compact form, and how fresh they are. Must not: read a topic, or judge.

Filled on the reader's thread, asked on the event loop: single operations on dicts and attributes need no lock. A record
that can't be read is counted and passed over: what was known before stays. Of a key the last record counts, as after
compaction; a replay also keeps the earlier ones, because there a message is judged by its due time.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Protocol

import msgspec
from msgspec import Struct

from postcart.codecs.shop_events import ShopEventDecoder
from postcart.errors import UnreadableRecord
from postcart.events.shop import VariantUpdated, time_ms
from postcart.events.suppressions import suppression_key
from postcart.senders.goods import Variant

TopicPartition = tuple[str, int]
_MARKS_MOST = 240


class Table(Protocol):
    """A copy of one topic."""

    malformed: int
    """Records that could not be read."""

    def record(self, key: bytes | None, value: bytes | None) -> None:
        """Take in a record; None removes what was there."""


class _Versions:
    """Per key the last record, packed; with ``history`` also those before it."""

    def __init__(self, *, history: bool) -> None:
        self._last: dict[bytes, bytes] = {}
        self._earlier: dict[bytes, list[bytes]] | None = {} if history else None

    def __len__(self) -> int:
        return len(self._last)

    def put(self, key: bytes, packed: bytes) -> None:
        if self._earlier is not None and (former := self._last.get(key)) is not None:
            self._earlier.setdefault(key, []).append(former)
        self._last[key] = packed

    def remove(self, key: bytes) -> None:
        self._last.pop(key, None)
        if self._earlier is not None:
            self._earlier.pop(key, None)

    def of(self, key: bytes) -> list[bytes]:
        """From the last one on backwards."""
        last = self._last.get(key)
        if last is None:
            return []
        return [last] if self._earlier is None else [last, *reversed(self._earlier.get(key, []))]


class _PackedVariant(Struct, frozen=True, gc=False, array_like=True):
    at_ms: int
    unit_price: Decimal
    currency: str | None
    stock: int | None


class _PackedSuppression(Struct, frozen=True, gc=False, array_like=True):
    at_ms: int
    reason: str


class _SuppressionRecord(Struct, frozen=True, gc=False, kw_only=True):
    """A record of ``suppressions`` as far as the gate needs it; a reason that a later release adds stops everything."""

    contact_id: str
    channel: str
    reason: str
    at_ms: int


_pack = msgspec.msgpack.Encoder().encode
_variant = msgspec.msgpack.Decoder(_PackedVariant).decode
_suppression = msgspec.msgpack.Decoder(_PackedSuppression).decode
_suppression_record = msgspec.json.Decoder(_SuppressionRecord).decode


class Catalogue:
    """Price and stock of every variant, some 250 bytes each.

    Args:
        decoder: Of ``shop.catalog``.
        history: Keep what a variant was before, for a replay.
    """

    def __init__(self, decoder: ShopEventDecoder, *, history: bool = False) -> None:
        self._decode = decoder.decode
        self._variants = _Versions(history=history)
        self.malformed = 0

    def __len__(self) -> int:
        return len(self._variants)

    def record(self, key: bytes | None, value: bytes | None) -> None:
        """Take in a record of ``shop.catalog``.

        Raises:
            RegistryUnavailable: It can't be read now; nothing was changed.
        """
        try:
            event = self._decode(key, value)
        except UnreadableRecord:
            self.malformed += 1
            return
        if event is None:
            self._variants.remove(key or b"")
        elif isinstance(event, VariantUpdated):
            packed = _PackedVariant(time_ms(event), event.unit_price, event.currency, event.stock)
            self._variants.put(event.variant_id.encode(), _pack(packed))

    def variant(self, variant_id: str, *, until_ms: int | None = None) -> Variant | None:
        """What is known of a variant, in a replay at that moment of event time; None if nothing."""
        for packed in self._variants.of(variant_id.encode()):
            found = _variant(packed)
            if until_ms is None or found.at_ms <= until_ms:
                return Variant(found.unit_price, found.currency, found.stock)
        return None


class Suppressions:
    """Contact points that get no messages, some 200 bytes each.

    Args:
        history: Keep what was said before, for a replay.
    """

    def __init__(self, *, history: bool = False) -> None:
        self._reasons = _Versions(history=history)
        self.malformed = 0

    def __len__(self) -> int:
        return len(self._reasons)

    def record(self, key: bytes | None, value: bytes | None) -> None:
        """Take in a record of ``suppressions``; None lifts it."""
        if key is None:
            self.malformed += 1
            return
        if value is None:
            self._reasons.remove(key)
            return
        try:
            found = _suppression_record(value)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self.malformed += 1
            return
        if key != suppression_key(found.channel, found.contact_id):
            self.malformed += 1
            return
        self._reasons.put(key, _pack(_PackedSuppression(found.at_ms, found.reason)))

    def reason(self, channel: str, contact_id: str, *, until_ms: int | None = None) -> str | None:
        """Why this contact point is suppressed, in a replay at that moment of event time; None if it is not."""
        for packed in self._reasons.of(suppression_key(channel, contact_id)):
            found = _suppression(packed)
            if until_ms is None or found.at_ms <= until_ms:
                return found.reason
        return None


class Proof:
    """How fresh copies are: to which watermarks all partitions have been read, and when these were asked for."""

    def __init__(self) -> None:
        self._read: dict[TopicPartition, int] = {}
        self._marks: deque[tuple[float, Mapping[TopicPartition, int], int]] = deque(maxlen=_MARKS_MOST)
        self._proven_s: float | None = None

    def expect(self, partitions: Iterable[TopicPartition]) -> None:
        """These are to be read. On the reader's thread, before the first of them was."""
        self._read = dict.fromkeys(partitions, 0)

    def reached(self, partition: TopicPartition, position: int) -> None:
        """A partition has been read up to here. On the reader's thread."""
        self._read[partition] = position

    def watermarks(self, asked_s: float, ends: Mapping[TopicPartition, int]) -> None:
        """High watermarks of *all* partitions, asked for at that moment of elapsed time."""
        self._marks.append((asked_s, ends, sum(self._read.values())))

    @property
    def proven_s(self) -> float | None:
        """When the latest watermarks that have been reached were asked for; None: there are none yet."""
        while self._marks and all(self._read.get(tp, 0) >= end for tp, end in self._marks[0][1].items()):
            self._proven_s = self._marks.popleft()[0]
        return self._proven_s

    @property
    def stalled(self) -> bool:
        """Whether nothing was read over many answers of the broker, although there was something to read."""
        _ = self.proven_s
        return len(self._marks) == _MARKS_MOST and self._marks[0][2] == sum(self._read.values())


class Tables:
    """All copies of one sender.

    Args:
        catalog: Reads ``shop.catalog``.
        history: Keep what was said before, for a replay.
    """

    def __init__(self, catalog: ShopEventDecoder, *, history: bool) -> None:
        self.catalogue = Catalogue(catalog, history=history)
        self.suppressions = Suppressions(history=history)
        self.proof = Proof()

    def age_s(self, now_s: float) -> float | None:
        """How long ago the watermarks were asked for up to which everything has been read; None: not read yet."""
        proven_s = self.proof.proven_s
        return None if proven_s is None else now_s - proven_s

    def covers(self, read_s: float) -> bool:
        """Whether everything has been read that was there at that moment of elapsed time."""
        proven_s = self.proof.proven_s
        return proven_s is not None and proven_s > read_s
