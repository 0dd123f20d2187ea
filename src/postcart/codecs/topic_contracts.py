"""What a topic's records must be, for whoever mends one by hand.

Owns: the shape of that contract and its verdict on bytes. Must not: know which topics there are.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from postcart.codecs.avro_schemas import SchemaSource
from postcart.codecs.field_problems import FieldProblem, field_problems
from postcart.codecs.payload_forms import taken_apart
from postcart.codecs.refusal import UNREADABLE, unreadable
from postcart.codecs.sanity import problem_of
from postcart.codecs.shop_subjects import Subject
from postcart.errors import UnreadableRecord
from postcart.events.jobs import Job
from postcart.events.shop import ProductViewed, SessionStarted, ShopEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicContract:
    """How the stage reads the topic.

    Attributes:
        topic: With its prefix.
        kind: Struct, or union of tagged structs, of its records.
        decode: Key and value → the record, as the stage itself decodes it; raises ``UnreadableRecord``.
        key_field: The field whose text is the record's key; None: the key is free.
        kept: Fields that an edit may not change if the original had them: they are what repeats are known by.
        subject: Of the shop's schemas; None for Postcart's own records, which are JSON.
        registry: Where schemas of the wire format come from.
        personal: Whether its records hold contact data.
        compacted: Whether only the latest record of a key counts.
    """

    topic: str
    kind: Any
    decode: Callable[[bytes | None, bytes | None], Any]
    key_field: str | None = None
    kept: tuple[str, ...] = ("id",)
    subject: Subject | None = None
    registry: SchemaSource | None = None
    personal: bool = False
    compacted: bool = False

    @property
    def is_jobs(self) -> bool:
        """Whether its records are jobs, which are sent again only as a revision."""
        return self.kind is Job

    def key_of(self, document: Any) -> bytes | None:
        """The key under which a document travels; None if it does not say."""
        name = document.get(self.key_field) if isinstance(document, dict) and self.key_field else None
        return name.encode() if isinstance(name, str) and name else None

    def field_problems(self, document: Any) -> list[FieldProblem]:
        """All that is wrong with the fields of a document, the bounds of times and amounts included."""
        return field_problems(document, self.kind, _beyond_its_type if self.subject else lambda _name, _value: None)

    def problems(self, key: bytes | None, value: bytes | None) -> list[FieldProblem]:
        """All that is wrong with a record now; empty if the stage would take it.

        Raises:
            RegistryUnavailable: The registry can't be asked now.
        """
        verdict = self.verdict(key, value)
        if verdict is None:
            return []
        document = taken_apart(value, self.subject, self.registry).document
        found = [] if document is None else self.field_problems(document)
        if verdict.reason.startswith("key_") and self.key_field:
            return [*found, FieldProblem(self.key_field, verdict.detail)]
        return found or [FieldProblem("", verdict.detail)]

    def verdict(self, key: bytes | None, value: bytes | None) -> UnreadableRecord | None:
        """Why the stage would set the record aside; None if it would take it.

        Raises:
            RegistryUnavailable: The registry can't be asked now.
        """
        try:
            self.decode(key, value)
        except UNREADABLE as error:
            return unreadable(error)
        return None


def _beyond_its_type(name: str, value: Any) -> str | None:
    """What the shop's decoder says of a field that has the right type, asked about an event that has little else."""
    if isinstance(value, Decimal):
        event: ShopEvent = ProductViewed(id="1", time=0, visitor_id="1", variant_id="1", unit_price=value)
        return (problem_of(event) or "").removeprefix("unit_price ") or None
    if name == "time" and isinstance(value, int | datetime):
        return (problem_of(SessionStarted(id="1", time=value, visitor_id="1")) or "").removeprefix("time ") or None
    return None


def job_of(value: bytes | None) -> Job | None:
    """The job of a value; None if it is none."""
    try:
        return None if value is None else _job(value)
    except UNREADABLE:
        return None


_job = msgspec.json.Decoder(Job).decode
