"""Every metric of Postcart: one typed table that is also the documentation (docs/metrics.md is made of it).

Owns: names, kinds, labels, help and buckets. Must not: count anything, or import a metrics library.

Names are a contract with dashboards and alerts: they are added to, never renamed. Labels come from closed sets, or
from topics, groups and partitions, which an operator has fixed; never an id, an address or the text of an error.
"""

from dataclasses import dataclass
from typing import Literal

PREFIX = "postcart_"

Kind = Literal["counter", "gauge", "histogram"]
Source = Literal[
    "worker", "stage", "sender", "journey", "feedback", "alerts", "lag exporter", "gateway", "read model", "poll"
]
"""What sets it."""

FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Seconds of work: a millisecond to 10 s."""
SENDING = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120)
"""Seconds that a provider takes to answer."""
DELAY = (0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 86_400)
"""Seconds that something is late: to a day, because after an outage it is hours."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric; ``name`` is without the prefix, with ``_total`` for counters."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str
    source: Source
    buckets: tuple[float, ...] = ()

    @property
    def full_name(self) -> str:
        """As it is scraped."""
        return PREFIX + self.name


METRICS: tuple[Metric, ...] = (
    Metric("build_info", "gauge", ("version", "revision"), "Always 1; tells what runs.", "worker"),
    Metric("worker_partitions", "gauge", ("stage", "state"), "Partitions it has, by restoring or running.", "worker"),
    Metric("rebalances_total", "counter", ("stage",), "Times that partitions were given or taken.", "worker"),
    Metric("consumer_group_lag", "gauge", ("group", "topic", "partition"),
           "Records between the group's commit and the end; absent where unknown or without a commit.", "lag exporter"),
    Metric("consumer_group_lag_seconds", "gauge", ("group", "topic", "partition"),
           "Age of the oldest record that the group has not committed; 0 if it has committed all.", "lag exporter"),
    Metric("consumer_group_members", "gauge", ("group",), "Members of the group.", "lag exporter"),
    Metric("lag_measured_timestamp_seconds", "gauge", (), "When the lag exporter last measured.", "lag exporter"),
    Metric("records_received_total", "counter", ("stage", "topic"), "Records taken in.", "worker"),
    Metric("records_processed_total", "counter", ("stage", "topic", "outcome"),
           "What became of them: applied, repeated, late or dead.", "worker"),
    Metric("batch_process_duration_seconds", "histogram", ("stage",), "Time that a batch took.", "stage", FAST),
    Metric("event_delay_seconds", "histogram", ("stage",),
           "Wall clock less the time of the newest event of a batch of the shop's, when it was processed.", "stage",
           DELAY),
    Metric("transactions_total", "counter", ("stage", "outcome"),
           "Transactions: committed, aborted_rebalance, aborted (written again), or failed (an outage).", "worker"),
    Metric("transaction_duration_seconds", "histogram", ("stage",),
           "From handing over what is to be written to the broker's answer.", "worker", FAST),
    Metric("restore_remaining_records", "gauge", ("stage", "partition"),
           "Positions of the changelog still to be read before the partition runs.", "stage"),
    Metric("state_rows", "gauge", ("stage", "partition"), "Rows of state.", "stage"),
    Metric("state_bytes", "gauge", ("stage", "partition"), "Encoded size of those rows, estimated.", "stage"),
    Metric("watermark_timestamp_seconds", "gauge", ("stage", "partition"),
           "The stage's clock: event time up to which the partition has decided.", "stage"),
    Metric("deadlines_pending", "gauge", ("stage", "kind"),
           "Rows that wait for a deadline: session_end, step, retry, notice (of orders and parcels), "
           "delay (of parcels), registration (of scans that have none), poll (of carriers that push nothing), or else "
           "only to be forgotten.", "stage"),
    Metric("deadline_fire_delay_seconds", "histogram", ("stage",),
           "Wall clock less the time of a session's end or a due step when it was decided; the disorder allowed is "
           "part of it.", "stage", DELAY),
    Metric("decisions_total", "counter", ("purpose", "outcome", "reason"),
           "Decisions: planned, due, cancelled (with the reason), abandonment (with its trigger); of parcels milestone"
           " (its status), estimate, delay and cleared (the rule), unmatched.", "journey"),
    Metric("jobs_accepted_total", "counter", ("channel", "purpose"), "Jobs taken on: handed to a sender.", "journey"),
    Metric("jobs_finished_total", "counter", ("channel", "purpose", "outcome"),
           "Jobs that ended: accepted, rejected, uncertain or suppressed.", "sender"),
    Metric("jobs_pending", "gauge", ("channel", "priority"), "Jobs in line or in flight.", "sender"),
    Metric("jobs_unaccounted", "gauge", (), "Jobs taken on, not pending and without an end: must be 0.", "read model"),
    Metric("read_model_age_seconds", "gauge", (),
           "Age of the latest moment up to which all records of its partitions are in the read model.", "read model"),
    Metric("jobs_waited_total", "counter", ("channel", "reason"), "Times that a job had to wait, by why.", "sender"),
    Metric("send_attempts_total", "counter", ("channel", "provider", "result"),
           "Attempts to send; result policy is a refusal by the provider's policy (5.7.x).", "sender"),
    Metric("send_duration_seconds", "histogram", ("channel", "provider"),
           "From the claim to the provider's answer.", "sender", SENDING),
    Metric("provider_circuit_state", "gauge", ("channel", "provider", "state"),
           "1 for the present state: closed (works), open (paused) or half_open (a probe is out).", "sender"),
    Metric("receipts_total", "counter", ("channel", "provider", "status"),
           "Receipts written, and by provider dsn, arf or notice the reports on bounces and complaints.", "sender"),
    Metric("feedback_received_total", "counter", ("source", "result"),
           "Mails that came back, by smtp or mailbox: report, opt_out, unmatched or nothing; or why they were refused.",
           "feedback"),
    Metric("delivery_reports_total", "counter", ("channel", "kind"),
           "What came back after acceptance: delivered, hard, soft, policy, complaint or other.", "journey"),
    Metric("engagements_total", "counter", ("channel", "kind", "actor"),
           "Opens and clicks, by person or machine; of the in-app feed what persons did: seen, read, unread, archived"
           " or unarchived.", "gateway"),
    Metric("feed_streams", "gauge", (), "Open streams of the in-app feed.", "gateway"),
    Metric("alert_messages_total", "counter", ("destination", "kind", "outcome"),
           "Attempts at messages to employees: told, refused (dropped), or failed (tried again).", "alerts"),
    Metric("polls_total", "counter", ("provider", "outcome"),
           "Questions to carriers: answered (with something new), unchanged, unknown (not yet to the carrier), "
           "unreadable, refused; tried again: busy, failed, credentials; not asked: old, repeated, unpolled (its "
           "carrier is asked no more).", "poll"),
    Metric("poll_duration_seconds", "histogram", ("provider",), "From the question to the answer.", "poll", SENDING),
    Metric("poll_scans_total", "counter", ("provider",), "Scans written that answers brought.", "poll"),
    Metric("polls_pending", "gauge", (), "Questions in line or under way.", "poll"),
    Metric("dead_letters_total", "counter", ("topic", "reason"), "Records set aside, by topic of origin.", "worker"),
    Metric("dead_letters_pending", "gauge", ("topic", "reason"), "Dead letters not redriven.", "lag exporter"),
    Metric("webhooks_received_total", "counter", ("source", "result"), "Webhooks.", "gateway"),
    Metric("http_request_duration_seconds", "histogram", ("route", "method", "status"),
           "HTTP requests.", "gateway", FAST),
)  # fmt: skip
"""The contract, in the order of its documentation."""

BY_NAME = {metric.name: metric for metric in METRICS}
