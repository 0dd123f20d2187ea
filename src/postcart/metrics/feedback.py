"""What the intake of returned mails counts.

Owns: the answer to each callback. Must not: know how mails are read.
"""

from postcart.metrics.instruments import Instruments


class FeedbackFigures:
    """Figures of one process that takes returned mails in."""

    def __init__(self, instruments: Instruments) -> None:
        self._instruments = instruments

    def received(self, source: str, result: str) -> None:
        """A mail was read, and what it brought is written; or it was refused."""
        self._instruments.counter("feedback_received_total", source=source, result=result).inc()

    def reported(self, channel: str, provider: str, kind: str) -> None:
        """A report is on its topic."""
        self._instruments.counter("receipts_total", channel=channel, provider=provider, status=kind).inc()
