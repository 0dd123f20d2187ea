"""``python -m bench scale``: CPU seconds per record with more workers, more partitions and more visitors.

DETECT alone, uniform keys, JSON. Each line differs from the first in one thing. Workers share the machine's cores
with the broker, so what they take together is told, and not how much faster they are.
"""

import argparse
import signal
import subprocess
import time
from dataclasses import dataclass

from confluent_kafka import Consumer, TopicPartition

from bench.common.cluster import Cluster, cluster
from bench.common.dataset import Shape, encoded, write
from bench.common.report import keep
from bench.common.workers import cpu_s, joined, start_worker
from postcart.adapters.rdkafka.leaders import watermarks_of
from postcart.adapters.topics import create
from postcart.adapters.topics.table import stage_group
from postcart.settings import Settings

MOST_S = 900
_LOOK_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is run."""

    workers: int = 1
    partitions: int = 16
    visitors: int = 1
    lines: int = 0


CASES = (
    Case(),
    Case(workers=2),
    Case(workers=4),
    Case(partitions=4),
    Case(partitions=64),
    Case(visitors=2),
    Case(lines=10),
    Case(lines=40),
)
"""``visitors`` times as many as asked for; each cart begins with ``lines`` lines more."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this measurement."""
    parser.add_argument("--visitors", type=int, default=8_000, help="about six events each")


def main(given: argparse.Namespace) -> None:
    """Run every case once."""
    lines = [
        "| workers | partitions | visitors | lines more per cart | CPU µs per record | against the first |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    found: list[dict[str, float]] = []
    for case in CASES:
        with cluster(case.partitions) as broker:
            visitors = case.visitors * given.visitors
            micros = _run(broker, case.workers, Shape(visitors=visitors, more_lines=case.lines))
        found.append(
            {
                "workers": case.workers,
                "partitions": case.partitions,
                "visitors": visitors,
                "more_lines": case.lines,
                "us": micros,
            }
        )
        against = micros / found[0]["us"]
        lines.append(
            f"| {case.workers} | {case.partitions} | {visitors:,} | {case.lines} | {micros:,.1f} | {against:.2f} x |"
        )
        print(lines[-1], flush=True)
    keep("scale", {"cases": found}, lines)


def _run(broker: Cluster, workers: int, shape: Shape) -> float:
    """Microseconds: workers that have joined find all records at once; their CPU until the last is committed."""
    shop = f"{broker.prefix}shop."
    settings = broker.settings("scale", shop)
    create(settings)
    records = encoded(shape, broker.partitions)
    began = [_worker(broker, shop, f"w{number}") for number in range(workers)]
    try:
        joined(broker.bootstrap, stage_group(settings, "detect"), workers)
        before = sum(cpu_s(worker.pid) for worker in began)
        write(broker.bootstrap, shop, records)
        _await_end(settings, broker.partitions)
        spent = sum(cpu_s(worker.pid) for worker in began) - before
    finally:
        for worker in began:
            worker.send_signal(signal.SIGTERM)
        for worker in began:
            worker.wait(60)
    return spent / len(records) * 1e6


def _worker(broker: Cluster, shop: str, name: str) -> subprocess.Popen[bytes]:
    return start_worker("detect", broker.variables("scale", shop, POSTCART_WORKER_NAME=name))


def _await_end(settings: Settings, partitions: int) -> None:
    """Wait until the group has committed all there is."""
    group = stage_group(settings, "detect")
    asker = Consumer({"bootstrap.servers": settings.bootstrap, "group.id": group, "enable.auto.commit": False})
    names = (settings.shop_topic("sessions"), settings.shop_topic("carts"))
    places = [TopicPartition(name, number) for name in names for number in range(partitions)]
    ends = [watermarks_of(asker, place.topic, place.partition, within_s=30.0)[1] for place in places]
    until = time.monotonic() + MOST_S
    while any(at.offset < end for at, end in zip(asker.committed(places, timeout=30), ends, strict=True)):
        if time.monotonic() > until:
            raise SystemExit("the workers did not come to the end")
        time.sleep(_LOOK_S)
    asker.close()
