"""``python -m bench restore``: how long DETECT takes to take up its rows again, and the memory that they need.

The rows are visitors a day after an abandonment: a person, two lines, no open session.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Iterator
from decimal import Decimal

from confluent_kafka import Producer

from bench.common.cluster import cluster
from bench.common.measure import ROOT, told
from bench.common.report import keep
from postcart.adapters.topics import create
from postcart.domain.detect.rules import Rules
from postcart.domain.detect.visitor import Visitor
from postcart.events.ids import POSTCART, uuid5
from postcart.events.signals import LineState
from postcart.events.times import DAY_MS
from postcart.processors.detect import ROW_VERSION
from postcart.processors.rows import RowStore

PARTITIONS = 4
AT_ONCE = 50_000


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this measurement."""
    parser.add_argument("--rows", type=_sizes, default=[100_000], help="one size, or several with commas")
    parser.add_argument("--runs", type=int, default=3)


def _sizes(text: str) -> list[int]:
    sizes = text.split(",")
    if not all(size.isdecimal() and int(size) for size in sizes):
        raise argparse.ArgumentTypeError("numbers of rows are needed: 1000000,5000000")
    return [int(size) for size in sizes]


def main(given: argparse.Namespace) -> None:
    """Write a changelog of each size, restore it as often as asked for."""
    lines = [
        "| rows | bytes each | seconds | rows/s | memory of the worker, MiB |",
        "|---:|---:|---:|---:|---:|",
    ]
    sizes = []
    for count in given.rows:
        size, runs = _restored(count, given.runs)
        seconds = statistics.median(run["wall_s"] for run in runs)
        memory = max(run["peak_bytes"] for run in runs)
        row = f"| {count:,} | {size / count:,.0f} | {seconds:.1f} | {count / seconds:,.0f} |"
        lines.append(f"{row} {memory / 2**20:,.0f} |")
        sizes.append({"rows": count, "row_bytes": round(size / count), "runs": runs})
    keep("restore", {"sizes": sizes}, lines)


def _restored(count: int, times: int) -> tuple[int, list[dict[str, float]]]:
    """Bytes of so many rows, and what each restore of them took."""
    with cluster(PARTITIONS) as broker:
        shop = f"{broker.prefix}shop."
        settings = broker.settings("restore", shop)
        create(settings)
        producer = Producer(
            {
                "bootstrap.servers": broker.bootstrap,
                "compression.type": "lz4",
                "partitioner": "murmur2_random",
                "linger.ms": 50,
                "queue.buffering.max.messages": 2 * AT_ONCE,
            }
        )
        size = 0
        for number, (key, value) in enumerate(rows(count), start=1):
            producer.produce(settings.topic("detect.changelog"), value, key)
            size += len(value)
            if number % AT_ONCE == 0:
                producer.flush()
        producer.flush()
        program = str(ROOT / "bench" / "contenders" / "postcart_restore.py")
        command = [sys.executable, program, str(PARTITIONS)]
        return size, [told(command, broker.variables("restore", shop)) for _ in range(times)]


def rows(count: int) -> Iterator[tuple[bytes, bytes]]:
    """Changelog records, encoded as DETECT's store does."""
    rules, now_ms = Rules(), int(time.time() * 1000)
    store = RowStore(
        Visitor,
        version=ROW_VERSION,
        deadline=lambda visitor: visitor.deadline_ms(rules),
        stays_decoded=lambda _: False,
    )
    lines = [
        LineState(variant_id=variant, quantity=1, changed_ms=now_ms - DAY_MS, unit_price=Decimal("2.62"))
        for variant in ("5773203", "5881589")
    ]
    for number in range(count):
        visitor = uuid5(POSTCART, str(number))
        row = Visitor(
            visitor_id=visitor,
            person_id=uuid5(POSTCART, f"person/{number}"),
            lines={line.variant_id: line for line in lines},
            last_ms=now_ms - DAY_MS,
            last_seq=number,
            last_rank=3,
            decided_ms=now_ms - DAY_MS,
            decided_seq=1 << 62,
        )
        store.save(visitor, row)
        if number % AT_ONCE == AT_ONCE - 1 or number == count - 1:
            for key, value in store.take_changed():
                if value is not None:
                    yield key, value
                    store.drop(key.decode())
            store.take_changed()
