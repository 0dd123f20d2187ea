"""The results as the table in docs/guarantees.md.

Owns: that text. Must not: judge: it shows what runs have said.
"""

from collections import Counter
from pathlib import Path

from faults.matrix import ROWS
from faults.results import Line, lines
from faults.scenario import Described

PAGE = Path(__file__).parents[2] / "docs" / "guarantees.md"
_BEGIN, _END = "<!-- faults:begin -->", "<!-- faults:end -->"
_HEAD = (
    "| row | fault | expected | runs | in | accepted | suppressed | dead | rejected | uncertain | lost | carts twice "
    "| shipping twice | longest pause | kept |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n"
)


def write_table(*, events: int) -> None:
    """Write what is known of runs with so many events into the page."""
    before, _, rest = PAGE.read_text().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    PAGE.write_text(f"{before}{_BEGIN}\n{table(events=events)}{_END}{after}")


def table(*, events: int) -> str:
    """The table, with where and when it was measured."""
    known = {row.name: [line for line in lines(row.name) if line.events == events] for row in ROWS}
    found = [line for runs in known.values() for line in runs]
    if not found:
        return "Not run yet.\n"
    dates = sorted({line.at[:10] for line in found})
    commits = ", ".join(sorted({line.commit for line in found}))
    machines = "; ".join(sorted({line.machine for line in found}))
    told = (
        f"{len(found)} runs of {events:,} unique events each, {dates[0]} to {dates[-1]}, commit {commits}, on "
        f"{machines}. In = accepted + suppressed + dead + rejected + uncertain, in messages, summed over the runs; "
        "*kept* counts the runs without any broken promise. `make faults` writes this.\n\n"
    )
    return told + _HEAD + "".join(_row(row, known[row.name]) for row in ROWS if known[row.name])


def _row(row: Described, runs: list[Line]) -> str:
    sums: Counter[str] = Counter()
    for line in runs:
        sums.update(line.counts)
    resumed = [seconds for line in runs for seconds in line.resumed_s.values()]
    pause = f"{max(resumed):.1f} s" if resumed else ""
    kept = sum(1 for line in runs if not line.problems)
    names = ("in", "accepted", "suppressed", "dead", "rejected", "uncertain", "lost", "carts twice", "shipped twice")
    numbers = [f"{sums[name]:,}" for name in names]
    verdict = f"{kept} of {len(runs)}" if kept == len(runs) else f"**{kept} of {len(runs)}**"
    cells = [f"`{row.name}`", row.fault, row.expected, str(len(runs)), *numbers, pause, verdict]
    return f"| {' | '.join(cells)} |\n"
