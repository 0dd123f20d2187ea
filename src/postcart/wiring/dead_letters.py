"""What every topic's records must be, by the settings: the very decoders that the stages use.

Owns: that table, and where the words about jobs are. Must not: decode, or reach for Kafka.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from postcart.adapters.dead_letters import JobTopics
from postcart.adapters.topics import changelog
from postcart.adapters.topics import job_topics as topics_of
from postcart.codecs.avro_schemas import SchemaSource
from postcart.codecs.shop_events import ShopEventDecoder
from postcart.codecs.shop_subjects import SUBJECTS, Subject
from postcart.codecs.topic_contracts import TopicContract
from postcart.domain.track.estimate_days import DayTold
from postcart.events.consents import ConsentRecorded
from postcart.events.jobs import Job, ReceiptRecord
from postcart.events.milestones import MilestoneRecord
from postcart.events.polls import PollRequest
from postcart.events.signals import AnySignal, TaskClock
from postcart.senders.records import decode_job
from postcart.settings import Settings
from postcart.wiring.registry import registry_of

_JOB_KEPT = (
    "job_id", "person_id", "episode_id", "step", "channel", "purpose", "attempt", "armed_ms", "known_from_ms"
)  # fmt: skip
"""What senders, claims and receipts know a job by."""


def topic_contracts(settings: Settings) -> dict[str, TopicContract]:
    """By topic, with its prefix: every topic whose records can become dead letters."""
    registry = registry_of(settings)
    contracts = [_shop(settings, subject, registry) for subject in SUBJECTS]
    contracts += [
        TopicContract(
            topic=settings.topic(name),
            kind=kind,
            decode=_json_decode(kind),
            key_field="person_id" if key == "person" else None,
            kept=kept,
        )
        for name, kind, key, kept in (
            ("signals", AnySignal, None, ("id",)),
            ("lanes", DayTold, None, ("task", "day")),
            ("polls", PollRequest, None, ("parcel_id", "round")),
            ("milestones", MilestoneRecord | TaskClock, None, ("id", "parcel_id")),
            ("receipts", ReceiptRecord, "person", ("job_id", "outcome", "attempt", "report_id")),
            ("consents", ConsentRecorded, None, ("person_id", "channel", "purpose")),
        )
    ]
    contracts += [
        TopicContract(
            topic=topic,
            kind=Job,
            decode=partial(decode_job, channel=channel),
            key_field="person_id",
            kept=_JOB_KEPT,
        )
        for channel in settings.channel_names
        for topic in topics_of(settings, channel)
    ]
    return {contract.topic: contract for contract in contracts}


def job_topics(settings: Settings) -> JobTopics:
    """Where it is said what became of jobs."""
    claims = {
        topic: changelog(settings, channel)
        for channel in settings.channel_names
        for topic in topics_of(settings, channel)
    }
    return JobTopics(claims, settings.topic("receipts"))


def _shop(settings: Settings, subject: Subject, registry: SchemaSource | None) -> TopicContract:
    spec = SUBJECTS[subject]
    return TopicContract(
        topic=settings.shop_topic(subject.removeprefix("shop.")),
        kind=spec.events,
        decode=ShopEventDecoder(subject, stage="edit", registry=registry).decode,
        key_field=spec.key_field,
        subject=subject,
        registry=registry,
        personal=subject == "shop.profiles",
        compacted=spec.compacted,
    )


def _json_decode(kind: Any) -> Callable[[bytes | None, bytes | None], Any]:
    decode = msgspec.json.Decoder(kind).decode
    return lambda _key, value: decode(value or b"")
