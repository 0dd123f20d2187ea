"""The metrics' port: probes, the page, and what it says of a port that is taken."""

import json
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from postcart.errors import ConfigurationError
from postcart.metrics.instruments import Instruments
from postcart.metrics.server import MetricsServer


@pytest.fixture
def instruments() -> Instruments:
    return Instruments()


class Facts(dict[str, bool]):
    """Facts that a test can change."""

    def asked(self) -> dict[str, Any]:
        """Each fact as a question."""
        return {name: lambda name=name: self[name] for name in self}


@pytest.fixture
def facts() -> Facts:
    return Facts(loops_tick=True, joined=False)


@pytest.fixture
def server(instruments: Instruments, facts: Facts) -> Iterator[MetricsServer]:
    asked = facts.asked()
    live, ready = {"loops_tick": asked["loops_tick"]}, asked
    with MetricsServer(instruments.registry, live=live, ready=ready, port=0, host="127.0.0.1") as running:
        yield running


def get(server: MetricsServer, path: str, method: str = "GET") -> tuple[int, str, bytes]:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request(method, path)
    response = connection.getresponse()
    answer = response.status, response.headers["Content-Type"], response.read()
    connection.close()
    return answer


def test_probes_answer_by_the_facts(server: MetricsServer, facts: Facts) -> None:
    """503 says which fact does not hold."""
    status, _, body = get(server, "/ready")
    assert (status, json.loads(body)) == (503, {"loops_tick": True, "joined": False})
    facts["joined"] = True
    assert get(server, "/ready")[0] == 200
    assert get(server, "/live")[0] == 200
    facts["loops_tick"] = False
    assert get(server, "/live")[0] == 503


def test_a_fact_that_raises_does_not_hold(server: MetricsServer, facts: Facts) -> None:
    """A probe always gets an answer."""
    del facts["loops_tick"]
    assert get(server, "/live")[0] == 503


def test_metrics_are_served(server: MetricsServer, instruments: Instruments) -> None:
    """In Prometheus's text form, with what tells the version."""
    instruments.with_process(version="1.2.3", revision="abc")
    status, content_type, body = get(server, "/metrics?name=all")
    assert status == 200
    assert content_type.startswith("text/plain")
    families = {family.name: family for family in text_string_to_metric_families(body.decode())}
    assert families["postcart_build_info"].samples[0].labels == {"version": "1.2.3", "revision": "abc"}
    assert "process_resident_memory_bytes" in families


def test_other_paths_and_head(server: MetricsServer) -> None:
    """Nothing else is there; HEAD has no body."""
    assert get(server, "/")[0] == 404
    assert get(server, "/metrics", "HEAD")[2] == b""


def test_a_taken_port_says_so(server: MetricsServer, instruments: Instruments) -> None:
    """The message names the setting."""
    with pytest.raises(ConfigurationError, match="POSTCART_METRICS_PORT"):
        MetricsServer(instruments.registry, live={}, ready={}, port=server.port, host="127.0.0.1")
