"""What the gateway counts.

Owns: the answer to each callback. Must not: know a route.
"""

from postcart.metrics.instruments import Instruments


class GatewayFigures:
    """Figures of one gateway process."""

    def __init__(self, instruments: Instruments) -> None:
        self._instruments = instruments

    def webhook(self, source: str, result: str) -> None:
        """A webhook was dealt with or refused."""
        self._instruments.counter("webhooks_received_total", source=source, result=result).inc()

    def reported(self, channel: str, provider: str, kind: str) -> None:
        """A report is on its topic."""
        self._instruments.counter("receipts_total", channel=channel, provider=provider, status=kind).inc()

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request was answered."""
        self._instruments.histogram(
            "http_request_duration_seconds", route=route, method=method, status=str(status)
        ).observe(seconds)
