"""A real broker for tests, benches and the demo.

Owns: the choice of where it comes from. Must not: be used in production, or read the environment (the caller hands
in what it found there).
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

from postcart.adapters.local_kafka.cluster import LocalKafka, free_ports
from postcart.adapters.local_kafka.container import ContainerKafka, engine_trouble
from postcart.adapters.local_kafka.distribution import default_cache
from postcart.adapters.local_kafka.readiness import await_brokers, deadline_in
from postcart.errors import BrokerUnavailable

__all__ = ["Broker", "ExternalKafka", "LocalKafka", "default_cache", "free_ports", "open_broker"]

_EXTERNAL_S = 15.0


class Broker(Protocol):
    """What all sources of a broker have in common."""

    @property
    def bootstrap(self) -> str:
        """Addresses for ``bootstrap.servers``."""


class ExternalKafka(NamedTuple):
    """A cluster that somebody else runs."""

    bootstrap: str


@contextmanager
def open_broker(bootstrap: str | None, *, cache: Path, measured: bool = False) -> Iterator[Broker]:
    """Provide a real broker: the one named, else one in a container, else Apache Kafka fetched by Maven.

    Args:
        bootstrap: Addresses of a cluster to use as it is (``KAFKA_BOOTSTRAP``), or ``None`` or empty.
        cache: Folder for Kafka's jars, see ``default_cache``.
        measured: See ``LocalKafka``.

    Yields:
        The broker, answering. One that was started here ends with the block.

    Raises:
        BrokerUnavailable: None is possible; the message says why, and what to install.
    """
    if bootstrap:
        await_brokers(bootstrap, None, deadline=deadline_in(_EXTERNAL_S))
        yield ExternalKafka(bootstrap)
        return
    with ExitStack() as stack:
        # What the block raises is the caller's own and must pass untouched.
        broker = _start(stack, cache, measured=measured)
        yield broker


def _start(stack: ExitStack, cache: Path, *, measured: bool) -> Broker:
    why_no_container = engine_trouble()
    if why_no_container is None:
        try:
            return stack.enter_context(ContainerKafka())
        except BrokerUnavailable as problem:
            why_no_container = str(problem)
    try:
        return stack.enter_context(LocalKafka(cache, measured=measured))
    except BrokerUnavailable as problem:
        raise BrokerUnavailable(
            f"no Kafka broker can be had here.\n  in a container: {why_no_container}\n  on this machine: {problem}\n"
            "  or set KAFKA_BOOTSTRAP to the address of one that runs"
        ) from problem
