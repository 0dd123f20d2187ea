"""Every reminder that the naive implementation has due goes out, whenever the gate is asked and receipts come.

DETECT, JOURNEY and the gate in one process: a sender judges jobs by what it was told, late and in any order, and its
receipts reach JOURNEY late. What was told ahead of its place in event time and came to nothing must hold up nothing.
"""

from collections import Counter
from collections.abc import Sequence
from random import Random

import msgspec
import pytest

from faults.load import arrivals, load_of
from oracle import Campaign
from postcart.domain.detect.rules import Rules
from postcart.events.gate import GatePerson, GateRecord
from postcart.events.jobs import Job
from postcart.processors.engine.task import Output
from postcart.senders.freshness import Freshness
from postcart.senders.gate import SEND, GateRules, Known, Suppress, judge
from receipts import receipt_of
from side_by_side import context, typed
from stage_configs import DISORDER_MS, JOBS, RECEIPTS
from tasks_in_memory import Pipeline, append

EVENTS = 250
FRESH = Freshness(0.1, 500)
CAMPAIGN = Campaign()
CONTEXT = context(CAMPAIGN)
RULES = GateRules(quiet_hours={CONTEXT.campaign.name: None})
"""Quiet hours are JOURNEY's affair where nobody's time zone changes."""

_encode = msgspec.json.Encoder().encode
_record = msgspec.json.Decoder(GateRecord).decode


class Gated(Pipeline):
    """The pipeline with a sender whose provider takes everything."""

    def __init__(self, seed: int) -> None:
        super().__init__(CONTEXT, Rules(seasons=CAMPAIGN.peaks), Random(seed), replay=True)
        self.told: dict[str, GatePerson] = {}
        self.in_line: list[Job] = []
        self.unheard: list[tuple[Job, str, str | None]] = []
        """Ends of jobs whose receipt is on its way."""
        self.ended: Counter[tuple[str, int, str]] = Counter()

    def deliver(self, outputs: Sequence[Output]) -> None:
        """Gate records are read before the jobs of the same transaction."""
        for output in outputs:
            record = _record(output.value) if output.topic == "gate" and output.value else None
            if isinstance(record, GatePerson):
                self.told[record.person_id] = record
        super().deliver([output for output in outputs if output.topic != JOBS])
        jobs = [msgspec.json.decode(output.value or b"", type=Job) for output in outputs if output.topic == JOBS]
        self.jobs += jobs
        self.in_line += jobs

    def work(self, clock: int) -> None:
        """The sender does something, too."""
        super().work(clock)
        self._send(0.4)
        self._tell(0.4)

    def settle(self, clock: int) -> None:
        """Until the sender has nothing to do any more, or nothing that it could do."""
        before, now = (-1, -1), (0, 0)
        while before != now or self.unheard:
            before = now
            super().settle(clock)
            self._send(1.0)
            self._tell(1.0)
            now = len(self.jobs), self.ended.total()

    def _send(self, share: float) -> None:
        for job in [job for job in self.in_line if self.random.random() < share]:
            known = Known(self.told.get(job.person_id), has_key=True, freshness=FRESH)
            verdict = judge(job, known, moment_ms=job.due_ms, rules=RULES, is_replay=True).verdict
            if verdict is SEND:
                self.unheard.append((job, "accepted", None))
            elif isinstance(verdict, Suppress):
                self.unheard.append((job, "suppressed", verdict.reason))
            else:
                continue
            self.in_line.remove(job)
            self.ended[job.episode_id, job.step, self.unheard[-1][1]] += 1

    def _tell(self, share: float) -> None:
        for end in [end for end in self.unheard if self.random.random() < share]:
            self.unheard.remove(end)
            job, outcome, reason = end
            receipt = receipt_of(job, outcome, at_ms=job.due_ms, reason=reason, contact_id=f"{job.channel}:x")
            append(self.journey, RECEIPTS, job.person_id.encode(), _encode(receipt))


def check(seed: int) -> None:
    """One load, in order, late, or late and three times."""
    load, random = load_of(seed, EVENTS, real=False), Random(seed)
    times, late_ms = ((1, 0), (1, DISORDER_MS - 1), (3, DISORDER_MS - 1))[seed % 3]
    pipeline = Gated(seed)
    pipeline.run(typed(arrivals(load.events, random, times=times, late_ms=late_ms)))
    assert not pipeline.in_line, (seed, pipeline.in_line[0], pipeline.told.get(pipeline.in_line[0].person_id))
    assert pipeline.ended == Counter((*step, "accepted") for step in load.due), seed


@pytest.mark.slow
@pytest.mark.parametrize("part", range(2))
def test_what_is_due_goes_out(part: int) -> None:
    """However events, verdicts and receipts interleave, with restarts in between."""
    for seed in range(part, 60, 2):
        check(seed)


@pytest.mark.parametrize("seed", [207])
def test_found_before(seed: int) -> None:
    """A return that came to nothing between two reminders."""
    check(seed)
