"""What was decided and sent so far: counts over the records of decisions, receipts and signals.

Owns: counting. Must not: read Kafka.
"""

from collections import Counter
from dataclasses import dataclass, field

import msgspec

from postcart.events.decisions import (
    AbandonmentDecided,
    Decision,
    DecisionRecord,
    StepCancelled,
    StepDue,
    StepPlanned,
)
from postcart.events.gate import GateProgress, GateRecord
from postcart.events.jobs import DeliveryReport, Job, Receipt, ReceiptRecord
from postcart.events.milestones import ParcelDecision
from postcart.events.signals import AnySignal, TaskClock, VisitEnded, VisitStarted

_decision = msgspec.json.Decoder(DecisionRecord).decode
_job = msgspec.json.Decoder(Job).decode
_receipt = msgspec.json.Decoder(ReceiptRecord).decode
_gate = msgspec.json.Decoder(GateRecord).decode
_signal = msgspec.json.Decoder(AnySignal).decode


@dataclass
class Tally:
    """Everything read so far.

    Attributes:
        lines: Every decision as it stands in the topic, for the comparison.
        parcels: What was told of parcels.
        messages: Job → the message about an order or a parcel, over one channel.
        outcomes: Job → its outcome; ``accepted`` overrides ``uncertain``, ``not_accepted`` is none yet.
        in_visit: Visitors of known persons who are in the shop now.
        clocks: DETECT's task → its clock, event time.
        gates: Partitions of which JOURNEY has told how far it is.
    """

    lines: Counter[bytes] = field(default_factory=Counter)
    decisions: list[Decision] = field(default_factory=list)
    parcels: list[ParcelDecision] = field(default_factory=list)
    messages: dict[str, Job] = field(default_factory=dict)
    receipts: dict[str, Receipt] = field(default_factory=dict)
    in_visit: set[str] = field(default_factory=set)
    visits: int = 0
    clocks: dict[int, int] = field(default_factory=dict)
    gates: set[int] = field(default_factory=set)
    anonymous: int = 0
    known: int = 0
    planned: int = 0
    due: int = 0
    cancelled: int = 0
    episodes: set[str] = field(default_factory=set)

    def add_decision(self, value: bytes) -> None:
        """A record of the topic ``decisions``; what only says why is passed over."""
        decision = _decision(value)
        if isinstance(decision, ParcelDecision):
            self.lines[value] += 1
            self.parcels.append(decision)
            return
        if not isinstance(decision, Decision):
            return
        self.lines[value] += 1
        self.decisions.append(decision)
        match decision:
            case AbandonmentDecided(person_id=None):
                self.anonymous += 1
            case AbandonmentDecided():
                self.known += 1
            case StepPlanned(episode_id=episode):
                self.planned += 1
                self.episodes.add(episode)
            case StepDue():
                self.due += 1
            case StepCancelled():
                self.cancelled += 1

    def add_message(self, value: bytes) -> None:
        """A record of a channel's topic of transactional jobs."""
        job = _job(value)
        self.messages[job.job_id] = job

    def add_receipt(self, value: bytes) -> None:
        """A record of the topic ``receipts``; what is reported afterwards is passed over."""
        receipt = _receipt(value)
        if isinstance(receipt, DeliveryReport):
            return
        former = self.receipts.get(receipt.job_id)
        if receipt.outcome != "not_accepted" and (former is None or former.outcome != "accepted"):
            self.receipts[receipt.job_id] = receipt

    def add_signal(self, value: bytes) -> None:
        """A record of the topic ``signals``."""
        match _signal(value):
            case VisitStarted(visitor_id=visitor):
                self.visits += 1
                self.in_visit.add(visitor)
            case VisitEnded(visitor_id=visitor):
                self.in_visit.discard(visitor)
            case TaskClock(task=task, clock_ms=clock_ms):
                self.clocks[task] = max(clock_ms, self.clocks.get(task, 0))
            case _:
                pass

    def add_gate(self, value: bytes) -> None:
        """A record of the topic ``gate``; tombstones are passed over."""
        if value and isinstance(record := _gate(value), GateProgress):
            self.gates.add(record.partition)

    def runs(self, partitions: int) -> bool:
        """Whether every task of DETECT and JOURNEY has said that it is there."""
        return len(self.clocks) == len(self.gates) == partitions

    @property
    def accepted(self) -> int:
        """Messages that a provider has accepted."""
        return sum(receipt.outcome == "accepted" for receipt in self.receipts.values())
