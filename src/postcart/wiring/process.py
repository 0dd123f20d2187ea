"""What every worker's process has around it: how it talks to Kafka, its clock, keys of its own.

Owns: these, out of the settings. Must not: know a kind of worker, or import what only some of them need (a process
starts by importing, and many are started).
"""

from collections.abc import Iterator
from contextlib import contextmanager

from postcart.adapters.clock import ReplayClock, WallClock
from postcart.adapters.rdkafka.settings import ClientSettings
from postcart.settings import Settings, require
from postcart.settings.model import LOOPBACK
from postcart.wiring.worker_name import worker_name

Clock = WallClock | ReplayClock


def client_settings(settings: Settings) -> ClientSettings:
    """How this process talks to Kafka."""
    return ClientSettings(
        bootstrap=settings.bootstrap,
        group_protocol=settings.group_protocol,
        security=settings.kafka.properties(),
    )


@contextmanager
def worker_clock(settings: Settings) -> Iterator[Clock]:
    """The wall clock, or in a replay the clock that the replay tells."""
    if settings.clock == "wall":
        yield WallClock()
        return
    client = client_settings(settings).reader(f"{settings.topic('clock')}.{worker_name(settings)}")
    with ReplayClock(client, settings.topic("clock")) as clock:
        yield clock


def require_own_keys(settings: Settings, *paths: str) -> None:
    """The defaults are known to everybody: they are for trials with a broker on this machine.

    Raises:
        ConfigurationError: Kafka is elsewhere, and these settings are still the defaults.
    """
    hosts = {address.strip().rpartition(":")[0] for address in settings.bootstrap.split(",")}
    if not hosts <= LOOPBACK:
        require(settings, *paths)
