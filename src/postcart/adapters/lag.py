"""How far consumer groups are behind, in records and in seconds, measured from outside.

Owns: that measurement. Must not: join a group, commit, or look at groups and topics that it was not asked for.

A worker can't report its own lag: what reports it freezes with what it reports on. Zero, unknown and "no commit yet"
are three things, and stay three things.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from confluent_kafka import (
    OFFSET_INVALID,
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    ConsumerGroupDescription,
    OffsetSpec,
)
from msgspec import Struct

from postcart.adapters.rdkafka.lane import leave_behind
from postcart.adapters.rdkafka.offsets import listed
from postcart.adapters.rdkafka.settings import ADMIN
from postcart.errors import BrokerUnavailable

LagState = Literal["known", "no_commit", "unknown", "no_topic"]
"""``unknown``: the broker did not tell in time; ``no_commit``: the group has never committed here."""

_Place = tuple[str, int]
_QUIET = 0  # librdkafka would write to stderr what the exceptions tell anyway
_ANY_TIME_S = 3_600.0
"""An admin client of librdkafka 2.16 aborts the process when a coordinator answers a question that has timed out: so it
is asked only for what nobody else can tell, by a client that keeps waiting and is left behind."""


class PartitionLag(Struct, frozen=True, kw_only=True):
    """One partition of a topic that a group reads.

    Attributes:
        records: Between commit and end; None unless ``state`` is known.
        seconds: Age of the oldest record not yet committed, by its append time; 0 if there is none; None if unknown.
        owner: Client id of the member that has it.
    """

    topic: str
    partition: int
    state: LagState
    records: int | None = None
    seconds: float | None = None
    committed: int | None = None
    end: int | None = None
    owner: str | None = None


class GroupLag(Struct, frozen=True, kw_only=True):
    """A group; ``members`` is None where the broker did not tell."""

    group: str
    state: str
    members: int | None
    partitions: tuple[PartitionLag, ...]


class Measured(Struct, frozen=True, kw_only=True):
    """One measurement, with the wall time (ms) at which it was taken."""

    at_ms: int
    groups: tuple[GroupLag, ...]


def measure(
    config: Mapping[str, Any], groups: Mapping[str, Sequence[str]], *, now_ms: int, timeout_s: float = 10.0
) -> Measured:
    """Measure the lag of ``groups`` (group → the topics that it reads).

    Args:
        config: How librdkafka reaches the broker: ``bootstrap.servers`` and what security needs.
        groups: Nothing else is asked for.
        now_ms: Wall time now, for ages.
        timeout_s: At most this long per question.

    Raises:
        BrokerUnavailable: No broker answers at all.
    """
    admin = AdminClient({**config, **ADMIN, "log_level": _QUIET})
    places = _partitions(admin, {topic for topics in groups.values() for topic in topics}, config, timeout_s)
    ends = _ends(admin, places, timeout_s)
    committed = {
        group: _committed(config, group, [place for place in places if place[0] in topics], timeout_s)
        for group, topics in groups.items()
    }
    answering = [group for group, positions in committed.items() if positions is not None]
    described = _described(admin, answering, timeout_s)
    measured = []
    for group, topics in groups.items():
        own = [place for place in places if place[0] in topics]
        positions = committed[group]
        behind = {
            place: at for place in own if (at := (positions or {}).get(place)) is not None and at < ends.get(place, 0)
        }
        ages = _ages(config, behind, now_ms=now_ms, timeout_s=timeout_s)
        description = described.get(group)
        owners = _owners(description)
        partitions = [_partition(place, positions, ends=ends, ages=ages, owner=owners.get(place)) for place in own]
        existing = {topic for topic, _ in own}
        partitions += [
            PartitionLag(topic=topic, partition=0, state="no_topic") for topic in topics if topic not in existing
        ]
        measured.append(
            GroupLag(
                group=group,
                state=description.state.name.lower() if description else "unknown",
                members=len(description.members) if description else None,
                partitions=tuple(partitions),
            )
        )
    return Measured(at_ms=now_ms, groups=tuple(measured))


def _partition(
    place: _Place,
    committed: Mapping[_Place, int] | None,
    *,
    ends: Mapping[_Place, int],
    ages: Mapping[_Place, float],
    owner: str | None,
) -> PartitionLag:
    topic, partition = place
    end = ends.get(place)
    if committed is None or (place in committed and end is None):
        return PartitionLag(topic=topic, partition=partition, state="unknown", end=end, owner=owner)
    if place not in committed:
        return PartitionLag(topic=topic, partition=partition, state="no_commit", end=end, owner=owner)
    position = committed[place]
    records = max(0, (end or 0) - position)
    return PartitionLag(
        topic=topic,
        partition=partition,
        state="known",
        records=records,
        seconds=ages.get(place) if records else 0.0,
        committed=position,
        end=end,
        owner=owner,
    )


def _partitions(admin: AdminClient, topics: set[str], config: Mapping[str, Any], timeout_s: float) -> list[_Place]:
    """All partitions of those topics that exist."""
    try:
        known = admin.list_topics(timeout=timeout_s).topics
    except KafkaException as error:
        raise BrokerUnavailable(
            f"Kafka does not answer at {config.get('bootstrap.servers')} ({error.args[0].str()})"
        ) from error
    return [
        (topic, partition) for topic in sorted(topics & set(known)) for partition in sorted(known[topic].partitions)
    ]


def _ends(admin: AdminClient, places: Sequence[_Place], timeout_s: float) -> dict[_Place, int]:
    """High watermarks; a partition without a leader that tells is left out."""
    if not places:
        return {}
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # untyped in the library
    asked = admin.list_offsets(
        {TopicPartition(*place): latest for place in places},
        isolation_level=IsolationLevel.READ_UNCOMMITTED,
        request_timeout=timeout_s,
    )
    told = ((partition, listed(answer)) for partition, answer in _answers(asked))
    return {(partition.topic, partition.partition): offset for partition, offset in told if offset is not None}


def _described(admin: AdminClient, groups: list[str], timeout_s: float) -> dict[str, ConsumerGroupDescription]:
    """Of groups whose coordinators have answered just now."""
    if not groups:
        return {}
    asked = admin.describe_consumer_groups(groups, request_timeout=_ANY_TIME_S)
    found = dict(_answers(asked, until_s=time.monotonic() + timeout_s))
    if not all(future.done() for future in asked.values()):
        leave_behind(admin)
    return found


def _committed(
    config: Mapping[str, Any], group: str, places: Sequence[_Place], timeout_s: float
) -> dict[_Place, int] | None:
    """The group's next positions; None if the broker did not tell. Asked by a consumer that never joins."""
    consumer = Consumer({**config, "log_level": _QUIET, "group.id": group, "enable.auto.commit": False})
    try:
        found = consumer.committed([TopicPartition(*place) for place in places], timeout=timeout_s) if places else []
    except KafkaException:
        return None
    finally:
        consumer.close()
    return {
        (place.topic, place.partition): place.offset
        for place in found
        if place.error is None and place.offset != OFFSET_INVALID and place.offset >= 0
    }


def _answers(futures: Mapping[Any, Any], *, until_s: float | None = None) -> Iterator[tuple[Any, Any]]:
    """What was answered, up to that monotonic second if one is given; what was not is missing."""
    for asked, future in futures.items():
        try:
            yield asked, future.result(None if until_s is None else max(0.0, until_s - time.monotonic()))
        except (KafkaException, TimeoutError):
            continue


def _owners(description: ConsumerGroupDescription | None) -> dict[_Place, str]:
    if description is None:
        return {}
    return {
        (place.topic, place.partition): member.client_id
        for member in description.members
        if member.assignment
        for place in member.assignment.topic_partitions
    }


def _ages(
    config: Mapping[str, Any], behind: Mapping[_Place, int], *, now_ms: int, timeout_s: float
) -> dict[_Place, float]:
    """Age in seconds of the first record at or after each position; reads one record per partition.

    A partition with nothing but transaction markers after the position has nothing unread: age 0.
    """
    if not behind:
        return {}
    consumer = Consumer(
        {
            **config,
            "log_level": _QUIET,
            "group.id": "postcart.lag-reader",  # required by the library; never joined, never committed
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",  # what retention took away is not waited for
            "enable.partition.eof": True,
            "isolation.level": "read_uncommitted",
            "queued.min.messages": 1,
            "fetch.message.max.bytes": 65_536,
        }
    )
    ages: dict[_Place, float] = {}
    try:
        consumer.assign([TopicPartition(*place, offset) for place, offset in behind.items()])
        until = time.monotonic() + timeout_s
        while len(ages) < len(behind) and time.monotonic() < until:
            for message in consumer.consume(len(behind), 0.2):
                place = (message.topic() or "", message.partition() or 0)
                error = message.error()
                if place in ages or (error is not None and error.code() != KafkaError._PARTITION_EOF):  # noqa: SLF001 -- the library's own name for it
                    continue
                ages[place] = 0.0 if error else max(0.0, (now_ms - message.timestamp()[1]) / 1_000)
                consumer.pause([TopicPartition(*place)])
    finally:
        consumer.close()
    return ages
