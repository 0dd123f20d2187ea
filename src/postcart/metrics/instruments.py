"""Prometheus objects made from the table, on one registry per process.

Owns: the registry and the objects; removing series. Must not: name a metric that is not in the table.
"""

from collections import defaultdict
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from postcart.metrics.table import BY_NAME

_Instrument = TypeVar("_Instrument", Counter, Gauge, Histogram)


class Instruments:
    """Makes each metric of the table when it is first used, so that a worker shows what it has and nothing else.

    Args:
        registry: Its own by default: nothing is shared between two in one process.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # untyped library function
        self.registry = registry or CollectorRegistry()
        self._made: dict[str, Counter | Gauge | Histogram] = {}
        self._series: defaultdict[str, dict[tuple[tuple[str, str], ...], Counter | Gauge | Histogram]]
        self._series = defaultdict(dict)

    def counter(self, name: str, **labels: str) -> Counter:
        """The counter of the table by that name, with these labels."""
        return self._get(Counter, name, labels)

    def gauge(self, name: str, **labels: str) -> Gauge:
        """The gauge of the table by that name, with these labels."""
        return self._get(Gauge, name, labels)

    def histogram(self, name: str, **labels: str) -> Histogram:
        """The histogram of the table by that name, with these labels."""
        return self._get(Histogram, name, labels)

    def remove(self, name: str, **labels: str) -> None:
        """End the series of these labels; nothing happens if there is none. A stale series lies."""
        made = self._made.get(name)
        if made is not None:
            self._series.pop(name, None)
            made.remove(*(labels[label] for label in BY_NAME[name].labels))

    def clear(self, name: str) -> None:
        """End all series of a metric."""
        made = self._made.get(name)
        if made is not None:
            self._series.pop(name, None)
            made.clear()

    def with_process(self, *, version: str, revision: str) -> "Instruments":
        """Also tell what runs, its memory, CPU time, files and garbage collections; returns itself."""
        self.gauge("build_info", version=version, revision=revision).set(1)
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        return self

    def _get(self, kind: type[_Instrument], name: str, labels: dict[str, str]) -> _Instrument:
        series, key = self._series[name], tuple(labels.items())
        found = series.get(key)  # the library's own way to a series checks and converts all labels each time
        if found is None:
            made = self._made.get(name)
            if made is None:
                made = self._made[name] = self._make(name)
            found = series[key] = made.labels(**labels) if labels else made
        if not isinstance(found, kind):
            raise TypeError(f"{name} is a {BY_NAME[name].kind}")
        return found

    def _make(self, name: str) -> Counter | Gauge | Histogram:
        metric = BY_NAME[name]
        if metric.kind == "counter":
            return Counter(metric.full_name, metric.help, metric.labels, registry=self.registry)
        if metric.kind == "gauge":
            return Gauge(metric.full_name, metric.help, metric.labels, registry=self.registry)
        return Histogram(metric.full_name, metric.help, metric.labels, registry=self.registry, buckets=metric.buckets)


class PerPartition:
    """Series that live as long as this worker owns a partition.

    Args:
        instruments: Where the gauges are.
        labels: Labels that all of them have besides ``partition``.
    """

    def __init__(self, instruments: Instruments, **labels: str) -> None:
        self._instruments = instruments
        self._labels = labels
        self._names: defaultdict[int, set[str]] = defaultdict(set)

    def set(self, name: str, partition: int, value: float) -> None:
        """Set the gauge ``name`` of ``partition``."""
        self._names[partition].add(name)
        self._instruments.gauge(name, partition=str(partition), **self._labels).set(value)

    def close(self, partition: int) -> None:
        """The partition went elsewhere: end its series."""
        for name in self._names.pop(partition, ()):
            self._instruments.remove(name, partition=str(partition), **self._labels)
