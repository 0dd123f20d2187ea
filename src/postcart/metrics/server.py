"""Metrics and probes over HTTP, on a port of their own.

Owns: ``/metrics``, ``/live`` and ``/ready``. Must not: judge a worker's health; it asks the facts that it is handed.

``/live`` answers 200 while the worker's loops tick, ``/ready`` while it has joined and restored; else 503. Both list
each fact as JSON. A broker outage belongs to neither live fact: it must not kill the pod.
"""

import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Self

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from postcart.errors import ConfigurationError

Facts = Mapping[str, Callable[[], bool]]
"""What must be true, by name; asked on every request, from another thread."""


class MetricsServer:
    """Serves until closed, on a thread that ends with the process. A context manager.

    Args:
        registry: What ``/metrics`` shows.
        live: Facts of ``/live``.
        ready: Facts of ``/ready``.
        port: 0 takes a free one; see ``port`` afterwards.
        host: Address to listen on; all by default, as probes and scrapers come from outside.

    Raises:
        ConfigurationError: The port is taken or not allowed.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        live: Facts,
        ready: Facts,
        port: int,
        host: str = "0.0.0.0",  # noqa: S104 -- a pod's probes come from outside
    ) -> None:
        handler = _handler(registry, {"/live": live, "/ready": ready})
        try:
            self._server = ThreadingHTTPServer((host, port), handler)
        except (OSError, OverflowError) as error:
            raise ConfigurationError(
                f"POSTCART_METRICS_PORT={port}: metrics can't be served there ({error}); choose another port, "
                "or end the process that has it"
            ) from error
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self._thread = Thread(target=self._server.serve_forever, args=(0.1,), name="metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving; calling it again does nothing."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _handler(registry: CollectorRegistry, probes: Mapping[str, Facts]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """One request."""

        server_version = "postcart"
        sys_version = ""
        timeout = 10  # a client that says nothing must not hold a thread for ever

        def do_GET(self) -> None:  # http.server's name
            """Answer."""
            path = self.path.partition("?")[0]
            if path == "/metrics":
                encoder, content_type = choose_encoder(self.headers.get("Accept", ""))
                self._answer(HTTPStatus.OK, content_type, encoder(registry))
            elif path in probes:
                facts = {name: _holds(fact) for name, fact in probes[path].items()}
                status = HTTPStatus.OK if all(facts.values()) else HTTPStatus.SERVICE_UNAVAILABLE
                self._answer(status, "application/json", json.dumps(facts).encode() + b"\n")
            else:
                self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"/metrics, /live or /ready\n")

        def do_HEAD(self) -> None:
            """Answer without a body."""
            self.do_GET()

        def _answer(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- http.server's name
            """Say nothing: a scrape every few seconds is no news."""

    return Handler


def _holds(fact: Callable[[], bool]) -> bool:
    """A fact that can't be asked does not hold."""
    try:
        return bool(fact())
    except Exception:  # noqa: BLE001 -- a probe must answer whatever happens; 503 is the answer
        return False
