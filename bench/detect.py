"""DETECT with all its semantics against a plain Faust app with a Table: records per CPU second, in one run.

Both read the same topics of the same broker and decide by the same rules; a check shows that they decided the same.
Runs are interleaved; the median counts. CPU is that of the contender's process over all its threads, the broker's
excluded, from the first record to the last commit, so without start-up.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from bench.dataset import fill
from postcart.adapters.local_kafka import default_cache, open_broker
from postcart.adapters.topics import create
from postcart.settings import Settings, load_settings

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "detect.json"
PARTITIONS = 4
LONGEST_S = 1_800
"""A contender that hangs ends the bench."""
_ABANDONED = (b'"abandonment":{', b'{"type":"abandonment"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a contender. ``decided``: abandonment ids."""

    cpu_s: float
    wall_s: float
    peak_bytes: int
    decided: Counter[str]


def main(tiles: int, runs: int) -> None:
    """Fill a broker, let both run in turn, print and keep the figures."""
    environment = dict(os.environ)
    with open_broker(environment.get("KAFKA_BOOTSTRAP"), cache=default_cache(environment)) as broker:
        shop = f"bench{os.getpid()}.shop."
        first = _settings(broker.bootstrap, f"bench{os.getpid()}.0.", shop)
        create(first)
        records = fill(broker.bootstrap, f"{shop}sessions", f"{shop}carts", tiles=tiles, partitions=PARTITIONS)
        print(f"{records:,} records in {PARTITIONS} partitions of two topics")
        results: dict[str, list[Run]] = {"postcart": [], "plain faust": []}
        for number in range(1, runs + 1):
            settings = _settings(broker.bootstrap, f"bench{os.getpid()}.{number}.", shop)
            create(settings)
            results["postcart"].append(_postcart(settings, records))
            results["plain faust"].append(_faust(settings, records, f"faust{number}"))
            for name, found in results.items():
                print(f"  run {number}: {name:12} {records / found[-1].cpu_s:10,.0f} records per CPU second")
    _report(records, results)


def _settings(bootstrap: str, prefix: str, shop: str) -> Settings:
    variables = {
        "POSTCART_BOOTSTRAP": bootstrap,
        "POSTCART_TOPIC_PREFIX": prefix,
        "POSTCART_SHOP_PREFIX": shop,
        "POSTCART_PARTITIONS": str(PARTITIONS),
        "POSTCART_WORKER_NAME": "bench",
    }
    return load_settings(variables, None)


def _postcart(settings: Settings, records: int) -> Run:
    variables = {
        "POSTCART_BOOTSTRAP": settings.bootstrap,
        "POSTCART_TOPIC_PREFIX": settings.topic_prefix,
        "POSTCART_SHOP_PREFIX": settings.shop_prefix,
        "POSTCART_PARTITIONS": str(PARTITIONS),
        "POSTCART_WORKER_NAME": "bench",
    }
    line = _run([str(HERE / "detect_postcart.py"), str(records)], variables)
    topics = (settings.topic("signals"), settings.topic("decisions"))
    return Run(**line, decided=_decided(settings.bootstrap, topics))


def _faust(settings: Settings, records: int, run: str) -> Run:
    prefix = settings.shop_prefix.removesuffix("shop.")
    variables = {"BENCH_BOOTSTRAP": settings.bootstrap, "BENCH_RUN": run}
    outputs = [f"{prefix}{run}.signals", f"{prefix}{run}.decisions"]
    admin = AdminClient({"bootstrap.servers": settings.bootstrap})
    for made in admin.create_topics([NewTopic(name, PARTITIONS) for name in outputs]).values():
        made.result()
    line = _run([str(HERE / "peers" / "plain_faust.py"), prefix, str(PARTITIONS), str(records)], variables)
    return Run(**line, decided=_decided(settings.bootstrap, tuple(outputs)))


def _run(arguments: list[str], variables: dict[str, str]) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, **variables, "PYTHONPATH": str(HERE.parent)},
        stdout=subprocess.PIPE,
        check=False,
        cwd=HERE,
        timeout=LONGEST_S,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith(b'{"cpu_s"')]
    if not lines:
        raise SystemExit(f"{arguments[0]} ended with {done.returncode} and told no figures")
    found: dict[str, float] = json.loads(lines[-1])
    return found


def _decided(bootstrap: str, topics: tuple[str, ...]) -> Counter[str]:
    """Ids of all abandonments that a contender told, of known and of anonymous visitors."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "bench",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "enable.auto.commit": False,
        }
    )
    found: Counter[str] = Counter()
    places = [TopicPartition(topic, number, 0) for topic in topics for number in range(PARTITIONS)]
    consumer.assign(places)
    left = len(places)
    while left:
        for message in consumer.consume(10_000, 5.0):
            value = message.value()
            if message.error() is not None:
                left -= 1
            elif value is not None and any(mark in value for mark in _ABANDONED):
                record = msgspec.json.decode(value)
                abandonment = record.get("abandonment") or record
                found[abandonment["abandonment_id"]] += 1
    consumer.close()
    return found


def _report(records: int, results: dict[str, list[Run]]) -> None:
    decided = {name: runs[0].decided for name, runs in results.items()}
    same = len({frozenset(run.decided.items()) for runs in results.values() for run in runs}) == 1
    median = {name: statistics.median(run.cpu_s for run in runs) for name, runs in results.items()}
    ratio = median["plain faust"] / median["postcart"]
    print(f"\n{'':14}{'records/CPU s':>15}{'records/s':>12}{'peak MiB':>10}{'abandonments':>14}")
    for name, runs in results.items():
        wall = statistics.median(run.wall_s for run in runs)
        peak = max(run.peak_bytes for run in runs) / 2**20
        print(
            f"{name:14}{records / median[name]:15,.0f}{records / wall:12,.0f}{peak:10,.0f}{decided[name].total():14,}"
        )
    print(f"\nthe same abandonments in all runs: {'yes' if same else 'NO'}")
    print(f"Postcart decides {ratio:.1f} times as many records per CPU second as plain Faust")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(
        json.dumps(
            {
                "date": datetime.now(UTC).date().isoformat(),
                "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
                "records": records,
                "runs": {
                    name: [{"cpu_s": run.cpu_s, "wall_s": run.wall_s, "peak_bytes": run.peak_bytes} for run in runs]
                    for name, runs in results.items()
                },
                "records_per_cpu_s": {name: round(records / value) for name, value in median.items()},
                "ratio": round(ratio, 1),
                "same_decisions": same,
            },
            indent=2,
        )
        + "\n"
    )
    if not same:
        raise SystemExit("the contenders decided differently: the ratio means nothing")
