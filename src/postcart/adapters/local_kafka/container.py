"""A broker in a container, where a Docker engine answers.

Owns: asking the engine, and Apache Kafka's image through testcontainers. Must not: take a Docker client on the PATH for
an engine (a client alone is common), or be imported for anything else: testcontainers is a development dependency.
"""

import socket
from typing import TYPE_CHECKING, Self

from postcart.adapters.local_kafka.cluster import free_ports
from postcart.adapters.local_kafka.distribution import KAFKA_VERSION
from postcart.adapters.local_kafka.readiness import await_brokers, deadline_in
from postcart.adapters.local_kafka.server import shared_settings
from postcart.errors import BrokerUnavailable

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

_IMAGE = f"apache/kafka:{KAFKA_VERSION}"
_PORT = 9092
_DEFAULT_ENGINE = "unix:///var/run/docker.sock"
_ENGINE_S = 3
"""Seconds the engine has to answer. It is on this machine or it is not there."""


def engine_trouble() -> str | None:
    """Ask the Docker engine and return why it can't be used, or ``None`` if it answers."""
    try:
        import docker  # noqa: PLC0415 -- comes with a development dependency, absent in production
        from docker.errors import DockerException  # noqa: PLC0415 -- the same
        from docker.utils import kwargs_from_env  # noqa: PLC0415 -- the same
    except ImportError:
        return "testcontainers is not installed"
    try:
        _knock(kwargs_from_env().get("base_url") or _DEFAULT_ENGINE)
        client = docker.from_env(timeout=_ENGINE_S)
        try:
            client.ping()
        finally:
            client.close()
    except (DockerException, OSError):
        return "no Docker engine answers"
    return None


def _knock(address: str) -> None:
    """Raise ``OSError`` if nobody listens on the engine's Unix socket: docker's client leaks a socket in that case."""
    scheme, _, path = address.partition("://")
    if scheme.endswith("unix"):
        with socket.socket(socket.AF_UNIX) as trial:
            trial.settimeout(_ENGINE_S)
            trial.connect(path)


class ContainerKafka:
    """One broker in a container for the time of a ``with`` block. testcontainers' reaper ends it if we can't."""

    def __init__(self, *, start_timeout_s: float = 180.0) -> None:
        self._timeout_s = start_timeout_s
        self._container: DockerContainer | None = None
        self.bootstrap = ""

    def __enter__(self) -> Self:
        """Start it and wait until it answers.

        Raises:
            BrokerUnavailable: The image could not be fetched, or the broker stayed silent.
        """
        from docker.errors import DockerException  # noqa: PLC0415 -- a development dependency
        from testcontainers.core.container import DockerContainer  # noqa: PLC0415 -- the same

        (port,) = free_ports(1)  # the broker must advertise the port before the container has one
        self.bootstrap = f"127.0.0.1:{port}"
        container = DockerContainer(_IMAGE).with_bind_ports(_PORT, port)
        for name, value in self._settings().items():
            container = container.with_env("KAFKA_" + name.upper().replace(".", "_"), value)
        try:
            self._container = container.start()
            await_brokers(self.bootstrap, None, deadline=deadline_in(self._timeout_s))
        except (DockerException, BrokerUnavailable) as problem:
            self.stop()
            raise BrokerUnavailable(f"the container {_IMAGE} did not come up: {problem}") from problem
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the container."""
        self.stop()

    def stop(self) -> None:
        """End it. Idempotent."""
        container, self._container = self._container, None
        if container is not None:
            container.stop()

    def _settings(self) -> dict[str, str]:
        return {
            "node.id": "1",
            "process.roles": "broker,controller",
            "controller.quorum.voters": "1@localhost:9093",
            "listeners": f"PLAINTEXT://:{_PORT},CONTROLLER://:9093",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            **shared_settings(1),
        }
