"""What runs showed, kept: one file per row, one line per run.

Owns: the files and what each line says besides the result: when, on which machine, of which product. Must not: run or
judge anything.
"""

import os
import platform
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from faults.crew import wall_ms
from faults.run import Result

ROOT = Path(__file__).parents[2]
RESULTS = Path(__file__).parent / "results"


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One run.

    Attributes:
        tree: Git's name of ``src`` as it was: the product under test; ``+`` behind it where files had been changed.
    """

    row: str
    seed: int
    events: int
    at: str
    commit: str
    tree: str
    machine: str
    seconds: float
    counts: dict[str, int]
    problems: list[str]
    resumed_s: dict[str, float]
    notes: dict[str, float]


def line_of(result: Result, *, events: int) -> Line:
    """The run as its line."""
    return Line(
        row=result.row,
        seed=result.seed,
        events=events,
        at=datetime.fromtimestamp(wall_ms() // 1000, UTC).isoformat(),
        commit=_git("rev-parse", "--short=10", "HEAD"),
        tree=tree(),
        machine=machine(),
        seconds=round(result.seconds, 1),
        counts=result.counts,
        problems=result.problems,
        resumed_s={what: round(seconds, 1) for what, seconds in result.resumed_s.items()},
        notes=result.notes,
    )


def keep(line: Line) -> None:
    """Append a line to its row's file, replacing an earlier one of the same seed and number of events."""
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{line.row}.jsonl"
    others = [one for one in lines(line.row) if (one.seed, one.events) != (line.seed, line.events)]
    kept = sorted([*others, line], key=lambda one: (one.events, one.seed))
    scratch = file.with_suffix(".new")
    scratch.write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in kept))
    scratch.rename(file)


def lines(row: str) -> Iterator[Line]:
    """What is known of a row."""
    file = RESULTS / f"{row}.jsonl"
    if file.exists():
        yield from (msgspec.json.decode(text, type=Line) for text in file.read_bytes().splitlines())


def is_known(row: str, seed: int, events: int) -> bool:
    """Whether this run was done before, with the product as it is now."""
    now = tree()
    return not now.endswith("+") and any(
        (line.seed, line.events, line.tree) == (seed, events, now) for line in lines(row)
    )


def tree() -> str:
    """Git's name of ``src``; ``+`` behind it if files there have been changed since."""
    return _git("rev-parse", "--short=10", "HEAD:src") + ("+" if _git("status", "--porcelain", "src") else "")


def machine() -> str:
    """What it ran on, in a few words."""
    memory: Any = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.release().split('-')[0]}"


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603, S607 -- no shell
    return done.stdout.strip() if done.returncode == 0 else "unknown"
