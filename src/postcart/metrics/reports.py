"""What every intake of reports counts.

Owns: reports by channel, provider and kind. Must not: know where they come from.
"""

from postcart.metrics.instruments import Instruments


class ReportFigures:
    """Figures of a process that takes reports in."""

    def __init__(self, instruments: Instruments) -> None:
        self._instruments = instruments

    def reported(self, channel: str, provider: str, kind: str) -> None:
        """A report is on its topic."""
        self._instruments.counter("receipts_total", channel=channel, provider=provider, status=kind).inc()
