"""Knowing that brokers are up, by asking them.

Owns: the wait for a cluster's members. Must not: sleep for a guessed time and hope.
"""

from collections.abc import Callable
from time import monotonic
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from postcart.errors import BrokerUnavailable

_PAUSE_S = 0.05
_REQUEST_S = 2.0


def quiet_admin(bootstrap: str) -> AdminClient:
    """Return an admin client that doesn't write to standard error while nobody answers yet."""
    settings: dict[str, Any] = {
        "bootstrap.servers": bootstrap,
        "log_level": 0,
        "reconnect.backoff.max.ms": 200,
        "socket.connection.setup.timeout.ms": 2000,
    }
    return AdminClient(settings)


def deadline_in(seconds: float) -> float:
    """Return the moment ``seconds`` from now on ``time.monotonic()``'s scale."""
    return monotonic() + seconds


def await_brokers(
    bootstrap: str, expected: set[int] | None, *, deadline: float, alive: Callable[[], None] = lambda: None
) -> None:
    """Wait until the brokers ``expected`` (node ids; ``None``: any one) are in the cluster's metadata.

    Args:
        bootstrap: Addresses to ask.
        expected: Node ids.
        deadline: On ``time.monotonic()``'s scale, in seconds.
        alive: Called between questions; raises if waiting is in vain.

    Raises:
        BrokerUnavailable: The deadline passed.
    """
    seen: set[int] = set()
    while True:
        alive()
        admin = quiet_admin(bootstrap)  # a new one each time: an old one asks the brokers it has heard of meanwhile
        try:
            seen = set(admin.list_topics(timeout=_REQUEST_S).brokers)
        except KafkaException:
            seen = set()
        if seen and (expected is None or expected <= seen):
            return
        if monotonic() > deadline:
            raise BrokerUnavailable(f"no answer from Kafka at {bootstrap} (brokers seen: {sorted(seen) or 'none'})")
        admin.poll(_PAUSE_S)
