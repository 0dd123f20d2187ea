"""The doctor looks at Kafka: is it there, is it the right kind, are the topics right, may we, what time is it there.

Owns: those checks and their verdicts. Must not: mend anything, or leave anything behind that somebody reads.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from postcart.adapters.broker_facts import BrokerFacts, Refused
from postcart.adapters.lag import measure
from postcart.adapters.topics import Topic, all_topics, check
from postcart.adapters.topics.client import Admin
from postcart.errors import BrokerUnavailable
from postcart.settings import Settings
from postcart.wiring.doctor.finding import Finding, fail, ok, warn
from postcart.wiring.doctor.own import is_local
from postcart.wiring.lag_exporter import group_topics

_SESSION_GOOD_MS: Final = 15_000
"""Partitions of a killed worker are to work again within 15 s."""
_JOBS_KEPT_MIN: Final = 30 * 24 * 60
_SKEW_WARN_MS, _SKEW_FAIL_MS = 1_000, 5_000
"""A sender trusts JOURNEY's word on orders for 10 s: clocks that differ by half of that spoil the promise."""
_ALTER = "kafka-configs.sh --alter --entity-type topics --entity-name {topic} --add-config {name}={value}"


def kafka_findings(settings: Settings, *, real_ms: Callable[[], int]) -> Iterator[Finding]:
    """All of them, in order; one only, if no broker answers."""
    try:
        yield from _looked_at(settings, real_ms)
    except BrokerUnavailable as error:
        yield fail(
            "broker",
            str(error).partition(": check")[0],
            f"check POSTCART_BOOTSTRAP ({settings.bootstrap}) and POSTCART_KAFKA__*, that the broker runs, and that "
            "this machine reaches it",
            unreachable=True,
        )


def _looked_at(settings: Settings, real_ms: Callable[[], int]) -> Iterator[Finding]:
    client = {"bootstrap.servers": settings.bootstrap, **settings.kafka.properties()}
    facts = BrokerFacts(client)
    yield ok("broker", f"{len(facts.brokers())} answer at {settings.bootstrap}")
    admin = Admin(settings)
    if admin.is_mock():
        yield warn("broker kind", "librdkafka's mock cluster", "for demos only: it forgets everything at its end")
    else:
        yield from _broker_settings(settings, facts.broker_settings())
    counts = admin.partition_counts()
    there = [topic for topic in all_topics(settings) if topic.name in counts]
    problems = check(settings)
    yield from (fail("topics", problem, _todo(problem)) for problem in problems)
    if not problems:
        yield ok("topics", f"{len(there)} topics fit together; keys of a sample are partitioned as they must")
    yield from _topic_settings(settings, there, admin.configs([topic.name for topic in there]))
    if not is_local(settings):
        yield _replication(facts.replicas([topic.name for topic in there]))
    if not admin.is_mock():
        yield from _rights(settings, facts)
        if settings.topic("dead") in counts:
            yield _clock(settings, facts, real_ms)
    yield from _workers(settings, client, real_ms())


def _broker_settings(settings: Settings, found: dict[str, str] | Refused) -> Iterator[Finding]:
    if isinstance(found, Refused):
        yield warn(
            "broker settings",
            f"may not be read ({found.reason})",
            "let somebody who may compare them with docs/operations.md",
        )
        return
    yield _protocol(settings, found)
    session_ms = int(found.get("group.consumer.session.timeout.ms", 45_000))
    if settings.group_protocol == "consumer" and session_ms > _SESSION_GOOD_MS:
        yield warn(
            "session time-out",
            f"group.consumer.session.timeout.ms is {session_ms}: so long nobody works on a killed worker's partitions",
            "set it to 10000 on the brokers, and group.consumer.heartbeat.interval.ms to 1000",
        )
    else:
        yield ok("session time-out", f"{session_ms} ms until a killed worker's partitions move")
    kept_min = int(found.get("offsets.retention.minutes", 10_080))
    if kept_min < _JOBS_KEPT_MIN:
        yield warn(
            "offsets kept",
            f"offsets.retention.minutes is {kept_min}: a group that stands still for longer loses its place",
            f"set it to {_JOBS_KEPT_MIN} on the brokers: 30 days, as long as jobs are kept",
        )
    else:
        yield ok("offsets kept", f"{kept_min // 1_440} days")
    if found.get("auto.create.topics.enable") == "true":
        yield warn(
            "topic creation",
            "brokers create topics by themselves: a wrong prefix makes new, wrongly kept ones instead of an error",
            "set auto.create.topics.enable=false on the brokers",
        )


def _protocol(settings: Settings, found: Mapping[str, str]) -> Finding:
    speaks = found.get("group.coordinator.rebalance.protocols", "")
    if "consumer" in speaks.split(","):
        if settings.group_protocol == "consumer":
            return ok("group protocol", "consumer (KIP-848): a rebalance stops nobody")
        return warn(
            "group protocol",
            "classic, though the brokers speak consumer: each rebalance stops the whole group",
            "unset POSTCART_GROUP_PROTOCOL, then restart all workers of a group together",
        )
    if settings.group_protocol == "classic":
        return warn("group protocol", "classic: each rebalance stops the whole group", "upgrade to Kafka 4")
    return fail(
        "group protocol",
        "the brokers don't speak the protocol `consumer` (KIP-848, Kafka 4): workers can't join",
        "upgrade, or enable it in group.coordinator.rebalance.protocols; else POSTCART_GROUP_PROTOCOL=classic",
    )


def _todo(problem: str) -> str:
    """What the verdicts of ``topics check`` don't say themselves."""
    return "" if ": " in problem else "see docs/errors.md#topology"


def _topic_settings(
    settings: Settings, topics: list[Topic], found: Mapping[str, Mapping[str, str]]
) -> Iterator[Finding]:
    wrong = False
    for topic in topics:
        have = found.get(topic.name)
        if have is None:
            continue
        shops = topic.name.startswith(settings.shop_prefix) and not topic.name.startswith(settings.topic_prefix)
        for name in ("message.timestamp.type", "min.insync.replicas", "max.message.bytes"):
            wanted, value = topic.config.get(name), have.get(name)
            if wanted is None or value is None or not _worse(value, wanted):
                continue
            wrong = True
            todo = _ALTER.format(topic=topic.name, name=name, value=wanted)
            if name == "message.timestamp.type":
                why = "a device's fast clock then moves the clock of everybody on its partition"
                yield (warn if shops else fail)("topic settings", f"{topic.name} has {name}={value}: {why}", todo)
            else:
                yield warn("topic settings", f"{topic.name} has {name}={value}, should have {wanted}", todo)
    if found and not wrong:
        yield ok("topic settings", "times are the broker's, copies in sync are asked for")


def _worse(value: str, wanted: str) -> bool:
    return int(value) < int(wanted) if wanted.isdigit() and value.isdigit() else value != wanted


def _replication(replicas: Mapping[str, int]) -> Finding:
    few = sorted(name for name, count in replicas.items() if count < 3)  # noqa: PLR2004 -- with three one may fail
    if not few:
        return ok("copies", "each partition has 3 or more")
    return warn(
        "copies",
        f"fewer than 3 of {len(few)} topics ({few[0]} …): one lost broker stops or loses them",
        "POSTCART_REPLICATION=3 before `topics create`; for topics that exist kafka-reassign-partitions.sh",
    )


def _rights(settings: Settings, facts: BrokerFacts) -> Iterator[Finding]:
    """Of all topics: one that may not even be seen looks as if it were missing."""
    lacking = []
    user = settings.kafka.sasl_username or "ANONYMOUS"
    for name, rights in facts.topic_rights([topic.name for topic in all_topics(settings)]).items():
        own = name.startswith(settings.topic_prefix)
        lacking += _lacking("topic", name, rights, {"READ", "WRITE"} if own else {"READ"})
    for name, rights in facts.group_rights(group_topics(settings)).items():
        lacking += _lacking("group", name, rights, {"READ"})
    for kind, name, operation in lacking:
        yield fail(
            "rights",
            f"{user} may not {operation} {kind} {name}",
            f"kafka-acls.sh --add --allow-principal User:{user} --operation {operation} --{kind} {name}",
        )
    if not lacking:
        yield ok("rights", f"{user} may read and write what it must")


def _lacking(kind: str, name: str, rights: set[str] | Refused, wanted: set[str]) -> list[tuple[str, str, str]]:
    if isinstance(rights, Refused) and not rights.forbidden:
        return []  # there is none: that is said elsewhere
    have = set() if isinstance(rights, Refused) else rights
    return [(kind, name, operation.capitalize()) for operation in sorted(wanted - have)]


def _clock(settings: Settings, facts: BrokerFacts, real_ms: Callable[[], int]) -> Finding:
    own_id = settings.topic("doctor")
    appended = facts.append(settings.topic("dead"), transactional_id=own_id, real_ms=real_ms)
    if isinstance(appended, Refused):
        todo = (
            f"kafka-acls.sh --add --operation Write --transactional-id {settings.topic_prefix} --resource-pattern-type "
            "prefixed for our user"
            if appended.forbidden
            else "see the brokers: replicas in sync, the transaction coordinator"
        )
        return fail("transactions", f"nothing can be written in a transaction: {appended.reason}", todo)
    ahead_ms = appended.ahead_ms
    detail = f"a transaction works; this machine's clock is {abs(ahead_ms) / 1_000:.1f} s "
    detail += "ahead of the broker's" if ahead_ms > 0 else "behind the broker's"
    if abs(ahead_ms) < _SKEW_WARN_MS:
        return ok("clock", "a transaction works; the clocks of broker and this machine agree")
    todo = "synchronise all clocks (chrony); senders and JOURNEY compare times of different machines"
    return (fail if abs(ahead_ms) >= _SKEW_FAIL_MS else warn)("clock", detail, todo)


def _workers(settings: Settings, client: Mapping[str, str | int | float | bool], now_ms: int) -> Iterator[Finding]:
    measured = measure(client, group_topics(settings), now_ms=now_ms)
    absent = [group.group for group in measured.groups if group.members == 0]
    unknown = [group.group for group in measured.groups if group.members is None]
    if unknown:
        yield warn("workers", f"the broker does not tell of {', '.join(unknown)}", "`postcart lag` tries again")
    if absent:
        todo = "start them: postcart worker detect, track, journey, send CHANNEL"
        yield warn("workers", f"none in {', '.join(absent)}", todo)
    if not absent and not unknown:
        told = ", ".join(f"{group.group} {group.members}" for group in measured.groups)
        yield ok("workers", f"members: {told}")
