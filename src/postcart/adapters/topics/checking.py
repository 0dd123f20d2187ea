"""``topics check``, and what every worker checks before it starts.

Owns: the verdicts, each with what to do about it. Must not: mend anything.
"""

from collections import Counter
from collections.abc import Iterator, Mapping

from confluent_kafka import KafkaException

from postcart.adapters.topics.client import Admin
from postcart.adapters.topics.creation import has_state
from postcart.adapters.topics.sampling import check_keys
from postcart.adapters.topics.table import (
    Stage,
    all_topics,
    changelog,
    joined,
    stage_group,
    stage_inputs,
    stages,
    whole_copies,
)
from postcart.errors import TopologyError
from postcart.settings import Settings

_CREATE = "`postcart topics create` makes it"


def check(settings: Settings, stage: Stage | None = None) -> list[str]:
    """Return what is wrong with the topics of ``stage`` (``None``: of all stages), one line each, in a fixed order.

    For all stages together a sample of the shop's keys is judged, too; the start of a worker doesn't wait for that.

    Raises:
        BrokerUnavailable: Kafka doesn't answer.
    """
    admin = Admin(settings)
    counts = admin.partition_counts()
    asked = stages(settings) if stage is None else (stage,)
    wanted = _wanted(settings, stage)
    problems = [f"topic {name} is missing: {_CREATE}" for name in wanted if name not in counts]
    for one in asked:
        problems += _unequal(one, {name: counts[name] for name in joined(settings, one) if name in counts})
    clock = settings.topic("clock")
    if counts.get(clock, 1) != 1:
        problems.append(f"topic {clock} has {counts[clock]} partitions, must have 1: delete it, then {_CREATE}")
    problems += _wrongly_kept(admin, {name: policy for name, policy in wanted.items() if name in counts})
    for one in asked:
        if all(name in counts for name in joined(settings, one)):
            problems += _without_offsets(admin, counts, settings, one)
    return problems if stage is not None else problems + check_keys(settings)


def require_topics(settings: Settings, stage: Stage) -> None:
    """Refuse to start a worker whose topics are not as they must be.

    Raises:
        BrokerUnavailable: Kafka doesn't answer.
        TopologyError: All problems together.
    """
    problems = check(settings, stage)
    if problems:
        raise TopologyError(*problems)


def _wanted(settings: Settings, stage: Stage | None) -> dict[str, str]:
    """Topics that must be there, with their clean-up policy. A worker also needs those that it writes to."""
    shops = {settings.shop_topic(name) for name in ("sessions", "carts", "orders", "profiles", "catalog", "shipments")}
    needed = () if stage is None else (*stage_inputs(settings, stage), *whole_copies(settings, stage))
    wanted = {}
    for topic in all_topics(settings):
        foreign = topic.name in shops and stage is not None and topic.name not in needed
        if not foreign:
            wanted[topic.name] = topic.cleanup
    return wanted


def _unequal(stage: Stage, counts: Mapping[str, int]) -> Iterator[str]:
    if len(set(counts.values())) > 1:
        usual = Counter(counts.values()).most_common(1)[0][0]
        found = ", ".join(f"{name} {count}" for name, count in counts.items())
        odd = ", ".join(name for name, count in counts.items() if count != usual)
        yield (
            f"{stage} joins topics of unequal partition counts ({found}): records of one key would not meet;"
            f" a count is fixed for a topic's life, so make {odd} anew with {usual}"
        )


def _wrongly_kept(admin: Admin, policies: Mapping[str, str]) -> Iterator[str]:
    for name, config in admin.configs(policies).items():
        found = config.get("cleanup.policy", "")
        if found != policies[name]:
            yield (
                f"topic {name} has cleanup.policy={found}, must have {policies[name]}: kafka-configs.sh --alter"
                f" --entity-type topics --entity-name {name} --add-config cleanup.policy={policies[name]}"
            )


def _without_offsets(admin: Admin, counts: dict[str, int], settings: Settings, stage: Stage) -> Iterator[str]:
    group = stage_group(settings, stage)
    inputs = [(topic, number) for topic in stage_inputs(settings, stage) for number in range(counts[topic])]
    try:
        committed = admin.committed(group, inputs)
    except KafkaException as error:
        yield f"offsets of group {group} can't be read: {error.args[0].str()}"
        return
    bare = sorted({topic for topic, number in inputs if (topic, number) not in committed})
    if not bare:
        return
    topics = ", ".join(bare)
    if committed or has_state(admin, counts, changelog(settings, stage)):
        yield (
            f"group {group} has state but no offsets for {topics}: they expired or were deleted;"
            " set them with kafka-consumer-groups.sh --reset-offsets to where its last transaction stood"
        )
    else:
        yield f"group {group} has no place to begin in {topics}: `postcart topics create` gives it one"


def partition_count(settings: Settings, name: str) -> int:
    """How many partitions the topic has: a fact of the broker, not of the settings.

    Raises:
        BrokerUnavailable: Kafka doesn't answer.
        TopologyError: There is no such topic.
    """
    count = Admin(settings).partition_counts().get(name)
    if count is None:
        raise TopologyError(f"topic {name} is missing: {_CREATE}")
    return count
