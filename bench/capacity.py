"""``python -m bench capacity``: what a load takes, from results that were kept; writes docs/capacity.md.

The formula and its assumptions are on that page; nothing is measured here.
"""

import argparse
import statistics
from dataclasses import dataclass
from math import ceil
from typing import Any

from bench.common.measure import ROOT
from bench.common.report import fill_place, kept

PAGE = ROOT / "docs" / "capacity.md"
SIZES = (10_000, 1_000_000, 10_000_000)
"""Events a second at the peak."""

SHARE = 0.5
"""Of a core that a worker may use in the long run."""
REPLICATION = 3
EVENT_BYTES = 270
RECEIPT_BYTES = 3_000
BROKER_BYTES_S, BROKER_CORES = 100e6, 4
CORE_HOUR, GB_MONTH, HOURS = 0.04, 0.10, 730
DAY_S = 86_400
WORKER_BYTES = 150e6


@dataclass(frozen=True, kw_only=True)
class Costs:
    """What was measured: seconds of a core per event, mail and restored row, and bytes of a row."""

    event_s: float
    mail_s: float
    row_restore_s: float
    row_bytes: int
    row_memory: float


def arguments(parser: argparse.ArgumentParser) -> None:
    """None: the results are those that were kept."""
    del parser


def main(given: argparse.Namespace) -> None:
    """Write both tables."""
    del given
    detect, sender, restore = kept("detect-json-uniform-large"), kept("sender"), kept("restore")["sizes"][0]
    costs = Costs(
        event_s=1 / _per_cpu_s(detect, "Postcart, compiled"),
        mail_s=1 / _per_cpu_s(sender, "Postcart's sender"),
        row_restore_s=statistics.median(run["wall_s"] for run in restore["runs"]) / restore["rows"],
        row_bytes=restore["row_bytes"],
        row_memory=statistics.median(run["peak_bytes"] for run in restore["runs"]) / restore["rows"],
    )
    fill_place(PAGE, "capacity-costs", "\n".join(costs_table(costs)))
    fill_place(PAGE, "capacity-sizes", "\n".join(sizes_table(costs)))
    print("\n".join(sizes_table(costs)))


def costs_table(costs: Costs) -> list[str]:
    """The formula's letters with their figures."""
    rows = [
        ("E", "events a second at the peak, sessions and carts", ""),
        (
            "c",
            "CPU seconds per event of DETECT, compiled, catching up (1 / records per CPU second, 100,000 visitors)",
            f"{costs.event_s * 1e6:.0f} µs",
        ),
        ("u", "share of a core that a worker may use in the long run, so that it catches up after a stop", f"{SHARE}"),
        ("V", "visitors of the last 31 days", ""),
        (
            "r, m",
            "bytes of a visitor's row in the changelog; bytes of memory per row",
            f"{costs.row_bytes}, {costs.row_memory:.0f}",
        ),
        ("J", "mails a second", ""),
        ("s", "CPU seconds per mail of a sender", f"{costs.mail_s * 1e3:.1f} ms"),
        ("t", "seconds to restore a million rows", f"{costs.row_restore_s * 1e6:.1f}"),
        ("b", "bytes of an event in Kafka", f"{EVENT_BYTES} JSON, 140 Avro"),
    ]
    return ["| | | here |", "|---|---|---|", *(f"| {name} | {about} | {here} |" for name, about, here in rows)]


def sizes_table(costs: Costs) -> list[str]:
    """What three loads take."""
    lines = [
        "| events/s | DETECT workers | partitions | JOURNEY | senders | DETECT memory | brokers | disk | USD a month |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for peak in SIZES:
        visitors, mails = 1_000 * peak, peak / 1_000
        detect = ceil(peak * costs.event_s / SHARE)
        journey, senders = ceil(detect / 5), ceil(mails * costs.mail_s / SHARE)
        partitions = 4
        while partitions < 2 * detect:
            partitions *= 2
        memory = visitors * costs.row_memory + detect * WORKER_BYTES
        brokers = max(REPLICATION, ceil(REPLICATION * peak * 2.5 * EVENT_BYTES / BROKER_BYTES_S))
        disk = REPLICATION * (
            7 * DAY_S * peak / 3 * EVENT_BYTES + visitors * costs.row_bytes * 2 + 30 * DAY_S * mails * RECEIPT_BYTES
        )
        cores = detect + journey + senders + BROKER_CORES * brokers
        money = cores * CORE_HOUR * HOURS + disk / 1e9 * GB_MONTH
        lines.append(
            f"| {peak:,} | {detect:,} | {partitions:,} | {journey:,} | {senders:,} | {memory / 2**30:,.0f} GiB "
            f"| {brokers:,} | {disk / 1e12:,.1f} TB | {money:,.0f} |"
        )
    return lines


def _per_cpu_s(result: dict[str, Any], name: str) -> float:
    found = result["contenders"].get(name)
    if found is None:
        raise SystemExit(f"the kept result of {result['command']} has no {name}: run it with that contender")
    return float(found["records_per_cpu_s"])
