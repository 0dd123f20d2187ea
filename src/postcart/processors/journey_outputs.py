"""What JOURNEY's rules brought about, as records of its topics.

Owns: which outcome goes where, and how it is counted. Must not: hold a rule.
"""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from postcart.domain.journey.outcome import Decided
from postcart.events.decisions import AbandonmentDecided, DecisionRecord, Judged, StepDecision, StepDue
from postcart.events.suppressions import suppression_key
from postcart.events.times import to_ms
from postcart.processors.engine.task import Output
from postcart.processors.stage_metrics import StageMetrics


@dataclass(frozen=True, slots=True, kw_only=True)
class JourneyTopics:
    """Names of what JOURNEY reads and writes. ``jobs`` makes the topic of a channel and a purpose."""

    signals: str
    orders: str
    profiles: str
    milestones: str
    receipts: str
    consents: str
    suppressions: str
    alerts: str
    decisions: str
    gate: str
    keys: str
    dead: str
    jobs: Callable[[str, str], str]


class JourneyOutputs:
    """Makes records of outcomes."""

    def __init__(self, topics: JourneyTopics, metrics: StageMetrics) -> None:
        self._topics = topics
        self._metrics = metrics
        self._encode = msgspec.json.Encoder().encode

    def outputs_of(self, out: Decided, *, now_ms: int | None) -> list[Output]:
        """All but the gate's records; counts them. ``now_ms``: the worker's clock, if it is known."""
        topics, encode, outputs = self._topics, self._encode, []
        for decision in out.records:
            outputs.append(Output(topics.decisions, (decision.person_id or "").encode(), encode(decision)))
            self._count(decision, now_ms)
        for job in out.jobs:
            outputs.append(Output(topics.jobs(job.channel, job.purpose), job.person_id.encode(), encode(job)))
            self._metrics.jobs_emitted(job.channel, job.purpose, 1)
        outputs += [
            Output(topics.suppressions, suppression_key(one.channel, one.contact_id), encode(one))
            for one in out.suppressed
        ]
        outputs += [Output(topics.alerts, alert.dedup_key.encode(), encode(alert)) for alert in out.alerts]
        return outputs

    def _count(self, decision: DecisionRecord, now_ms: int | None) -> None:
        decided = self._metrics.decided
        if isinstance(decision, StepDecision):
            kind = type(decision).__struct_config__.tag
            decided(purpose="marketing", outcome=str(kind), reason=decision.reason or "")
            if now_ms is not None and type(decision) is StepDue:
                self._metrics.fired((now_ms - to_ms(decision.at)) / 1_000)
        elif isinstance(decision, AbandonmentDecided):
            decided(purpose="marketing", outcome="abandonment", reason=decision.trigger)
        elif isinstance(decision, Judged) and decision.message is not None:
            decided(purpose="transactional", outcome=decision.outcome, reason=decision.reason or "")
