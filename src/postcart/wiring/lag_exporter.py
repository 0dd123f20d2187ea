"""The one exporter of lag: measures from outside, again and again, and serves the figures as metrics.

Owns: which groups read which topics, the loops, and the series. Must not: measure (adapters.lag), or read dead letters
(adapters.dead_letters).

Two loops: the first reading of all dead letters may take minutes, and lag must not wait for it.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping

import structlog
from prometheus_client.core import GaugeMetricFamily

from postcart.adapters.dead_letters.pending import Group, PendingLetters
from postcart.adapters.lag import Measured, measure
from postcart.adapters.topics import (
    alert_group,
    alert_inputs,
    poll_group,
    poll_inputs,
    project_group,
    project_inputs,
    stage_group,
    stage_inputs,
    stages,
)
from postcart.errors import BrokerUnavailable, ConfigurationError, TopologyError
from postcart.metrics.server import MetricsServer
from postcart.metrics.table import BY_NAME
from postcart.settings import Settings
from postcart.wiring.instruments import process_instruments
from postcart.workers.loop import told_to_end

EVERY_S = 15.0
"""As often as Prometheus scrapes by default: more would not be seen."""

LATE_S = 180.0
"""A measurement of an unreachable broker takes up to a minute; a loop that is silent for longer hangs."""

_RECORDS, _SECONDS, _MEMBERS = "consumer_group_lag", "consumer_group_lag_seconds", "consumer_group_members"
_AT, _DEAD = "lag_measured_timestamp_seconds", "dead_letters_pending"
_LOG = structlog.get_logger(__name__)


def group_topics(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Each of Postcart's groups with the topics that it commits. ``gate`` is read whole each time, never committed."""
    whole = settings.topic("gate")
    groups = {
        stage_group(settings, stage): tuple(topic for topic in stage_inputs(settings, stage) if topic != whole)
        for stage in stages(settings)
    }
    if settings.read_model_url is not None:
        groups[project_group(settings)] = project_inputs(settings)
    if settings.alerts.slack_url is not None or settings.alerts.email:
        groups[alert_group(settings)] = alert_inputs(settings)
    if settings.polling.sources:
        groups[poll_group(settings)] = poll_inputs(settings)
    return groups


class LagCollector:
    """Shows the latest measurement as a whole; what is not known has no series, so that nobody takes it for good.

    Attributes:
        measured: The latest; None while the broker can't be reached.
        dead: How many dead letters wait; None while that is not known.
    """

    def __init__(self) -> None:
        self.measured: Measured | None = None
        self.dead: Mapping[Group, int] | None = None

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One family per metric of the table; called by the registry, from another thread."""
        measured, dead = self.measured, self.dead
        families = {name: _family(name) for name in (_RECORDS, _SECONDS, _MEMBERS, _AT, _DEAD)}
        if measured is not None:
            families[_AT].add_metric([], measured.at_ms / 1_000)
        for group in measured.groups if measured else ():
            if group.members is not None:
                families[_MEMBERS].add_metric([group.group], group.members)
            for one in group.partitions:
                place = [group.group, one.topic, str(one.partition)]
                if one.records is not None:
                    families[_RECORDS].add_metric(place, one.records)
                if one.seconds is not None:
                    families[_SECONDS].add_metric(place, one.seconds)
        for (topic, reason), count in (dead or {}).items():
            families[_DEAD].add_metric([topic, reason], count)
        yield from families.values()


class Pulse:
    """When a loop last came round, in elapsed seconds; asked by the live probe, from another thread."""

    def __init__(self) -> None:
        self._at_s = time.monotonic()

    def beat(self) -> None:
        """The loop came round."""
        self._at_s = time.monotonic()

    def lives(self) -> bool:
        """Whether that was lately. A broker that does not answer changes nothing."""
        return time.monotonic() - self._at_s < LATE_S


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
    stopped = told_to_end()
    instruments = process_instruments()
    collector = LagCollector()
    instruments.registry.register(collector)
    reached, pulse = threading.Event(), Pulse()
    counting = threading.Thread(
        target=_count_dead, args=(settings, collector, stopped), name="dead-letters", daemon=True
    )
    live, ready = {"loop_ticks": pulse.lives}, {"broker": reached.is_set}
    with MetricsServer(instruments.registry, live=live, ready=ready, port=settings.metrics_port):
        counting.start()
        while not stopped.is_set():
            measure_once(settings, collector, reached, now_ms=now_ms())
            pulse.beat()
            stopped.wait(EVERY_S)
    return 0


def measure_once(settings: Settings, collector: LagCollector, reached: threading.Event, *, now_ms: int) -> None:
    """Measure for ``collector``; without a broker nothing is known."""
    try:
        collector.measured = measure(_client(settings), group_topics(settings), now_ms=now_ms)
    except BrokerUnavailable as error:
        reached.clear()
        collector.measured = None
        _LOG.warning("lag is unknown", error=str(error))
    else:
        reached.set()


def count_dead_once(pending: PendingLetters, collector: LagCollector) -> None:
    """Count for ``collector``; without a broker, or the topic, nothing is known."""
    try:
        collector.dead = pending.update()
    except (BrokerUnavailable, TopologyError) as error:
        collector.dead = None
        _LOG.warning("dead letters are not counted", error=str(error))


def _count_dead(settings: Settings, collector: LagCollector, stopped: threading.Event) -> None:
    pending = PendingLetters(_client(settings), settings.topic("dead"))
    while not stopped.is_set():
        count_dead_once(pending, collector)
        stopped.wait(EVERY_S)


def _client(settings: Settings) -> dict[str, str | int | float | bool]:
    return {"bootstrap.servers": settings.bootstrap, "log_level": 0, **settings.kafka.properties()}
