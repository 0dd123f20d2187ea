"""How this process talks to Kafka, as librdkafka wants to hear it.

Owns: the configurations of consumer, producer, admin client and changelog reader. Must not: read the environment.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

_REQUEST_MS = 10_000

Config = dict[str, str | int | float | bool]

ADMIN: Final[Config] = {"enable.sparse.connections": False}
"""What every admin client needs: connections to all brokers.

If they are made only when they are needed, a request that waits for a broker that is down asks for the connection
anew whenever its state changes, thus at once after each failure, past the reconnect backoff: two threads of librdkafka
2.16 that wake each other as fast as they can, for as long as the request may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """Everything about Kafka that a worker's clients have in common."""

    bootstrap: str
    """``host:port[,host:port…]``"""
    group_protocol: Literal["consumer", "classic"] = "consumer"
    """``consumer`` is KIP-848, Kafka 4; ``classic``, for brokers that lack it, stops the world on each rebalance."""
    security: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    """librdkafka properties for TLS and SASL, added to every client."""
    queued_kbytes: int = 32 * 1024
    """Bound of what the consumer prefetches, in KiB, over all partitions."""
    poll_records: int = 12_000
    """Most records that one poll returns."""
    batch_records: int = 100_000
    """Most records of a partition number that are folded together; a stage that takes long over them asks for fewer."""
    partition_fetch_kbytes: int = 4 * 1024
    """Most that one fetch returns of a partition, in KiB: what one poll returns of it can't be larger."""
    handover_records: int = 200_000
    """Most records that wait between polling thread and stage before fetching pauses."""
    handover_kbytes: int = 128 * 1024
    """The same in KiB of memory."""
    transaction_timeout_ms: int = 10_000
    """How long the broker lets a transaction stay open before it aborts it."""
    compression: str = "lz4"
    producer_queue_kbytes: int = 256 * 1024

    def client(self, client_id: str) -> Config:
        """Properties of every client."""
        return {
            "bootstrap.servers": self.bootstrap,
            "client.id": client_id,
            "log_level": 2,
            "reconnect.backoff.max.ms": 1000,
            # A broker that comes or goes loses requests, which are asked again only after this; by default in a minute.
            "socket.timeout.ms": min(_REQUEST_MS, self.transaction_timeout_ms),  # a producer must not have a longer one
            "socket.connection.setup.timeout.ms": _REQUEST_MS,
            **self.security,
        }

    def admin(self, client_id: str) -> Config:
        """Properties of an admin client."""
        return self.client(client_id) | ADMIN

    def consumer(self, client_id: str, group: str) -> Config:
        """Properties of the group member. Offsets are committed by transactions alone."""
        config: Config = self.client(client_id) | {
            "group.id": group,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,  # tells the position past transaction markers and compacted tails
            "allow.auto.create.topics": False,
            "queued.min.messages": 100_000,
            "queued.max.messages.kbytes": self.queued_kbytes,
            "fetch.queue.backoff.ms": 5,  # the default of 1 s starves the consumer whenever the queue was full
            "max.partition.fetch.bytes": self.partition_fetch_kbytes * 1024,
            "fetch.wait.max.ms": 50,
            "fetch.error.backoff.ms": 100,
            "topic.metadata.refresh.interval.ms": 30_000,
            "statistics.interval.ms": 2000,  # the only sign of a membership without partitions
        }
        if self.group_protocol == "consumer":
            return config | {"group.protocol": "consumer", "group.remote.assignor": "range"}
        return config | {"partition.assignment.strategy": "range", "session.timeout.ms": 10_000}

    def producer(self, client_id: str, transactional_id: str) -> Config:
        """Properties of the transactional producer."""
        return self.client(client_id) | {
            "transactional.id": transactional_id,
            "transaction.timeout.ms": self.transaction_timeout_ms,
            "partitioner": "murmur2_random",  # Java's default; librdkafka's own is CRC32
            "compression.type": self.compression,
            "linger.ms": 5,
            "queue.buffering.max.messages": 500_000,
            "queue.buffering.max.kbytes": self.producer_queue_kbytes,
            "delivery.report.only.error": True,
        }

    def reader(self, client_id: str) -> Config:
        """Properties of a consumer that is assigned partitions by hand and commits nothing."""
        return self.client(client_id) | {
            "group.id": f"{client_id}.reader",  # required by the client, never joined
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "allow.auto.create.topics": False,
            "queued.min.messages": 100_000,
            "queued.max.messages.kbytes": self.queued_kbytes,
            "fetch.queue.backoff.ms": 5,
            "fetch.wait.max.ms": 50,
        }
