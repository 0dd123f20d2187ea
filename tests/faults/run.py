"""One run: a row, a seed, a broker; a result.

Owns: the order of a run, when it is over, and what is measured. Must not: know any row by name.
"""

import json
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from faults.brokers import keep_logs
from faults.crew import wall_ms
from faults.evidence import evidence_of
from faults.injectors import perform
from faults.inputs import lost_events
from faults.judge import judge
from faults.load import Load, load_of
from faults.pauses import measured
from faults.scenario import OwnRow, Row, Surroundings
from faults.world import Broker, World, open_world, whole
from postcart.errors import BrokerUnavailable

_SETTLE_S = 240.0


@dataclass
class Result:
    """What one run showed."""

    row: str
    seed: int
    counts: dict[str, int]
    problems: list[str]
    seconds: float
    resumed_s: dict[str, float] = field(default_factory=dict)
    """Longest time without work of any partition after a fault, by kind of worker and fault."""
    notes: dict[str, float] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """Every promise was kept."""
        return not self.problems

    def __str__(self) -> str:
        counts = " ".join(f"{name} {count}" for name, count in self.counts.items())
        resumed = " ".join(f"{what} {seconds:.1f} s" for what, seconds in sorted(self.resumed_s.items()))
        verdict = "ok" if self.good else "FAILED: " + "; ".join(self.problems)
        notes = " ".join(f"{name} {value:.1f}" for name, value in self.notes.items())
        return f"{self.row} seed {self.seed}: {counts} | {self.seconds:.0f} s | {resumed} {notes}| {verdict}"


def run(
    row: Row | OwnRow,
    *,
    seed: int,
    events: int,
    broker: Broker,
    prefix: str,
    folder: Path | None = None,
    timed: bool = True,
) -> Result:
    """Run a row once and judge it. Never raises for what the pipeline did: that is a problem in the result.

    Args:
        row: What is done.
        seed: Decides everything that may differ.
        events: Unique ones.
        broker: Where.
        prefix: Of all topics and groups.
        folder: For logs and all else; by default a temporary one that stays.
        timed: Whether the row's bound on pauses counts; not on a machine that does other things meanwhile.
    """
    began = time.monotonic()
    folder = folder or Path(tempfile.mkdtemp(prefix=f"faults-{row.name}-{seed}-"))
    if isinstance(row, OwnRow):
        about = Surroundings(broker.bootstrap, prefix, folder, Random(f"{row.name}/{seed}"), events, timed)
        return _own(row, seed, about)
    load = None if row.live else _load(row, seed, events, 0)
    problems: list[str] = []
    with open_world(row, seed=seed, broker=broker, prefix=prefix, folder=folder) as world:
        try:
            whole(world, *row.crew)
        except AssertionError as missed:
            return Result(row.name, seed, {}, [str(missed)[:2000]], time.monotonic() - began)
        try:
            world.begin(load or _load(row, seed, events, wall_ms()))
            for step in sorted(row.steps(world.random), key=lambda at: at.fraction):
                perform(world, step)
            settle(world)
        except (AssertionError, BrokerUnavailable) as missed:
            problems.append(str(missed)[:2000])
        world.look()
        verdict = judge(evidence_of(world, world.lag()), row.allowed)
        problems += verdict.problems
        if row.check is not None:
            problems += row.check(world)
        resumed = measured(world)
        slow = {what: s for what, s in resumed.items() if timed and row.resumes_within_s and s > row.resumes_within_s}
        if slow:
            problems.append(f"resumed only after {slow}, {row.resumes_within_s} s are allowed")
        if problems:
            problems += lost_events(world)
            keep_logs(broker, folder)
        if problems and (ended := [(end.name, end.code) for end in world.crew.ended if not end.asked]):
            problems.append(f"workers that ended by themselves, or were killed: {ended}")
        (folder / "run.json").write_text(
            json.dumps({"harm": world.harm, "ended": world.crew.ended, "problems": problems}, indent=1)
        )
    took = time.monotonic() - began
    return Result(row.name, seed, verdict.counts, problems, took, resumed, world.notes)


def _own(row: OwnRow, seed: int, about: Surroundings) -> Result:
    began = time.monotonic()
    try:
        counts, problems, notes = row.play(about)
    except (AssertionError, BrokerUnavailable) as missed:
        counts, problems, notes = {}, [str(missed)[:2000]], {}
    return Result(row.name, seed, counts, problems, time.monotonic() - began, notes=dict(notes))


def _load(row: Row, seed: int, events: int, begin_ms: int) -> Load:
    return row.load(Random(seed), events, begin_ms) if row.load else load_of(seed, events, start=row.start)


def settle(world: World) -> None:
    """Wait until the feed is over and nothing is pending; or for too long, which the judge will see."""
    until = time.monotonic() + world.row.load_s * 3 + _SETTLE_S
    while time.monotonic() < until:
        world.look()
        world.feed.ticking = bool(world.pending())  # what a provider asked to try later comes due only by the clock
        if world.feed.finished and world.shipping.finished and _is_quiet(world):
            return
        time.sleep(0.3)


def _is_quiet(world: World) -> bool:
    if world.pending() or len({job.job_id for job in world.jobs()}) < _jobs_due(world.load, world):
        return False
    if world.row.allowed.same_decisions and not world.row.apart and world.load.lines - world.decisions():
        return False
    return all(lag == 0 for lag in world.lag().values())


def _jobs_due(load: Load, world: World) -> int:
    certain = sum(1 for person in load.due.values() if not world.is_apart(load.addresses[person]))
    return certain + len(world.shipping.jobs)
