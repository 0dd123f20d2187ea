"""Postcart's own records (signals, receipts, consents): JSON of the structs in ``events``.

Owns: decoding them in batches, with dead letters for what can't be read. Must not: read shop events (shop_events
does).
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from confluent_kafka import Message

from postcart.codecs.dead_letters import DeadLetter, dead_letter
from postcart.codecs.refusal import UNREADABLE, unreadable


class RecordDecoder:
    """Decodes the records of one internal topic.

    Args:
        kind: A msgspec struct, or a union of tagged ones.
        stage: Who reads; written into dead letters.
    """

    def __init__(self, kind: Any, *, stage: str) -> None:
        self._decode = msgspec.json.Decoder(kind).decode
        self._stage = stage

    def decode_batch(self, messages: Sequence[Message]) -> tuple[list[Any], list[DeadLetter]]:
        """The records in their order, and a dead letter for each that is none; tombstones are passed over."""
        records: list[Any] = []
        letters: list[DeadLetter] = []
        decode = self._decode
        for message in messages:
            value = message.value()
            if value is None:
                continue
            try:
                records.append(decode(value))
            except UNREADABLE as error:
                letters.append(dead_letter(message, unreadable(error), stage=self._stage))
        return records, letters
