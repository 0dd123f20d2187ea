"""What a sender counts.

Owns: the contract with whoever keeps the figures. Must not: know Prometheus.
"""

from typing import Literal, Protocol

from postcart.events.jobs import Outcome, Purpose, SuppressReason
from postcart.senders.channel import State
from postcart.senders.gate import WaitReason

SendResult = Literal[
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
]


class SenderMetrics(Protocol):
    """Facts of one sender, told on its event loop. Names in brackets are the metrics they belong to."""

    def jobs_received(self, purpose: Purpose, count: int) -> None:
        """Records taken in (records_received_total)."""

    def jobs_repeated(self, purpose: Purpose, count: int) -> None:
        """Records of jobs that are claimed or spent already (records_processed_total)."""

    def dead_letter(self, purpose: Purpose, reason: str) -> None:
        """A record that can't be read, or a job whose template failed: ``render`` (dead_letters_total)."""

    def waiting(self, reason: WaitReason | Literal["provider_busy"]) -> None:
        """A job was judged and has to wait."""

    def attempt(self, result: SendResult, duration_s: float, provider: str) -> None:
        """A claimed job came to an end of its attempt (send_attempts_total, send_duration_seconds)."""

    def finished(self, purpose: Purpose, outcome: Outcome, reason: SuppressReason | None, provider: str) -> None:
        """A receipt was committed (receipts_total; final ones: jobs_finished_total)."""

    def pending(self, purpose: Purpose, partition: int, count: int) -> None:
        """Jobs in line or in flight (jobs_pending)."""

    def provider_state(self, provider: str, state: State) -> None:
        """A provider was paused, probed or opened (provider_circuit_state)."""

    def committed(self, outcome: Literal["committed", "failed"], duration_s: float) -> None:
        """A transaction ended (transactions_total, transaction_duration_seconds)."""

    def partitions(self, state: Literal["restoring", "running"], count: int) -> None:
        """Partitions in that state, now (worker_partitions)."""

    def partition_closed(self, partition: int) -> None:
        """The partition went elsewhere: its series end."""

    def rebalanced(self) -> None:
        """Partitions were given, taken or lost (rebalances_total)."""


class NoMetrics:
    """Counts nothing."""

    def jobs_received(self, purpose: Purpose, count: int) -> None:
        """Do nothing."""

    def jobs_repeated(self, purpose: Purpose, count: int) -> None:
        """Do nothing."""

    def dead_letter(self, purpose: Purpose, reason: str) -> None:
        """Do nothing."""

    def waiting(self, reason: WaitReason | Literal["provider_busy"]) -> None:
        """Do nothing."""

    def attempt(self, result: SendResult, duration_s: float, provider: str) -> None:
        """Do nothing."""

    def finished(self, purpose: Purpose, outcome: Outcome, reason: SuppressReason | None, provider: str) -> None:
        """Do nothing."""

    def pending(self, purpose: Purpose, partition: int, count: int) -> None:
        """Do nothing."""

    def provider_state(self, provider: str, state: State) -> None:
        """Do nothing."""

    def committed(self, outcome: Literal["committed", "failed"], duration_s: float) -> None:
        """Do nothing."""

    def partitions(self, state: Literal["restoring", "running"], count: int) -> None:
        """Do nothing."""

    def partition_closed(self, partition: int) -> None:
        """Do nothing."""

    def rebalanced(self) -> None:
        """Do nothing."""
