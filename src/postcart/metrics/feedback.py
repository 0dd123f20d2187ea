"""What the intake of returned mails counts.

Owns: mails by what they brought. Must not: know how mails are read.
"""

from postcart.metrics.reports import ReportFigures


class FeedbackFigures(ReportFigures):
    """Figures of one process that takes returned mails in."""

    def received(self, source: str, result: str) -> None:
        """A mail was read, and what it brought is written; or it was refused."""
        self._instruments.counter("feedback_received_total", source=source, result=result).inc()
