"""The settings a broker for tests, benches and the demo runs with.

Owns: the text of ``server.properties`` and the few settings that containers share. Must not: start anything.
"""

from collections.abc import Sequence
from typing import NamedTuple

MESSAGE_MAX_BYTES = 8 * 1024 * 1024
"""Bytes. Tests send oversized records of 5 MB, which the broker has to let through for a worker to refuse them."""


class Node(NamedTuple):
    """Addresses of one combined broker and controller. ``number`` counts from 0, Kafka's node id from 1."""

    number: int
    port: int
    controller_port: int
    directory_id: str

    @property
    def node_id(self) -> int:
        """Kafka's ``node.id``."""
        return self.number + 1

    @property
    def address(self) -> str:
        """What clients connect to."""
        return f"127.0.0.1:{self.port}"

    @property
    def controller(self) -> str:
        """The controller's listener."""
        return f"127.0.0.1:{self.controller_port}"


def shared_settings(nodes: int) -> dict[str, str]:
    """Return the settings that don't depend on where the broker runs, for a cluster of ``nodes`` brokers."""
    replication = str(min(3, nodes))
    in_sync = str(min(2, nodes))
    return {
        # A killed worker's partitions move within 10 s; the protocol takes this from the broker, not from the client.
        "group.consumer.session.timeout.ms": "10000",
        "group.consumer.min.session.timeout.ms": "1000",
        "group.consumer.heartbeat.interval.ms": "1000",
        "group.consumer.min.heartbeat.interval.ms": "500",
        "group.min.session.timeout.ms": "1000",
        "group.initial.rebalance.delay.ms": "0",
        "metadata.max.idle.interval.ms": "5000",  # by default an idle controller writes twice a second
        "auto.create.topics.enable": "false",
        "default.replication.factor": replication,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": replication,
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": replication,
        "transaction.state.log.min.isr": in_sync,
        "transaction.state.log.num.partitions": "4",
        # What a killed worker left open is aborted within a second of its time-out; by default it takes 10 s more.
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
        "message.max.bytes": str(MESSAGE_MAX_BYTES),
        "replica.fetch.max.bytes": str(MESSAGE_MAX_BYTES),
        "socket.request.max.bytes": str(64 * 1024 * 1024),
        "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
        "log.index.size.max.bytes": str(1024 * 1024),
        "num.network.threads": "2",
        "num.io.threads": "4",
    }


def properties(node: Node, nodes: Sequence[Node], data: str) -> str:
    """Return ``server.properties`` of ``node`` in a cluster of ``nodes`` whose files are in the folder ``data``."""
    settings = {
        "process.roles": "broker,controller",
        "node.id": str(node.node_id),
        "controller.quorum.bootstrap.servers": ",".join(one.controller for one in nodes),
        "listeners": f"PLAINTEXT://{node.address},CONTROLLER://{node.controller}",
        "advertised.listeners": f"PLAINTEXT://{node.address}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "log.dirs": data,
        # On a busy machine three may need longer for an election than the minute after which they give up by default.
        "initial.broker.registration.timeout.ms": "300000",
        **shared_settings(len(nodes)),
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())
