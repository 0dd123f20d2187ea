"""Counting dead letters that wait, on real Kafka: each reading costs what is new."""

import time
import uuid
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from postcart.adapters.dead_letters import scanning
from postcart.adapters.dead_letters.pending import PendingLetters
from postcart.codecs.dead_letters import DeadLetter, Redriven, encode
from postcart.errors import TopologyError


def letter(number: int, *, reason: str = "decode", topic: str = "shop.carts") -> DeadLetter:
    return DeadLetter(
        id=str(uuid.uuid5(uuid.NAMESPACE_OID, str(number))),
        stage="detect",
        reason=reason,
        detail="",
        topic=topic,
        partition=0,
        offset=number,
        key=b"v",
        value=b"x" * 1000,
    )


class Topic:
    """A topic of dead letters."""

    def __init__(self, cluster: Any) -> None:
        self.client = {"bootstrap.servers": cluster.bootstrap}
        self.name = f"{cluster.prefix('dead')}dead"
        cluster.create({self.name: 2})
        self._producer = Producer(self.client)

    def write(self, *records: DeadLetter | Redriven | bytes, partition: int = 0) -> None:
        """Append."""
        for record in records:
            key, value = (None, record) if isinstance(record, bytes) else encode(record)
            self._producer.produce(self.name, value, key, partition)
        assert self._producer.flush(30) == 0


def deleted(topic: Topic, *, before: int) -> bool:
    """Do what retention does; False while a new client does not know the leader yet."""
    admin = AdminClient({**topic.client, "log_level": 0})
    admin.list_topics(topic.name, timeout=10)
    try:
        for done in admin.delete_records([TopicPartition(topic.name, 0, before)]).values():
            done.result(30)
    except KafkaException:
        return False
    return True


@pytest.fixture
def topic(kafka: Any) -> Topic:
    return Topic(kafka)


def test_letters_wait_until_they_are_redriven(topic: Topic) -> None:
    """By topic and reason; the same letter twice is one; what is no letter is none; 0 stays 0."""
    pending = PendingLetters(topic.client, topic.name)
    assert pending.update() == {}
    topic.write(letter(1), letter(2), letter(2), b"no letter", letter(3, reason="invalid"))
    assert pending.update() == {("shop.carts", "decode"): 2, ("shop.carts", "invalid"): 1}
    topic.write(Redriven(id=letter(1).id, at_ms=1), letter(4, topic="shop.orders"))
    topic.write(Redriven(id=letter(3).id, at_ms=1), Redriven(id=letter(3).id, at_ms=2))
    assert pending.update() == {
        ("shop.carts", "decode"): 1,
        ("shop.carts", "invalid"): 0,
        ("shop.orders", "decode"): 1,
    }
    assert PendingLetters(topic.client, topic.name).update()["shop.carts", "decode"] == 1, "from the beginning alike"


def test_a_mark_on_another_partition_counts(topic: Topic) -> None:
    """Earlier releases wrote marks by another key: such a mark may be read before its letter."""
    topic.write(*(Redriven(id=letter(number).id, at_ms=1) for number in range(50)), partition=1)
    topic.write(*(letter(number) for number in range(60)))
    assert PendingLetters(topic.client, topic.name).update() == {("shop.carts", "decode"): 10}


def test_only_what_is_new_is_read_and_what_expired_waits_no_more(topic: Topic, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts the messages that come from the broker."""
    read = 0
    consume = Consumer.consume

    class Counting(Consumer):
        def consume(self, *args: Any, **named: Any) -> Any:
            nonlocal read
            messages = consume(self, *args, **named)
            read += sum(message.error() is None for message in messages)
            return messages

    monkeypatch.setattr(scanning, "Consumer", Counting)
    pending = PendingLetters(topic.client, topic.name)
    topic.write(*(letter(number) for number in range(300)))
    pending.update()
    assert read == 300
    topic.write(letter(300))
    assert pending.update()["shop.carts", "decode"] == 301
    pending.update()
    assert read == 301
    deadline = time.monotonic() + 30
    while not deleted(topic, before=300):
        assert time.monotonic() < deadline
    for _ in range(40):
        counted = pending.update()
    assert counted == {("shop.carts", "decode"): 1}


def test_without_the_topic_nothing_is_known(kafka: Any) -> None:
    """And it says so; the exporter then shows no figure."""
    with pytest.raises(TopologyError):
        PendingLetters({"bootstrap.servers": kafka.bootstrap}, f"{kafka.prefix('none')}dead").update()
