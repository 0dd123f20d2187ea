"""What the wiring of all workers with a loop of their own has in common.

Owns: their membership of a group, what it committed, their topics, their probes. Must not: know one of them.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager

from confluent_kafka import KafkaException

from postcart.adapters.batch_consumer import BatchConsumer, Place, Resume
from postcart.adapters.topics import Admin
from postcart.errors import BrokerUnavailable, TopologyError
from postcart.metrics.instruments import Instruments
from postcart.metrics.server import MetricsServer
from postcart.settings import Settings
from postcart.wiring.process import client_settings
from postcart.wiring.worker_name import worker_name
from postcart.workers.loop import LoopHealth


def require_topics(counts: Mapping[str, int], topics: Iterable[str]) -> None:
    """See to it that they are there.

    Raises:
        TopologyError: Some are not; names them all.
    """
    missing = [topic for topic in topics if topic not in counts]
    if missing:
        raise TopologyError(*(f"topic {topic} is missing: `postcart topics create` makes it" for topic in missing))


def member(settings: Settings, name: str, group: str, topics: tuple[str, ...]) -> Callable[[Resume], BatchConsumer]:
    """What makes a member of the group that resumes where it is told; ``name``: of the worker's kind."""

    def join(resume: Resume) -> BatchConsumer:
        return BatchConsumer(
            client_settings(settings),
            client_id=f"{name}.{worker_name(settings)}",
            consumer_group=group,
            topics=topics,
            resume=resume,
        )

    return join


def committed(admin: Admin, group: str) -> Callable[[Collection[Place]], Mapping[Place, int]]:
    """What tells where the group's commits stand, of those partitions that have any."""

    def ask(places: Collection[Place]) -> Mapping[Place, int]:
        try:
            return admin.committed(group, places)
        except KafkaException as error:
            raise BrokerUnavailable(str(error)) from error

    return ask


@contextmanager
def probed(
    settings: Settings, instruments: Instruments, health: LoopHealth, *, ready: str = "joined"
) -> Iterator[None]:
    """Metrics and probes are served meanwhile, if a port is set; ``ready``: how that fact is called."""
    if not settings.metrics_port:
        yield
        return
    facts = {"loop_ticks": health.live}, {ready: health.ready}
    with MetricsServer(instruments.registry, live=facts[0], ready=facts[1], port=settings.metrics_port):
        yield
