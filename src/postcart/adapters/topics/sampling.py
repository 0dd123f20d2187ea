"""Whether the shop's records are keyed and partitioned as stages need them, by a sample.

Owns: reading some of the youngest records and judging their keys. Must not: decode values, or join a group.

Records of one visitor meet only if every producer partitions alike. Java's default is murmur2; librdkafka's is CRC32
unless its producer sets ``partitioner=murmur2_random``.
"""

from collections.abc import Iterator
from contextlib import closing
from time import monotonic
from typing import Any

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from postcart.adapters.topics.client import Admin, Partitions
from postcart.codecs.sanity import is_sentinel
from postcart.errors import BrokerUnavailable
from postcart.settings import Settings

SHOP_TOPICS = ("sessions", "carts", "orders", "profiles")

_PER_PARTITION = 100
_WAIT_S = 15.0
_MASK = 0xFFFFFFFF
_FACTOR = 0x5BD1E995
_SEED = 0x9747B28C


def murmur2(data: bytes) -> int:
    """Hash as Kafka's Java client does (``org.apache.kafka.common.utils.Utils.murmur2``), made positive."""
    length = len(data)
    value = _SEED ^ length
    whole = length & ~3
    for start in range(0, whole, 4):
        part = int.from_bytes(data[start : start + 4], "little") * _FACTOR & _MASK
        part = (part ^ part >> 24) * _FACTOR & _MASK
        value = (value * _FACTOR & _MASK) ^ part
    if rest := data[whole:]:
        value = (value ^ int.from_bytes(rest, "little")) * _FACTOR & _MASK
    value = (value ^ value >> 13) * _FACTOR & _MASK
    return (value ^ value >> 15) & 0x7FFFFFFF


def check_keys(settings: Settings, *, per_partition: int = _PER_PARTITION) -> list[str]:
    """Return what is wrong with the keys of the youngest records of the shop's topics, one line per topic and fault.

    Raises:
        BrokerUnavailable: Kafka doesn't answer.
    """
    admin = Admin(settings)
    counts = admin.partition_counts()
    problems: list[str] = []
    for name in SHOP_TOPICS:
        topic = settings.shop_topic(name)
        if topic in counts:
            sample = _sample(settings, admin, topic, counts[topic], per_partition)
            problems += _judge(topic, counts[topic], sample)
    return problems


def _judge(topic: str, count: int, sample: list[Message]) -> Iterator[str]:
    keys = [(message.partition(), _bytes(message.key())) for message in sample]
    nobody = sum(key is None or is_sentinel(key.decode("utf-8", "replace")) for _, key in keys)
    astray = sum(key is not None and murmur2(key) % count != partition for partition, key in keys)
    if nobody:
        yield (
            f"topic {topic}: {nobody} of {len(keys)} sampled records have no key or one that means nobody"
            " (guest, null, 0 ...); they become dead letters"
        )
    if astray:
        yield (
            f"topic {topic}: {astray} of {len(keys)} sampled records are not on the partition that murmur2 of their key"
            " gives, so records of one key don't meet: let their producer use partitioner=murmur2_random"
        )


def _sample(settings: Settings, admin: Admin, topic: str, count: int, per_partition: int) -> list[Message]:
    """Read up to ``per_partition`` of the youngest records of each partition."""
    partitions = [(topic, number) for number in range(count)]
    first, end = admin.beginnings(partitions), admin.ends(partitions)
    start = {one: max(first[one], end[one] - per_partition) for one in partitions if end[one] > first[one]}
    if not start:
        return []
    config: dict[str, Any] = {
        "bootstrap.servers": settings.bootstrap,
        "group.id": settings.topic("topics.check"),  # required by the client, never joined
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "earliest",
        "log_level": 0,
        **settings.kafka.properties(),
    }
    with closing(Consumer(config)) as consumer:
        consumer.assign([TopicPartition(name, number, offset) for (name, number), offset in start.items()])
        return _read(consumer, start, end, admin)


def _read(consumer: Consumer, start: Partitions, end: Partitions, admin: Admin) -> list[Message]:
    """Read every partition to where it ended when the sample was taken, or to where there is nothing more now."""
    unread = set(start)
    sample: list[Message] = []
    deadline = monotonic() + _WAIT_S
    while unread:
        if monotonic() > deadline:
            raise admin.unreachable()
        for message in consumer.consume(500, 0.2):
            error = message.error()
            here = (message.topic() or "", message.partition() or 0)
            if error is None:
                sample.append(message)
                if (message.offset() or 0) + 1 >= end[here]:
                    unread.discard(here)
            elif error.code() == error._PARTITION_EOF:  # noqa: SLF001 -- the binding names local errors so
                unread.discard(here)
            elif error.fatal():
                raise BrokerUnavailable(f"the sample can't be read: {error.str()}") from KafkaException(error)
    return sample


def _bytes(key: str | bytes | None) -> bytes | None:
    """Return a key as it was written; ``None`` for an empty one, too."""
    return (key.encode() if isinstance(key, str) else key) or None
