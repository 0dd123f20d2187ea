"""The doctor on real Kafka: what is right is called right, and each thing that is wrong is found and named."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourcePatternType,
    ResourceType,
)
from typer.testing import CliRunner

from postcart.adapters.broker_facts import BrokerFacts, Refused
from postcart.adapters.local_kafka import LocalKafka, default_cache, server
from postcart.adapters.topics import create
from postcart.cli.app import app
from postcart.errors import BrokerUnavailable
from postcart.settings import Settings, load_settings
from postcart.wiring.doctor import Finding
from postcart.wiring.doctor.kafka import kafka_findings

ROOT = Path(__file__).parents[2]


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def settings_for(bootstrap: str, prefix: str, **more: str) -> Settings:
    environ = {
        "POSTCART_BOOTSTRAP": bootstrap,
        "POSTCART_TOPIC_PREFIX": f"{prefix}own.",
        "POSTCART_SHOP_PREFIX": f"{prefix}shop.",
        "POSTCART_PARTITIONS": "2",
    }
    return load_settings(environ | more)


def look(settings: Settings, *, ahead_ms: int = 0) -> list[Finding]:
    return list(kafka_findings(settings, real_ms=lambda: now_ms() + ahead_ms))


def of(findings: list[Finding], check: str) -> list[Finding]:
    return [one for one in findings if one.check == check]


@pytest.fixture(scope="module")
def ready(kafka: Any) -> Settings:
    """Settings whose topics are all there."""
    settings = settings_for(kafka.bootstrap, kafka.prefix("doctor"))
    create(settings)
    return settings


def test_a_cluster_that_is_right_is_called_right(ready: Settings) -> None:
    """Nothing fails; that no worker runs is said."""
    findings = look(ready)
    assert [one for one in findings if one.state == "fail"] == []
    fine = {one.check for one in findings if one.state == "ok"}
    assert fine >= {"broker", "group protocol", "session time-out", "topics", "topic settings", "rights", "clock"}
    (workers,) = of(findings, "workers")
    assert workers.state == "warn"
    assert ready.topic("journey") in workers.detail


def test_nobody_sees_the_record_of_the_clock_check(ready: Settings) -> None:
    """It is in a transaction that was aborted."""
    look(ready)
    consumer = Consumer(
        {
            "bootstrap.servers": ready.bootstrap,
            "group.id": ready.topic("test"),
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
        }
    )
    consumer.assign([TopicPartition(ready.topic("dead"), number, 0) for number in range(2)])
    ended: set[int | None] = set()
    while len(ended) < 2:
        message = consumer.poll(10)
        assert message is not None
        assert message.error() is not None, message.value()
        ended.add(message.partition())
    consumer.close()


@pytest.mark.parametrize(("ahead_ms", "state"), [(0, "ok"), (3_000, "warn"), (-3_000, "warn"), (60_000, "fail")])
def test_clocks_that_differ_are_told(ready: Settings, ahead_ms: int, state: str) -> None:
    """Ahead and behind."""
    (clock,) = of(look(ready, ahead_ms=ahead_ms), "clock")
    assert clock.state == state, clock
    if ahead_ms:
        assert ("ahead of" if ahead_ms > 0 else "behind") in clock.detail


def test_missing_topics_unequal_partitions_and_wrong_settings_are_told(kafka: Any) -> None:
    """Each by its name, with the command that mends it."""
    settings = settings_for(kafka.bootstrap, kafka.prefix("doctor"))
    missing = of(look(settings), "topics")
    assert any(settings.topic("signals") in one.detail and "topics create" in one.detail for one in missing)
    assert {one.state for one in missing} == {"fail"}
    kafka.create({settings.shop_topic("carts"): 3})
    create(settings)
    alter(settings, settings.topic("receipts"), "message.timestamp.type", "CreateTime")
    alter(settings, settings.topic("dead"), "max.message.bytes", "1000000")
    findings = look(settings)
    assert any("unequal partition counts" in one.detail for one in of(findings, "topics"))
    told = {(one.detail.split()[0], one.state) for one in of(findings, "topic settings")}
    assert (settings.topic("receipts"), "fail") in told
    assert (settings.topic("dead"), "warn") in told
    assert (settings.shop_topic("carts"), "warn") in told, "made by the shop, with the times of its producers"
    assert all("kafka-configs.sh" in one.todo for one in of(findings, "topic settings"))


def alter(settings: Settings, topic: str, name: str, value: str) -> None:
    resource = ConfigResource(
        ResourceType.TOPIC,
        topic,
        incremental_configs=[ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)],
    )
    admin = AdminClient({"bootstrap.servers": settings.bootstrap})  # kept until the answer is there
    for done in admin.incremental_alter_configs([resource]).values():
        done.result(30)


def command(*arguments: str, **environ: str) -> tuple[int, dict[str, Any]]:
    """Exit code and document of the command itself."""
    folders = {f"POSTCART_{name.upper()}_DIR": str(ROOT / name) for name in ("campaigns", "locales")}
    done = CliRunner(env={**folders, **environ}).invoke(app, ["doctor", *arguments, "--output", "json"])
    return done.exit_code, json.loads(done.stdout)


@pytest.mark.slow
def test_exit_codes(tmp_path: Path) -> None:
    """3 if a service can't be reached, 1 if something is wrong: settings here, as they need no service."""
    templates = {"POSTCART_TEMPLATES_DIR": str(tmp_path)}  # linting the real ones takes seconds
    code, said = command(POSTCART_BOOTSTRAP="127.0.0.1:1", POSTCART_SMTP__PORT="1", **templates)
    assert (code, said["ok"]) == (3, False)
    (broker,) = [one for one in said["findings"] if one["check"] == "broker"]
    assert broker["unreachable"]
    assert "POSTCART_BOOTSTRAP" in broker["todo"]
    assert [one["check"] for one in said["findings"]].count("topics") == 0, "not looked at"
    code, said = command(POSTCART_PARTITIONS="0")
    assert (code, said["ok"]) == (1, False)


@pytest.fixture(scope="module")
def guarded(kafka: Any) -> Iterator[str]:
    """A broker of our own that asks for rights; whatever no rule names is allowed."""
    del kafka  # where no broker is possible this is skipped like the others
    plain = server.shared_settings

    def with_authorizer(nodes: int) -> dict[str, str]:
        return plain(nodes) | {
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "true",
        }

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server, "shared_settings", with_authorizer)
        with LocalKafka(default_cache({"HOME": str(Path.home())})) as broker:
            yield broker.bootstrap


@pytest.mark.slow
def test_rights_that_are_missing_are_told_with_the_command(guarded: str) -> None:
    """Of topics (also one that may not even be seen), groups and transactions."""
    settings = settings_for(guarded, "acl.")
    created(settings)
    assert not [one for one in look(settings) if one.state == "fail"]
    deny(guarded, ResourceType.TOPIC, settings.topic("signals"), AclOperation.WRITE)
    deny(guarded, ResourceType.TOPIC, settings.shop_topic("orders"), AclOperation.DESCRIBE)
    deny(guarded, ResourceType.GROUP, settings.topic("journey"), AclOperation.READ)
    deny(guarded, ResourceType.TRANSACTIONAL_ID, settings.topic("doctor"), AclOperation.WRITE)
    findings = look(settings)
    told = {one.detail: one.todo for one in of(findings, "rights")}
    signals = f"ANONYMOUS may not Write topic {settings.topic('signals')}"
    assert "--operation Write --topic" in told[signals]
    assert f"ANONYMOUS may not Read topic {settings.shop_topic('orders')}" in told
    assert f"ANONYMOUS may not Read group {settings.topic('journey')}" in told
    (transactions,) = of(findings, "transactions")
    assert transactions.state == "fail"
    assert "--transactional-id" in transactions.todo


def created(settings: Settings) -> None:
    """Create the topics; a broker just started takes a while to find its coordinators."""
    deadline = time.monotonic() + 90
    while True:
        try:
            create(settings)
        except BrokerUnavailable:
            assert time.monotonic() < deadline
        else:
            return


def deny(bootstrap: str, kind: ResourceType, name: str, operation: AclOperation) -> None:
    rule = AclBinding(kind, name, ResourcePatternType.LITERAL, "User:ANONYMOUS", "*", operation, AclPermissionType.DENY)
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for done in admin.create_acls([rule]).values():
        done.result(30)


def test_what_a_topic_without_append_times_says(kafka: Any) -> None:
    """No guess about the clock is made from a producer's own times."""
    topic = f"{kafka.prefix('doctor')}plain"
    kafka.create({topic: 1}, {"message.timestamp.type": "CreateTime"})
    facts = BrokerFacts({"bootstrap.servers": kafka.bootstrap})
    said = facts.append(topic, transactional_id=f"{topic}.doctor", real_ms=now_ms)
    assert isinstance(said, Refused)
    assert not said.forbidden
