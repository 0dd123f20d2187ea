"""The one exporter of lag: measures from outside, again and again, and serves the figures as metrics.

Owns: which groups read which topics, the loop, and the series. Must not: measure (adapters.lag).
"""

import threading
from collections.abc import Callable, Iterator
from importlib.metadata import version
from signal import SIGINT, SIGTERM, signal
from types import FrameType

import structlog
from prometheus_client.core import GaugeMetricFamily

from postcart.adapters.dead_letters.pending import Group, PendingLetters
from postcart.adapters.lag import Measured, measure
from postcart.adapters.topics import STAGES, project_group, project_inputs, stage_group, stage_inputs
from postcart.errors import BrokerUnavailable, ConfigurationError, TopologyError
from postcart.metrics.instruments import Instruments
from postcart.metrics.server import MetricsServer
from postcart.metrics.table import BY_NAME
from postcart.settings import Settings

EVERY_S = 15.0
"""As often as Prometheus scrapes by default: more would not be seen."""

_RECORDS, _SECONDS, _MEMBERS = "consumer_group_lag", "consumer_group_lag_seconds", "consumer_group_members"
_LOG = structlog.get_logger(__name__)


def group_topics(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Each of Postcart's groups with the topics that it commits. ``gate`` is read whole each time, never committed."""
    whole = settings.topic("gate")
    return {
        stage_group(settings, stage): tuple(topic for topic in stage_inputs(settings, stage) if topic != whole)
        for stage in STAGES
    }
    if settings.read_model_url is not None:
        groups[project_group(settings)] = project_inputs(settings)
    return groups


class LagCollector:
    """Shows the latest measurement as a whole; what is not known has no series, so that nobody takes it for good.

    Attributes:
        measured: The latest; None while the broker can't be reached.
    """

    def __init__(self) -> None:
        self.measured: Measured | None = None

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One family per metric of the table; called by the registry, from another thread."""
        measured = self.measured
        families = {name: _family(name) for name in (_RECORDS, _SECONDS, _MEMBERS)}
        for group in measured.groups if measured else ():
            if group.members is not None:
                families[_MEMBERS].add_metric([group.group], group.members)
            for one in group.partitions:
                place = [group.group, one.topic, str(one.partition)]
                if one.records is not None:
                    families[_RECORDS].add_metric(place, one.records)
                if one.seconds is not None:
                    families[_SECONDS].add_metric(place, one.seconds)
        yield from families.values()


def _family(name: str) -> GaugeMetricFamily:
    metric = BY_NAME[name]
    return GaugeMetricFamily(metric.full_name, metric.help, labels=metric.labels)


def serve_lag(settings: Settings, *, now_ms: Callable[[], int]) -> int:
    """Measure every 15 s and serve it on ``metrics_port`` until SIGTERM or SIGINT; returns the exit code.

    A broker outage ends the series, not the process.

    Raises:
        ConfigurationError: No port is set, or it is taken.
    """
    if not settings.metrics_port:
        raise ConfigurationError("POSTCART_METRICS_PORT is not set; the lag exporter serves its figures there")
    stopped = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopped.set()

    for number in (SIGINT, SIGTERM):
        signal(number, stop)
    instruments = Instruments().with_process(version=version("postcart"), revision="")
    collector = LagCollector()
    instruments.registry.register(collector)
    reached = threading.Event()
    with MetricsServer(instruments.registry, live={}, ready={"broker": reached.is_set}, port=settings.metrics_port):
        while not stopped.is_set():
            measure_once(settings, collector, reached, now_ms=now_ms())
            stopped.wait(EVERY_S)
    return 0


def measure_once(settings: Settings, collector: LagCollector, reached: threading.Event, *, now_ms: int) -> None:
    """Measure for ``collector``; without a broker nothing is known."""
    config = {"bootstrap.servers": settings.bootstrap, **settings.kafka.properties()}
    try:
        collector.measured = measure(config, group_topics(settings), now_ms=now_ms)
    except BrokerUnavailable as error:
        reached.clear()
        collector.measured = None
        _LOG.warning("lag is unknown", error=str(error))
    else:
        reached.set()
