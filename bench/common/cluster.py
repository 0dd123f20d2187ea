"""The broker of a comparison and the topics on it.

Owns: starting it, making and deleting topics, reading back what contenders decided. Must not: measure.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import msgspec
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from postcart.adapters.local_kafka import default_cache, open_broker
from postcart.settings import Settings, load_settings

_ABANDONED = (b'"abandonment":{', b'{"type":"abandonment"')


class Cluster:
    """One broker, as a comparison sees it; topics made here share a prefix of their own."""

    def __init__(self, bootstrap: str, partitions: int) -> None:
        self.bootstrap = bootstrap
        self.partitions = partitions
        self.prefix = f"bench{os.getpid()}."
        self._admin = AdminClient({"bootstrap.servers": bootstrap})

    def create(self, names: Iterable[str], config: Mapping[str, str] | None = None) -> None:
        """Make topics."""
        new = [NewTopic(name, self.partitions, replication_factor=1, config=dict(config or {})) for name in names]
        for made in self._admin.create_topics(new).values():
            made.result(60)

    def delete(self, prefix: str) -> None:
        """Delete all topics whose names begin so."""
        names = [name for name in self._admin.list_topics(timeout=30).topics if name.startswith(prefix)]
        if names:
            for gone in self._admin.delete_topics(names).values():
                gone.result(60)

    def variables(self, run: str, shop: str, **more: str) -> dict[str, str]:
        """What a Postcart process of this run is configured by."""
        return {
            "POSTCART_BOOTSTRAP": self.bootstrap,
            "POSTCART_TOPIC_PREFIX": f"{self.prefix}{run}.",
            "POSTCART_SHOP_PREFIX": shop,
            "POSTCART_PARTITIONS": str(self.partitions),
            "POSTCART_WORKER_NAME": "bench",
            **more,
        }

    def settings(self, run: str, shop: str, **more: str) -> Settings:
        """The same, read."""
        return load_settings(self.variables(run, shop, **more), None)

    def values(self, topics: Iterable[str]) -> Iterator[bytes]:
        """All values that were committed to these topics."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": f"{self.prefix}check",
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "enable.auto.commit": False,
            }
        )
        places = [TopicPartition(topic, number, 0) for topic in topics for number in range(self.partitions)]
        consumer.assign(places)
        left = len(places)
        while left:
            for message in consumer.consume(10_000, 5.0):
                value = message.value()
                if message.error() is not None:
                    left -= 1
                elif value is not None:
                    yield value
        consumer.close()

    def abandonments(self, topics: Iterable[str]) -> Counter[str]:
        """All abandonments that a contender told, of known and of anonymous visitors: id, trigger, person, lines."""
        found: Counter[str] = Counter()
        for value in self.values(topics):
            if any(mark in value for mark in _ABANDONED):
                record = msgspec.json.decode(value)
                one = record.get("abandonment") or record
                lines = [(line["variant_id"], line["quantity"]) for line in one["lines"]]
                found[f"{one['abandonment_id']} {one['trigger']} {one['person_id']} {lines}"] += 1
        return found


@contextmanager
def cluster(partitions: int) -> Iterator[Cluster]:
    """The broker that KAFKA_BOOTSTRAP names, else one of its own; what was made is deleted at the end."""
    with open_broker(os.environ.get("KAFKA_BOOTSTRAP"), cache=default_cache(os.environ), measured=True) as broker:
        found = Cluster(broker.bootstrap, partitions)
        try:
            yield found
        finally:
            found.delete(found.prefix)
