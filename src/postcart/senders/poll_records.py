"""What comes of questions to carriers, as records: events on shop.shipments, dead letters.

Owns: their keys and places. Must not: write them.
"""

from collections.abc import Sequence

from postcart.adapters.record_log import LogRecord
from postcart.codecs import dead_letters
from postcart.codecs.dead_letters import DeadLetter
from postcart.codecs.shop_events import ShopEventEncoder
from postcart.events.shipments import CarrierEvent


class PollRecords:
    """Makes them. ``shipments`` and ``dead`` are topics."""

    def __init__(self, shipments: str, dead: str) -> None:
        self._shipments = shipments
        self._dead = dead
        self._encoder = ShopEventEncoder()

    def of(self, events: Sequence[CarrierEvent], letters: Sequence[DeadLetter]) -> list[LogRecord]:
        """In this order."""
        records = []
        for event in events:
            _subject, key, value = self._encoder.encode(event)
            records.append(LogRecord(self._shipments, key=key, value=value, partition_key=key))
        for letter in letters:
            name, content = dead_letters.encode(letter)
            place = name or letter.id.encode()
            records.append(LogRecord(self._dead, key=place, value=content, partition_key=place))
        return records
