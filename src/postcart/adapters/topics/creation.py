"""``topics create``: what is missing is made; what is there is left alone.

Owns: new topics, and the first offsets of groups. Must not: change or delete a topic.
"""

from typing import NamedTuple

from confluent_kafka import KafkaException
from confluent_kafka.admin import NewTopic

from postcart.adapters.topics.client import Admin
from postcart.adapters.topics.table import Stage, all_topics, changelog, stage_group, stage_inputs, stages
from postcart.errors import TopologyError
from postcart.settings import Settings


class Created(NamedTuple):
    """What ``create`` found and did.

    Attributes:
        created: Names of new topics.
        existing: Names of those that were there.
        groups: Groups that were given their first offsets.
    """

    created: list[str]
    existing: list[str]
    groups: list[str]


def create(settings: Settings) -> Created:
    """Create the topics that are missing, and give new groups a place to begin. Idempotent.

    Raises:
        BrokerUnavailable: Kafka doesn't answer.
        TopologyError: The cluster refused a topic or an offset; all refusals together.
    """
    admin = Admin(settings)
    wanted, there = all_topics(settings), admin.partition_counts()
    missing = [topic for topic in wanted if topic.name not in there]
    new = [
        NewTopic(topic.name, topic.partitions, replication_factor=settings.replication, config=dict(topic.config))
        for topic in missing
    ]
    outcomes = admin.create(new) if new else {}
    refused = [f"{name} can't be created: {error.str()}" for name, error in outcomes.items() if error is not None]
    if refused:
        raise TopologyError(*refused)
    counts = admin.await_topics({topic.name for topic in wanted})
    created = [topic.name for topic in missing]
    existing = [topic.name for topic in wanted if topic.name in there]
    return Created(created, existing, _begin_all(admin, counts, settings, frozenset(created)))


def commit_beginnings(settings: Settings) -> list[str]:
    """Commit the earliest offsets where a group has to begin, and return the groups that got some. Idempotent.

    Workers run with ``auto.offset.reset=error``, so that lost offsets never become silently skipped or repeated
    records. So somebody has to say where a group begins: here, and only if it has neither offsets nor state.

    Raises:
        BrokerUnavailable: Kafka doesn't answer.
        TopologyError: The cluster refused.
    """
    admin = Admin(settings)
    return _begin_all(admin, admin.partition_counts(), settings, frozenset())


def _begin_all(admin: Admin, counts: dict[str, int], settings: Settings, new: frozenset[str]) -> list[str]:
    """As ``commit_beginnings``; a group that runs already gets those of ``new`` topics: they are empty."""
    return [group for stage in stages(settings) if (group := _begin(admin, counts, settings, stage, new))]


def _begin(admin: Admin, counts: dict[str, int], settings: Settings, stage: Stage, new: frozenset[str]) -> str | None:
    group = stage_group(settings, stage)
    inputs = [(topic, number) for topic in stage_inputs(settings, stage) for number in range(counts.get(topic, 0))]
    try:
        committed = admin.committed(group, inputs)
        bare = [one for one in inputs if one not in committed]
        if committed or has_state(admin, counts, changelog(settings, stage)):
            bare = [one for one in bare if one[0] in new]
        if not bare:
            return None
        admin.commit(group, admin.beginnings(bare))
    except KafkaException as error:
        reason = error.args[0].str()
        raise TopologyError(f"{group}: first offsets can't be committed: {reason}; stop its workers first") from error
    return group


def has_state(admin: Admin, counts: dict[str, int], topic: str) -> bool:
    """Whether anything was ever written to a changelog: its high watermark says so, whatever compaction removed."""
    return any(admin.ends([(topic, number) for number in range(counts.get(topic, 0))]).values())
