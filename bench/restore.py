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
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)


def main(given: argparse.Namespace) -> None:
    """Write a changelog, restore it as often as asked for."""
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
        for number, (key, value) in enumerate(rows(given.rows), start=1):
            producer.produce(settings.topic("detect.changelog"), value, key)
            size += len(value)
            if number % AT_ONCE == 0:
                producer.flush()
        producer.flush()
        program = str(ROOT / "bench" / "contenders" / "postcart_restore.py")
        command = [sys.executable, program, str(PARTITIONS)]
        runs = [told(command, broker.variables("restore", shop)) for _ in range(given.runs)]
    seconds = statistics.median(run["wall_s"] for run in runs)
    memory = max(run["peak_bytes"] for run in runs)
    row = f"| {given.rows:,} | {size / given.rows:,.0f} | {seconds:.1f} | {given.rows / seconds:,.0f} |"
    lines = [
        "| rows | bytes each | seconds | rows/s | memory of the worker, MiB |",
        "|---:|---:|---:|---:|---:|",
        f"{row} {memory / 2**20:,.0f} |",
    ]
    keep("restore", {"rows": given.rows, "row_bytes": round(size / given.rows), "runs": runs}, lines)


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
