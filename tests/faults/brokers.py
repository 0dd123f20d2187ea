"""Which broker a row runs on, and what it wrote.

Owns: that choice. Must not: know what is done to it.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faults.places import SmallDiskKafka
from faults.proxied import proxied_cluster
from faults.scenario import Described
from faults.world import Broker
from postcart.adapters.local_kafka import ExternalKafka, LocalKafka


def is_own(row: Described) -> bool:
    """Whether the row hurts brokers, so that it needs some of its own."""
    return bool(row.brokers or row.disk_mb or row.proxied)


def keep_logs(broker: Broker, folder: Path) -> None:
    """Copy what a row's own brokers have written beside the workers' logs: a failed run may be theirs."""
    if isinstance(broker, LocalKafka):
        for log in broker.log_path.parent.glob("broker-*.log"):
            shutil.copy(log, folder)


@contextmanager
def broker_for(row: Described, shared: str | None, cache: Path) -> Iterator[Broker]:
    """The shared broker where there is one and the row does no harm to it, else a cluster of the row's own.

    Raises:
        BrokerUnavailable: None can be started here.
    """
    if shared and not is_own(row):
        yield ExternalKafka(shared)
    elif row.proxied:
        with proxied_cluster(cache, max(1, row.brokers)) as behind:
            yield behind
    elif row.disk_mb:
        with SmallDiskKafka(cache, megabytes=row.disk_mb) as small:
            yield small
    else:
        with LocalKafka(cache, brokers=max(1, row.brokers), start_timeout_s=300.0) as own:
            yield own
