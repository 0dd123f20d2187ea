"""What a sender counts.

Owns: the answer to each callback of a sender. Must not: know how a sender works.

It fits ``postcart.senders.metrics.SenderMetrics`` by its shape: this layer lies below and can't import it.
"""

from postcart.metrics.instruments import Instruments

FINAL = frozenset({"accepted", "rejected", "uncertain", "suppressed"})
"""Receipts that end a job; ``not_accepted`` does not."""

OUTCOMES = ("accepted", "not_accepted", "rejected", "suppressed", "uncertain")
"""As ``postcart.events.jobs.Outcome``."""

RESULTS = (
    "accepted",
    "rejected",
    "policy",
    "deferred",
    "unavailable",
    "throttled",
    "credentials",
    "uncertain",
    "render",
    "key",
    "machine",
    "stale",
    "left",
    "paused",
)
"""As ``postcart.senders.metrics.SendResult``."""

UNRENDERED = "render"
"""Why a job is dead that was read, and rejected."""

_CIRCUIT = {"open": "closed", "paused": "open", "probing": "half_open", "ramping": "half_open"}
"""A provider that is open for messages is a closed circuit; while it ramps up, few may pass."""


def circuit_of(state: str) -> dict[str, bool]:
    """By state of a circuit whether it is in it, for a provider's own state."""
    return {circuit: circuit == _CIRCUIT[state] for circuit in dict.fromkeys(_CIRCUIT.values())}


class ChannelFigures:
    """Figures of one sender of one channel in this process.

    Args:
        instruments: Of the process.
        channel: For example ``email``.
        providers: For example ``smtp``; a closed set, the first being that of jobs that none was asked about.
        topics: Purpose → name of the topic of its jobs.
    """

    def __init__(
        self, instruments: Instruments, *, channel: str, providers: tuple[str, ...], topics: dict[str, str]
    ) -> None:
        self._instruments = instruments
        self._channel = channel
        self._topics = topics
        self._pending: dict[tuple[str, int], int] = {}
        self._send_time = {
            name: instruments.histogram("send_duration_seconds", channel=channel, provider=name) for name in providers
        }
        self._commit_time = instruments.histogram("transaction_duration_seconds", stage=channel)
        for name in providers:
            self.provider_state(name, "open")
            self._begin_at_zero(name)

    def jobs_received(self, purpose: str, count: int) -> None:
        """Records taken in."""
        self._instruments.counter("records_received_total", stage=self._channel, topic=self._topics[purpose]).inc(count)

    def jobs_repeated(self, purpose: str, count: int) -> None:
        """Records of jobs that are claimed or spent already."""
        self._processed(purpose, "repeated", count)

    def dead_letter(self, purpose: str, reason: str) -> None:
        """A record that can't be read; or a job whose template failed, which also has a receipt."""
        self._instruments.counter("dead_letters_total", topic=self._topics[purpose], reason=reason).inc()
        if reason != UNRENDERED:
            self._processed(purpose, "dead", 1)

    def waiting(self, reason: str) -> None:
        """A job was judged and has to wait."""
        self._instruments.counter("jobs_waited_total", channel=self._channel, reason=reason).inc()

    def attempt(self, result: str, duration_s: float, provider: str) -> None:
        """A claimed job came to an end of its attempt."""
        self._instruments.counter("send_attempts_total", channel=self._channel, provider=provider, result=result).inc()
        self._send_time[provider].observe(duration_s)

    def finished(self, purpose: str, outcome: str, reason: str | None, provider: str) -> None:
        """A receipt was committed."""
        del reason  # the receipt and the decision tell it; here it would multiply the series
        self._instruments.counter("receipts_total", channel=self._channel, provider=provider, status=outcome).inc()
        self._processed(purpose, "applied", 1)
        if outcome in FINAL:
            self._instruments.counter(
                "jobs_finished_total", channel=self._channel, purpose=purpose, outcome=outcome
            ).inc()

    def pending(self, purpose: str, partition: int, count: int) -> None:
        """Jobs in line or in flight."""
        self._pending[purpose, partition] = count
        self._show_pending(purpose)

    def provider_state(self, provider: str, state: str) -> None:
        """A provider was paused, probed or opened."""
        for circuit, value in circuit_of(state).items():
            self._instruments.gauge(
                "provider_circuit_state", channel=self._channel, provider=provider, state=circuit
            ).set(value)

    def committed(self, outcome: str, duration_s: float) -> None:
        """A transaction ended: committed or failed."""
        self._instruments.counter("transactions_total", stage=self._channel, outcome=outcome).inc()
        self._commit_time.observe(duration_s)

    def partitions(self, state: str, count: int) -> None:
        """Partitions in that state, now."""
        self._instruments.gauge("worker_partitions", stage=self._channel, state=state).set(count)

    def rebalanced(self) -> None:
        """Partitions were given, taken or lost."""
        self._instruments.counter("rebalances_total", stage=self._channel).inc()

    def partition_closed(self, partition: int) -> None:
        """The partition went elsewhere: its series end."""
        gone = [key for key in self._pending if key[1] == partition]
        for key in gone:
            del self._pending[key]
        for purpose in {purpose for purpose, _ in gone}:
            self._show_pending(purpose)

    def _begin_at_zero(self, provider: str) -> None:
        """A series that begins at 1 has not increased, for Prometheus: the first refusal would alert nobody."""
        channel, count = self._channel, self._instruments.counter
        for result in RESULTS:
            count("send_attempts_total", channel=channel, provider=provider, result=result)
        for outcome in OUTCOMES:
            count("receipts_total", channel=channel, provider=provider, status=outcome)
        for outcome in FINAL:
            for purpose in self._topics:
                count("jobs_finished_total", channel=channel, purpose=purpose, outcome=outcome)

    def _processed(self, purpose: str, outcome: str, count: int) -> None:
        self._instruments.counter(
            "records_processed_total", stage=self._channel, topic=self._topics[purpose], outcome=outcome
        ).inc(count)

    def _show_pending(self, purpose: str) -> None:
        total = sum(count for (of, _), count in self._pending.items() if of == purpose)
        self._instruments.gauge("jobs_pending", channel=self._channel, priority=purpose).set(total)
