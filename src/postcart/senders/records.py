"""The records that a sender reads and writes, as bytes.

Owns: their coding (JSON of the events' structs) and what an ending writes about a job. Must not: do I/O.
"""

from typing import Literal, NamedTuple

import msgspec
from msgspec import structs

from postcart.adapters.rdkafka.transaction import Record
from postcart.errors import UnreadableRecord
from postcart.events.decisions import Judged
from postcart.events.jobs import Channel, Claim, Job, Outcome, Purpose, Receipt
from postcart.senders.item import Ending, Entry, GiveBack, Release, Settle

_job = msgspec.json.Decoder(Job).decode
_claim = msgspec.json.Decoder(Claim).decode
_encode = msgspec.json.Encoder().encode

RANK: dict[Purpose, int] = {"transactional": 0, "marketing": 1}


def decode_job(key: bytes | None, value: bytes | None, *, channel: Channel) -> Job:
    """The job of a record.

    Raises:
        UnreadableRecord: It is none, is keyed by another person, or is for another channel.
    """
    if value is None:
        raise UnreadableRecord("decode", "a job without a value")
    try:
        job = _job(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableRecord("decode", str(error)) from error
    if key is None:
        raise UnreadableRecord("key_missing", "a job without a key")
    if key != job.person_id.encode():
        raise UnreadableRecord("key_mismatch", "the key is not the job's person")
    if job.channel != channel:
        raise UnreadableRecord("invalid", f"a job for {job.channel} in a topic of {channel}")
    return job


def encode_job(job: Job) -> bytes:
    """A job as its topic holds it."""
    return _encode(job)


def decode_claim(value: bytes) -> Claim:
    """The claim of a record.

    Raises:
        msgspec.DecodeError: It is none.
    """
    return _claim(value)


class Stamp(NamedTuple):
    """What entries of one transaction have in common."""

    at_ms: int
    """On the worker's clock, for receipts."""
    real_ms: int
    """Real wall time, for claims."""
    channel: Channel
    provider: str


def entry_of(claim: Claim, ending: Ending, *, partition: int, stamp: Stamp) -> Entry:
    """What is written about a job whose attempt has ended.

    Args:
        claim: The attempt's claim, as it was or would have been made.
        ending: How it ended.
        partition: Of the job.
        stamp: Of the transaction.
    """
    if isinstance(ending, Release):
        released = structs.replace(
            claim, state="released", outcome=None, at_ms=stamp.real_ms, resent=claim.resent or ending.resent
        )
        return Entry(partition, released)
    outcome: Outcome = "not_accepted" if isinstance(ending, GiveBack) else ending.outcome
    state: Literal["released", "settled"] = "released" if isinstance(ending, GiveBack) else "settled"
    receipt = Receipt(
        job_id=claim.job_id,
        person_id=claim.person_id,
        episode_id=claim.episode_id,
        step=claim.step,
        channel=stamp.channel,
        purpose=claim.purpose,
        attempt=claim.attempt,
        outcome=outcome,
        at_ms=stamp.at_ms,
        reason=ending.reason if isinstance(ending, Settle) else None,
        not_before_ms=ending.not_before_ms if isinstance(ending, GiveBack) else None,
        provider=stamp.provider,
        gone=ending.gone,
        status=ending.status,
        detail=ending.detail,
    )
    return Entry(partition, structs.replace(claim, state=state, outcome=outcome, at_ms=stamp.real_ms), receipt)


def to_records(entry: Entry, *, claims: str, receipts: str) -> list[Record]:
    """An entry as records: the claim on the job's partition number, the receipt by its person's key."""
    records: list[Record] = [
        (claims, _encode(entry.claim), entry.claim.job_id.encode(), entry.partition, None),
    ]
    if entry.receipt is not None:
        records.append((receipts, _encode(entry.receipt), entry.receipt.person_id.encode(), -1, None))
    return records


def judged_record(judged: Judged, topic: str) -> Record:
    """What the gate's rules said, for people who ask why."""
    return topic, _encode(judged), judged.person_id.encode(), -1, None
