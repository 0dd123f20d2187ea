"""Records of Postcart's own topics as facts of the read model: one row each, with the ids by which it is found.

Owns: which record becomes which fact, and what of it is kept: ids and reasons, no contact point and no body. Must not:
store anything, or judge.
"""

from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple

import msgspec
from confluent_kafka import Message
from msgspec import Struct, structs

from postcart.codecs.marks import ClaimMark, EndMark, ItemMark, JobMark, KeyMark, Mark, StateMark
from postcart.codecs.refusal import UNREADABLE, unreadable
from postcart.events.decisions import (
    AbandonmentDecided,
    DecisionRecord,
    EpisodeTold,
    Judged,
    StepCancelled,
    StepDecision,
    StepDue,
    StepPlanned,
)
from postcart.events.feed import FeedItem, FeedMark, FeedRecord
from postcart.events.jobs import Claim, DeliveryReport, Job, Receipt, ReceiptRecord
from postcart.events.milestones import Cleared, Delay, EstimateChanged, Milestone, ParcelDecision
from postcart.events.times import to_ms

FactRecord = (
    AbandonmentDecided
    | StepPlanned
    | StepDue
    | StepCancelled
    | Judged
    | EpisodeTold
    | ParcelDecision
    | Job
    | Claim
    | Receipt
    | DeliveryReport
)
FactKind = Literal[
    "abandonment",
    "planned",
    "due",
    "cancelled",
    "judged",
    "episode",
    "milestone",
    "estimate",
    "delay",
    "cleared",
    "job",
    "claim",
    "receipt",
    "report",
    "unreadable",
]
Source = Literal["decisions", "jobs", "claims", "receipts", "feed", "keys"]

_KINDS: Final[dict[type[Any], FactKind]] = {
    AbandonmentDecided: "abandonment",
    StepPlanned: "planned",
    StepDue: "due",
    StepCancelled: "cancelled",
    Judged: "judged",
    EpisodeTold: "episode",
    Milestone: "milestone",
    EstimateChanged: "estimate",
    Delay: "delay",
    Cleared: "cleared",
    Job: "job",
    Claim: "claim",
    Receipt: "receipt",
    DeliveryReport: "report",
}
_RECORDS: Final[dict[str, Any]] = {kind: record for record, kind in _KINDS.items()}
_DECODE: Final[dict[Source, Callable[[bytes], FactRecord | FeedRecord]]] = {
    "decisions": msgspec.json.Decoder(DecisionRecord).decode,
    "jobs": msgspec.json.Decoder(Job).decode,
    "claims": msgspec.json.Decoder(Claim).decode,
    "receipts": msgspec.json.Decoder(ReceiptRecord).decode,
    "feed": msgspec.json.Decoder(FeedRecord).decode,
}
_encode = msgspec.json.Encoder().encode


class Fact(Struct, frozen=True, gc=False):
    """One record. ``topic``, ``partition`` and ``position`` say which; fields in the order of the table's columns.

    Attributes:
        appended_ms: When the broker took it, real time: by this it is kept and forgotten.
        at_ms: When it happened: event time of decisions, a sender's clock of receipts, real time of claims.
        event_id: Of the shop's event that brought it about, where one did.
        body: The record as JSON, less what is not kept.
    """

    topic: str
    partition: int
    position: int
    appended_ms: int
    kind: FactKind
    at_ms: int
    person_id: str | None = None
    visitor_id: str | None = None
    episode_id: str | None = None
    abandonment_id: str | None = None
    job_id: str | None = None
    event_id: str | None = None
    order_id: str | None = None
    parcel_id: str | None = None
    tracking_number: str | None = None
    step: int | None = None
    body: str = ""


class Told(NamedTuple):
    """What a record comes to: a fact, a mark, or both."""

    fact: Fact | None = None
    mark: Mark | None = None


def told_by(source: Source, message: Message) -> Told | None:
    """The fact of a message; None for a tombstone. One that can't be read is a fact too, with the reason.

    What is in a person's feed, and keys, are no facts: marks alone.
    """
    value = message.value()
    if source == "keys":
        return _key(message)
    if value is None:
        return None
    place = (str(message.topic()), int(message.partition() or 0), int(message.offset() or 0))
    appended_ms = max(0, message.timestamp()[1])
    try:
        record = _DECODE[source](value)
    except UNREADABLE as error:
        refusal = unreadable(error)
        body = _encode({"reason": refusal.reason, "detail": refusal.detail[:500]}).decode()
        return Told(Fact(*place, appended_ms, "unreadable", appended_ms, body=body))
    if isinstance(record, FeedItem):
        return Told(mark=ItemMark(record, place[1], place[2], appended_ms))
    if isinstance(record, FeedMark):
        return Told(mark=StateMark(record, place[2]))
    return Told(_fact(place, appended_ms, record), _mark(place, appended_ms, record))


def record_of(fact: Fact) -> FactRecord:
    """The record of a fact again.

    Raises:
        msgspec.MsgspecError: The fact's kind has no record (``unreadable``), or a newer release wrote it.
    """
    kind = _RECORDS.get(fact.kind)
    if kind is None:
        raise msgspec.ValidationError(f"a fact of kind {fact.kind} has no record")
    record: FactRecord = msgspec.json.decode(fact.body, type=kind)
    return record


def _key(message: Message) -> Told | None:
    key = message.key()
    if not key:
        return None
    person = key if isinstance(key, str) else key.decode("utf-8", "replace")
    value = message.value()
    wrapped = value.encode() if isinstance(value, str) else value
    return Told(mark=KeyMark(person, int(message.offset() or 0), wrapped))


def _fact(place: tuple[str, int, int], appended_ms: int, record: FactRecord) -> Fact:
    kind = _KINDS[type(record)]
    if isinstance(record, AbandonmentDecided):
        return Fact(
            *place,
            appended_ms,
            kind,
            to_ms(record.abandoned_at),
            person_id=record.person_id,
            visitor_id=record.visitor_id,
            episode_id=record.episode_id,
            abandonment_id=record.abandonment_id,
            body=_text(record),
        )
    if isinstance(record, ParcelDecision):
        return _parcel(place, appended_ms, record)
    at_ms = to_ms(record.at) if isinstance(record, StepDecision | Judged | EpisodeTold) else 0
    order_id = None
    if isinstance(record, EpisodeTold):
        by = record.by
        return Fact(
            *place,
            appended_ms,
            kind,
            at_ms,
            person_id=record.person_id,
            visitor_id=by.get("visitor"),
            episode_id=record.episode_id,
            abandonment_id=by.get("abandonment") or by.get("end"),
            event_id=by.get("event"),
            order_id=by.get("order"),
            body=_text(record),
        )
    if isinstance(record, Job):
        # What a mail shows is not kept; what it is worth is.
        about = record.order or record.parcel
        order_id = about.order_id if about else None
        record, at_ms = structs.replace(record, lines=(), incentive=None, order=None, parcel=None), record.due_ms
    elif isinstance(record, Claim | Receipt | DeliveryReport):
        at_ms = record.at_ms
    if isinstance(record, DeliveryReport):
        person, job = record.person_id, record.job_id
        return Fact(*place, appended_ms, kind, at_ms, person_id=person, job_id=job, body=_text(record))
    return Fact(
        *place,
        appended_ms,
        kind,
        at_ms,
        person_id=record.person_id,
        episode_id=record.episode_id,
        job_id=None if isinstance(record, StepDecision) else record.job_id,
        order_id=order_id,
        step=record.step,
        body=_text(record),
    )


def _parcel(place: tuple[str, int, int], appended_ms: int, record: ParcelDecision) -> Fact:
    """What is in it, and what a carrier wrote (names and places are in it), is not kept."""
    kept = structs.replace(record, lines=())
    if isinstance(kept, Milestone):
        kept = structs.replace(kept, text=None, place=None)
    return Fact(
        *place,
        appended_ms,
        _KINDS[type(record)],
        to_ms(record.at),
        person_id=record.person_id,
        event_id=record.id,
        order_id=record.order_id,
        parcel_id=record.parcel_id,
        tracking_number=record.tracking_number,
        body=_text(kept),
    )


def _mark(place: tuple[str, int, int], appended_ms: int, record: FactRecord) -> Mark | None:
    if isinstance(record, Job):
        return JobMark(record.job_id, record.person_id, *place, appended_ms, record.attempt, record.revision)
    position = place[2]
    if isinstance(record, Claim):
        return ClaimMark(record.job_id, record.person_id, position, appended_ms, record.attempt, record.state)
    if isinstance(record, Receipt):
        return EndMark(record.job_id, record.person_id, position, appended_ms, record.attempt, record.outcome)
    return None


def _text(record: FactRecord) -> str:
    return _encode(record).decode()
