"""How many dead letters wait, by topic and reason, kept up to date at the cost of what is new.

Owns: that count. Must not: write, or keep contents.

The topic is read once from its beginning, then from where the last reading ended. A letter that was redriven, or that
retention took away, waits no more. Memory: about 200 bytes for each letter that waits.
"""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from postcart.adapters.dead_letters.scanning import Scan, Starts, watermarks
from postcart.codecs.dead_letters import Edited, LetterHead, Redriven, decode_head
from postcart.errors import UnreadableRecord

Group = tuple[str, str]
"""Topic of origin, reason."""

_LOOK_FOR_EXPIRED_EVERY: Final = 40
"""Updates: ten minutes at the exporter's pace; retention is 30 days."""


class PendingLetters:
    """The count.

    Args:
        client: librdkafka's properties of a client.
        topic: Of the dead letters.
    """

    def __init__(self, client: Mapping[str, Any], topic: str) -> None:
        self._client, self._topic = client, topic
        self._starts: Starts | None = None
        self._places: dict[bytes, tuple[int, int, int]] = {}
        self._numbers: dict[Group, int] = {}
        self._counts: list[int] = []
        self._updates = 0

    def update(self) -> Mapping[Group, int]:
        """Read what is new and return how many wait now; groups that once had some stay, with 0.

        Raises:
            BrokerUnavailable: Kafka can't be read; what was read counts all the same, once.
            TopologyError: There is no such topic.
        """
        scan = Scan(self._client, self._topic, starts=self._starts)
        read = dict(self._starts or {})
        orphans: set[bytes] = set()  # in topics of earlier releases a mark may be read before its letter
        for message in scan:
            partition, offset = message.partition() or 0, message.offset() or 0
            if offset < read.get(partition, 0):
                continue
            read[partition] = offset + 1
            self._starts = read
            self._take(message.value() or b"", partition, offset, orphans)
        self._starts = scan.ends
        for mark in orphans:
            self._settle(mark)
        if self._updates % _LOOK_FOR_EXPIRED_EVERY == 0:
            self._expire()
        self._updates += 1
        return {group: self._counts[number] for group, number in self._numbers.items()}

    def _take(self, value: bytes, partition: int, offset: int, orphans: set[bytes]) -> None:
        try:
            record = decode_head(value)
        except UnreadableRecord:
            return  # no record of ours: `postcart dead list` tells of it
        if isinstance(record, LetterHead):
            self._add(_compact(record.id), (record.topic, record.reason), partition, offset)
        elif isinstance(record, Redriven | Edited):
            mark = _compact(record.id)
            if not self._settle(mark):
                orphans.add(mark)

    def _add(self, letter: bytes, group: Group, partition: int, offset: int) -> None:
        if letter in self._places:
            return
        number = self._numbers.setdefault(group, len(self._numbers))
        if number == len(self._counts):
            self._counts.append(0)
        self._counts[number] += 1
        self._places[letter] = (number, partition, offset)

    def _settle(self, letter: bytes) -> bool:
        place = self._places.pop(letter, None)
        if place is not None:
            self._counts[place[0]] -= 1
        return place is not None

    def _expire(self) -> None:
        first = {number: low for number, (low, _) in watermarks(self._client, self._topic).items()}
        gone = [letter for letter, (_, number, offset) in self._places.items() if offset < first.get(number, 0)]
        for letter in gone:
            self._settle(letter)


def _compact(letter_id: str) -> bytes:
    """16 bytes where the id is a UUID, as all of ours are."""
    try:
        return UUID(letter_id).bytes
    except ValueError:
        return letter_id.encode()
