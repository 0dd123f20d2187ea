"""Runs contenders, in turn, each in a process of its own, and takes what they tell.

Owns: how a contender is started and what it tells. Must not: know what is compared.

A contender prints one JSON line ``{"cpu_s": …, "wall_s": …, "peak_bytes": …}``: CPU seconds over all its threads and
children, and wall seconds, from the first record to the last commit, so without start-up and without the broker.
"""

import json
import os
import statistics
import subprocess
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src"
COMPILED = ROOT / "build" / "compiled"
"""The package as ``make compiled`` builds it."""
LONGEST_S = 3_600
"""A contender that hangs ends the bench."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a contender; ``decided`` counts what it decided, by what identifies a decision."""

    cpu_s: float
    wall_s: float
    peak_bytes: int
    decided: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """Somebody who does the work.

    Attributes:
        name: As tables show it.
        run: Does it once; told a name that is unique to the run.
        settings: What it was tuned with, for readers.
    """

    name: str
    run: Callable[[str], Run]
    settings: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """All runs of a contender over ``records`` records each."""

    records: int
    runs: Sequence[Run]

    @property
    def per_cpu_s(self) -> float:
        """Records per CPU second, of the median run."""
        return self.records / statistics.median(run.cpu_s for run in self.runs)

    @property
    def per_s(self) -> float:
        """Records per second, of the median run."""
        return self.records / statistics.median(run.wall_s for run in self.runs)

    @property
    def peak_mib(self) -> float:
        """Most memory of any run."""
        return max(run.peak_bytes for run in self.runs) / 2**20


def interleaved(contenders: Sequence[Contender], *, records: int, runs: int) -> dict[str, Standing]:
    """Every contender once, then every one again: what the machine does besides hits all alike."""
    for contender in contenders:
        print(f"  {contender.name}: {' '.join(f'{name}={value}' for name, value in contender.settings.items())}")
    found: dict[str, list[Run]] = {contender.name: [] for contender in contenders}
    for number in range(1, runs + 1):
        for contender in contenders:
            run = contender.run(f"{contender.name.replace(',', '').replace(' ', '-').lower()}.{number}")
            found[contender.name].append(run)
            print(
                f"  run {number}: {contender.name:32} {records / run.cpu_s:10,.0f} records per CPU second "
                f"{records / run.wall_s:10,.0f} records/s {run.peak_bytes / 2**20:6,.0f} MiB",
                flush=True,
            )
    return {name: Standing(records=records, runs=each) for name, each in found.items()}


def told(command: Sequence[str], variables: Mapping[str, str], *, package: Path = SOURCE) -> dict[str, float]:
    """Start a contender, with the ``postcart`` of that folder, and return its figures."""
    done = subprocess.run(
        command,
        env={**os.environ, **variables, "PYTHONPATH": os.pathsep.join([str(ROOT), str(package)])},
        stdout=subprocess.PIPE,
        check=False,
        cwd=ROOT,
        timeout=LONGEST_S,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith(b'{"cpu_s"')]
    if not lines:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode} and told no figures")
    figures: dict[str, float] = json.loads(lines[-1])
    return figures


def same(standings: Mapping[str, Standing]) -> bool:
    """Whether all runs of all contenders that decide anything decided the same."""
    return len({frozenset(run.decided.items()) for each in standings.values() for run in each.runs if run.decided}) == 1
