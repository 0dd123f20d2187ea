"""What a worker that asks carriers counts.

Owns: questions by what became of them. Must not: know how is asked.
"""

from typing import Final

from postcart.metrics.instruments import Instruments
from postcart.metrics.sending import circuit_of

CHANNEL: Final = "poll"
"""Its name among those who have circuits."""
_OUTCOMES: Final = ("answered", "unchanged", "unknown", "unreadable", "refused", "busy", "failed", "credentials")


class PollFigures:
    """Figures of one process.

    Args:
        instruments: Of the process.
        providers: A closed set.
        topic: Of the questions, for dead letters.
    """

    def __init__(self, instruments: Instruments, *, providers: tuple[str, ...], topic: str) -> None:
        self._instruments = instruments
        self._topic = topic
        for name in providers:
            self.circuit(name, "open")
            instruments.counter("poll_scans_total", provider=name)
            for outcome in _OUTCOMES:  # a series that begins at 1 has not increased, for Prometheus
                instruments.counter("polls_total", provider=name, outcome=outcome)
        for outcome in ("old", "repeated", "unpolled"):
            instruments.counter("polls_total", provider="", outcome=outcome)

    def ended(self, provider: str, outcome: str) -> None:
        """A question came to an end, or to be asked again."""
        self._instruments.counter("polls_total", provider=provider, outcome=outcome).inc()

    def asked(self, provider: str, duration_s: float) -> None:
        """A question was answered, or nothing came."""
        self._instruments.histogram("poll_duration_seconds", provider=provider).observe(duration_s)

    def scans(self, provider: str, count: int) -> None:
        """An answer's scans are written."""
        self._instruments.counter("poll_scans_total", provider=provider).inc(count)

    def pending(self, count: int) -> None:
        """Questions in line or under way."""
        self._instruments.gauge("polls_pending").set(count)

    def dead(self, reason: str) -> None:
        """A question can't be read, or its answer."""
        self._instruments.counter("dead_letters_total", topic=self._topic, reason=reason).inc()

    def circuit(self, provider: str, state: str) -> None:
        """A provider was paused, probed or opened."""
        for circuit, value in circuit_of(state).items():
            gauge = self._instruments.gauge
            gauge("provider_circuit_state", channel=CHANNEL, provider=provider, state=circuit).set(value)
