"""Topics on real Kafka: made once, checked before every start, each problem with what to do about it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from ports import free_port
from postcart.adapters.topics import all_topics, check, create, require_topics, stage_group, stage_inputs, stages
from postcart.adapters.topics.client import Admin
from postcart.adapters.topics.sampling import murmur2
from postcart.errors import BrokerUnavailable, TopologyError
from postcart.settings import Settings, load_settings

_DEADLINE_S = 30.0


def settings_for(kafka: Any, **more: str) -> Settings:
    prefix = kafka.prefix("topics")
    environ = {
        "POSTCART_BOOTSTRAP": kafka.bootstrap,
        "POSTCART_TOPIC_PREFIX": f"{prefix}own.",
        "POSTCART_SHOP_PREFIX": f"{prefix}shop.",
        "POSTCART_PARTITIONS": "2",
    }
    return load_settings(environ | more)


def committed(settings: Settings, group: str) -> dict[tuple[str, int], int]:
    admin = AdminClient({"bootstrap.servers": settings.bootstrap})
    (future,) = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)]).values()
    found = future.result(_DEADLINE_S).topic_partitions
    return {(one.topic, one.partition): one.offset for one in found}


def write(settings: Settings, topic: str, partition: int = 0, key: bytes = b"key") -> None:
    producer = Producer({"bootstrap.servers": settings.bootstrap})
    producer.produce(topic, b"value", key=key, partition=partition)
    assert producer.flush(_DEADLINE_S) == 0


@contextmanager
def member(settings: Settings, group: str, topic: str) -> Iterator[None]:
    """A group that is running."""
    consumer = Consumer(
        {
            "bootstrap.servers": settings.bootstrap,
            "group.id": group,
            "group.protocol": "consumer",
            "auto.offset.reset": "earliest",
        }
    )
    try:
        joined: list[int] = []
        consumer.subscribe([topic], on_assign=lambda _consumer, partitions: joined.append(len(partitions)))
        while not joined:
            consumer.poll(0.1)
        yield
    finally:
        consumer.close()


def test_a_broker_that_has_not_heard_of_new_topics_yet(kafka: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which broker a client asks is chance: the first word that each gets is of before they were made."""
    settings = settings_for(kafka)
    told, heard = Admin.partition_counts, set[int]()

    def late(self: Admin) -> dict[str, int]:
        late_by_one = id(self) not in heard
        heard.add(id(self))
        return {} if late_by_one else told(self)

    monkeypatch.setattr(Admin, "partition_counts", late)
    assert create(settings).groups == [stage_group(settings, stage) for stage in stages(settings)]


def test_a_new_cluster_gets_all_topics_and_every_group_a_beginning(kafka: Any) -> None:
    """Afterwards nothing is wrong; a second time nothing happens."""
    settings = settings_for(kafka)
    assert any("is missing" in problem for problem in check(settings))
    first = create(settings)
    assert set(first.created) == {topic.name for topic in all_topics(settings)}
    assert first.groups == [stage_group(settings, stage) for stage in ("detect", "track", "journey", "email")]
    assert check(settings) == []
    assert set(committed(settings, first.groups[0]).values()) == {0}
    second = create(settings)
    assert (second.created, second.groups) == ([], [])
    assert set(second.existing) == set(first.created)


def test_a_worker_whose_topics_are_missing_is_told_the_command(kafka: Any) -> None:
    """Before it starts, with all missing topics at once; another stage's inputs don't matter."""
    settings = settings_for(kafka)
    with pytest.raises(TopologyError) as caught:
        require_topics(settings, "detect")
    text = str(caught.value)
    assert f"topic {settings.shop_topic('carts')} is missing: `postcart topics create`" in text
    assert settings.shop_topic("orders") not in text


def test_unequal_counts_are_told_with_the_odd_one_out(kafka: Any) -> None:
    """Records of one visitor would not meet."""
    settings = settings_for(kafka)
    kafka.create({settings.shop_topic("carts"): 3})
    create(settings)
    (problem,) = check(settings)
    assert "detect joins topics of unequal partition counts" in problem
    assert f"make {settings.shop_topic('carts')} anew with 2" in problem
    assert check(settings, "email") == []


def test_a_wrong_clean_up_is_told_with_the_command(kafka: Any) -> None:
    """State kept by age would forget."""
    settings = settings_for(kafka)
    create(settings)
    topic = settings.topic("detect.changelog")
    admin = AdminClient({"bootstrap.servers": settings.bootstrap})
    change = ConfigEntry("cleanup.policy", "delete", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[change])
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(_DEADLINE_S)
    (problem,) = check(settings, "detect")
    assert f"topic {topic} has cleanup.policy=delete, must have compact" in problem


def test_a_clock_of_several_partitions_is_refused(kafka: Any) -> None:
    """It has one reading order or none."""
    settings = settings_for(kafka)
    kafka.create({settings.topic("clock"): 2}, {"cleanup.policy": "compact"})
    create(settings)
    (problem,) = check(settings)
    assert "must have 1" in problem


def test_a_group_with_state_never_begins_again(kafka: Any) -> None:
    """Lost offsets beside a changelog are an accident: silently starting over would decide everything twice."""
    settings = settings_for(kafka)
    create(settings)
    group = stage_group(settings, "detect")
    write(settings, settings.topic("detect.changelog"), 1)
    admin = AdminClient({"bootstrap.servers": settings.bootstrap})
    for future in admin.delete_consumer_groups([group]).values():
        future.result(_DEADLINE_S)
    (problem,) = check(settings, "detect")
    assert f"group {group} has state but no offsets" in problem
    assert create(settings).groups == []


def test_a_group_without_offsets_and_state_begins_at_the_earliest(kafka: Any) -> None:
    """What the shop wrote before Postcart was installed counts."""
    settings = settings_for(kafka)
    kafka.create({settings.shop_topic(name): 2 for name in ("sessions", "carts")})
    write(settings, settings.shop_topic("carts"))
    create(settings)
    found = committed(settings, stage_group(settings, "detect"))
    assert found == {(topic, number): 0 for topic in stage_inputs(settings, "detect") for number in range(2)}


def test_a_running_group_is_left_alone(kafka: Any) -> None:
    """Offsets of a group with members can't be set; the message says to stop them."""
    settings = settings_for(kafka)
    create(settings)
    group = stage_group(settings, "detect")
    admin = AdminClient({"bootstrap.servers": settings.bootstrap})
    for future in admin.delete_consumer_groups([group]).values():
        future.result(_DEADLINE_S)
    with (
        member(settings, group, settings.shop_topic("carts")),
        pytest.raises(TopologyError, match="stop its workers first"),
    ):
        create(settings)


def test_new_inputs_of_a_running_installation_begin_at_zero(kafka: Any) -> None:
    """A release that reads one topic more only needs the command again."""
    settings = settings_for(kafka)
    group, new, old = stage_group(settings, "detect"), settings.shop_topic("carts"), settings.shop_topic("sessions")
    kafka.create({old: 2})
    admin = AdminClient({"bootstrap.servers": settings.bootstrap})
    stood = [TopicPartition(old, number, 0) for number in range(2)]
    (moved,) = admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, stood)]).values()
    moved.result(_DEADLINE_S)
    assert new in create(settings).created
    assert check(settings, "detect") == []


@pytest.mark.slow
def test_an_unreachable_broker_is_named_with_what_to_check() -> None:
    """Nobody listens on that port: the operating system gave it to us."""
    port = free_port()
    settings = load_settings({"POSTCART_BOOTSTRAP": f"127.0.0.1:{port}"})
    with pytest.raises(BrokerUnavailable) as caught:
        check(settings)
    assert f"127.0.0.1:{port}" in str(caught.value)
    assert "POSTCART_BOOTSTRAP" in str(caught.value)


def test_too_many_copies_are_refused_by_name(kafka: Any) -> None:
    """A trial's single broker can't hold seven copies."""
    settings = settings_for(kafka, POSTCART_REPLICATION="7")
    with pytest.raises(TopologyError, match="can't be created"):
        create(settings)


def test_keys_on_foreign_partitions_and_keys_of_nobody_are_told(kafka: Any) -> None:
    """Librdkafka's own partitioner is not Java's: records of one visitor would not meet."""
    settings = settings_for(kafka)
    create(settings)
    astray, right = settings.shop_topic("carts"), settings.shop_topic("sessions")
    for topic, partitioner in ((astray, "consistent"), (right, "murmur2_random")):
        producer = Producer({"bootstrap.servers": settings.bootstrap, "partitioner": partitioner})
        for number in range(60):
            producer.produce(topic, b"{}", key=f"visitor-{number}".encode())
        assert producer.flush(_DEADLINE_S) == 0
    (problem,) = check(settings)
    assert problem.startswith(f"topic {astray}: ")
    assert "partitioner=murmur2_random" in problem
    assert check(settings, "detect") == []
    write(settings, right, murmur2(b"guest") % 2, key=b"guest")
    assert any(f"topic {right}: 1 of 61 sampled records have no key" in line for line in check(settings))
