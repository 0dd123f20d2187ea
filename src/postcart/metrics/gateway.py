"""What the gateway counts.

Owns: requests, and what callbacks brought. Must not: know a route.
"""

from postcart.metrics.reports import ReportFigures


class GatewayFigures(ReportFigures):
    """Figures of one gateway process."""

    def webhook(self, source: str, result: str) -> None:
        """A webhook was dealt with or refused."""
        self._instruments.counter("webhooks_received_total", source=source, result=result).inc()

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request was answered."""
        self._instruments.histogram(
            "http_request_duration_seconds", route=route, method=method, status=str(status)
        ).observe(seconds)
