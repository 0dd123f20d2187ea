"""Keeps results as JSON under bench/results, and shows them on docs/performance.md.

Owns: both formats. Must not: measure.

A comparison's table on the page stands between ``<!-- bench NAME -->`` and ``<!-- end NAME -->``; what is around it
is written by hand and stays.
"""

import json
import os
import platform
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import confluent_kafka

from bench.common.measure import ROOT, Contender, Standing
from postcart.adapters.local_kafka.distribution import KAFKA_VERSION

RESULTS = ROOT / "bench" / "results"
PAGE = ROOT / "docs" / "performance.md"


def surroundings() -> dict[str, str]:
    """Date, machine and versions: what a figure means nothing without."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, shared with the broker",
        "python": platform.python_version(),
        "kafka": KAFKA_VERSION,
        "librdkafka": confluent_kafka.libversion()[0],
        "faust-streaming": version("faust-streaming"),
        "command": f"python -m bench {' '.join(sys.argv[1:])}".strip(),
    }


def standings_json(standings: Mapping[str, Standing], contenders: Sequence[Contender]) -> dict[str, Any]:
    """Every run of every contender, with what it was tuned with."""
    settings = {contender.name: dict(contender.settings) for contender in contenders}
    return {
        name: {
            "settings": settings[name],
            "records": standing.records,
            "runs": [
                {"cpu_s": round(run.cpu_s, 3), "wall_s": round(run.wall_s, 3), "peak_bytes": run.peak_bytes}
                for run in standing.runs
            ],
            "records_per_cpu_s": round(standing.per_cpu_s),
            "records_per_s": round(standing.per_s),
        }
        for name, standing in standings.items()
    }


def standings_table(standings: Mapping[str, Standing], *, against: Sequence[str]) -> list[str]:
    """A Markdown table; ratios are those of each of ``against`` to all others."""
    heads = [f"{name} is, per CPU second" for name in against]
    lines = [
        " | ".join(["| | records/CPU s | records/s | peak MiB", *heads]) + " |",
        "|---|---:|---:|---:|" + "---:|" * len(heads),
    ]
    for name, standing in standings.items():
        ratios = [f"{standings[own].per_cpu_s / standing.per_cpu_s:.2f} x" if name != own else "" for own in against]
        figures = f"{standing.per_cpu_s:,.0f} | {standing.per_s:,.0f} | {standing.peak_mib:,.0f}"
        lines.append(" | ".join([f"| {name} | {figures}", *ratios]) + " |")
    return lines


def keep(name: str, result: Mapping[str, Any], lines: Sequence[str]) -> None:
    """Write bench/results/NAME.json and the comparison's place on the page; print the table."""
    around = surroundings()
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps({**around, **result}, indent=2) + "\n")
    said = "; ".join(f"{key} {value}" for key, value in around.items() if key not in {"date", "command"})
    block = "\n".join([f"`{around['command']}` ({around['date']}; {said})", "", *lines])
    print("\n" + "\n".join(lines), flush=True)
    fill_place(PAGE, name, block)


def kept(name: str) -> dict[str, Any]:
    """A result that was kept. Ends with what to run if there is none."""
    file = RESULTS / f"{name}.json"
    if not file.is_file():
        raise SystemExit(f"{file} is missing: run python -m bench {name.partition('-')[0]} first")
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def fill_place(page: Path, name: str, block: str) -> None:
    """Write ``block`` between the marks of ``name`` on a page."""
    text = page.read_text()
    place = re.compile(rf"(<!-- bench {re.escape(name)} -->\n).*?(<!-- end {re.escape(name)} -->)", re.DOTALL)
    if not place.search(text):
        raise SystemExit(f"{page} has no place for {name}: <!-- bench {name} --> and <!-- end {name} -->")
    page.write_text(place.sub(lambda found: f"{found[1]}{block}\n{found[2]}", text))
