"""What the gateway counts.

Owns: requests, and what callbacks brought. Must not: know a route.
"""

from collections.abc import Callable

from postcart.metrics.reports import ReportFigures


class GatewayFigures(ReportFigures):
    """Figures of one gateway process."""

    def webhook(self, source: str, result: str) -> None:
        """A webhook was dealt with or refused."""
        self._instruments.counter("webhooks_received_total", source=source, result=result).inc()

    def engaged(self, channel: str, kind: str, *, count: int = 1) -> None:
        """A person did something with messages."""
        self._instruments.counter("engagements_total", channel=channel, kind=kind, actor="person").inc(count)

    def streams(self, count: Callable[[], int]) -> None:
        """From now on ``count`` says how many streams are open."""
        self._instruments.gauge("feed_streams").set_function(count)

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request was answered."""
        self._instruments.histogram(
            "http_request_duration_seconds", route=route, method=method, status=str(status)
        ).observe(seconds)
