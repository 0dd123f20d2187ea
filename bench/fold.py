"""``python -m bench fold``: DETECT's task alone, without Kafka, as Python and with its hot modules compiled.

For trying out a change: ``--packages`` takes any two folders that hold a ``postcart``. Both run at the same time, on a
core each, and change cores from pair to pair: what else the machine does hits both alike, and the ratio of a pair
means more than either figure.
"""

import argparse
import statistics
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.common.dataset import Shape, encoded
from bench.common.measure import COMPILED, ROOT, SOURCE, told
from bench.common.report import keep

_PARTS = ("decode_s", "fold_s", "drain_s")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this measurement."""
    parser.add_argument("--visitors", type=int, default=20_000, help="about six events each")
    parser.add_argument("--at-once", type=int, default=10_000, help="records of a batch")
    parser.add_argument("--pairs", type=int, default=6)
    parser.add_argument("--packages", type=_folders, default=[SOURCE, COMPILED], help="two folders, with a comma")


def _folders(text: str) -> list[Path]:
    folders = [Path(name).resolve() for name in text.split(",")]
    if len(folders) != len(("one", "the other")) or not all((folder / "postcart").is_dir() for folder in folders):
        raise argparse.ArgumentTypeError("two folders that hold the package postcart are needed: src,build/compiled")
    return folders


def main(given: argparse.Namespace) -> None:
    """Run pairs of both framings; print the figures, and keep those of the usual packages."""
    usual = given.packages == [SOURCE, COMPILED]
    names = ["Python", "compiled"] if usual else [str(folder) for folder in given.packages]
    lines = [
        f"| | µs CPU per record, {names[0]} | {names[1]} | decoding | folding, with rows | handing over | ratio |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    result = {}
    for framing, name in (("json", "JSON"), ("wire", "Avro")):
        records = len(encoded(Shape(visitors=given.visitors, framing=framing), 1))  # type: ignore[arg-type]  # one of two
        pairs = _pairs(given, framing)
        first, second = ([_micros(run["cpu_s"], records) for run in runs] for runs in zip(*pairs, strict=True))
        ratio = statistics.median(one / other for one, other in zip(first, second, strict=True))
        parts = [
            " / ".join(
                f"{statistics.median(_micros(pair[side][part], records) for pair in pairs):.1f}" for side in (0, 1)
            )
            for part in _PARTS
        ]
        figures = [f"{statistics.median(first):.1f}", f"{statistics.median(second):.1f}", *parts, f"{ratio:.2f} x"]
        lines.append(f"| {name} | " + " | ".join(figures) + " |")
        result[framing] = {"records": records, "pairs": pairs, "ratio": round(ratio, 3)}
    if usual:
        keep("fold", {"packages": names, **result}, lines)
    else:
        print("\n".join(lines))


def _micros(seconds: float, records: int) -> float:
    return seconds / records * 1e6


def _pairs(given: argparse.Namespace, framing: str) -> list[Sequence[dict[str, float]]]:
    program = str(ROOT / "bench" / "contenders" / "postcart_fold.py")
    found: list[Sequence[dict[str, float]]] = []
    with ThreadPoolExecutor(2) as both:
        for number in range(given.pairs):
            runs = [
                both.submit(
                    told,
                    [
                        sys.executable,
                        program,
                        str(given.visitors),
                        framing,
                        str(given.at_once),
                        str((side + number) % 2),
                    ],
                    {},
                    package=package,
                )
                for side, package in enumerate(given.packages)
            ]
            found.append([run.result() for run in runs])
            costs = [f"{run['cpu_s']:.2f} s" for run in found[-1]]
            print(f"  pair {number + 1}, {framing}: {' and '.join(costs)}", flush=True)
    return found
