"""A whole Postcart that is watched: workers that serve their figures and log all there is to log.

Owns: their ports, and asking them. Must not: judge a figure.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from typing import Any

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from ports import free_port
from postcart.metrics.table import PREFIX
from stream.shop import Shop
from waiting import wait_for


def get(port: int, path: str) -> tuple[int, str]:
    """Status and text of what a worker serves there."""
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


class Figures:
    """One scrape."""

    def __init__(self, port: int) -> None:
        status, text = get(port, "/metrics")
        assert status == 200
        self.families: dict[str, Metric] = {family.name: family for family in text_string_to_metric_families(text)}
        self.samples = [sample for family in self.families.values() for sample in family.samples]

    def total(self, name: str, **labels: str) -> float:
        """Sum over all series that have these labels."""
        found = [one for one in self.samples if one.name == PREFIX + name and labels.items() <= one.labels.items()]
        return sum(one.value for one in found)

    def partitions(self, name: str) -> set[str]:
        """Partitions that have a series."""
        return {one.labels["partition"] for one in self.samples if one.name == PREFIX + name}


class Watched(Shop):
    """Each worker serves its figures, and logs all there is to log."""

    def __init__(self, *arguments: Any, **variables: str) -> None:
        super().__init__(*arguments, POSTCART_LOG__LEVEL="debug", POSTCART_LOG__FORMAT="json", **variables)
        self.ports: dict[str, int] = {}

    def start(self, kind: str, name: str | None = None) -> None:
        """Start a worker, with a port of its own."""
        port = self.ports[name or kind] = free_port()
        self.variables["POSTCART_METRICS_PORT"] = str(port)
        super().start(kind, name)

    def probe(self, name: str, path: str) -> int:
        """The answer's status; 0 while nobody listens."""
        self.assert_alive()
        with suppress(OSError):
            return get(self.ports[name], path)[0]
        return 0

    def figures(self, name: str) -> Figures:
        """Scrape one worker."""
        return Figures(self.ports[name])

    def await_ready(self, name: str) -> None:
        """Wait until the worker says that it is."""
        wait_for(lambda: self.probe(name, "/ready") == 200, lambda: f"{name} is not ready")


@contextmanager
def exporter(shop: Watched) -> Iterator[int]:
    """The lag exporter beside the workers; yields its port."""
    port = free_port()
    environment = {**os.environ, **shop.variables, "POSTCART_METRICS_PORT": str(port)}  # noqa: TID251 -- for the child
    process = subprocess.Popen([sys.executable, "-m", "postcart", "lag", "--serve"], env=environment, cwd=shop.folder)
    try:
        yield port
    finally:
        process.terminate()
        assert process.wait(30) == 0
