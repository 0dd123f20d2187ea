"""``python -m bench nexmark``: Nexmark's query 11 on Postcart's stage machinery, against Kafka Streams.

Session windows of 10 s per bidder, bids from Kafka, ended sessions to Kafka, exactly once. Flink's published figure
for this query, on another machine, is quoted beside the result and never divided by.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition

from bench.common.bids import fill
from bench.common.cluster import Cluster, cluster
from bench.common.measure import COMPILED, ROOT, SOURCE, Contender, Run, interleaved, same, told
from bench.common.report import keep, standings_json, standings_table
from bench.detect import POSTCART, POSTCART_COMPILED, STREAMS, own_settings
from bench.peers import kafka_streams

PARTITIONS = 4
FLINK = "Flink's published figure for this query is 39,700 events/s and core, on another machine."


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this comparison."""
    parser.add_argument("--events", type=int, default=300_000, help="bids")
    parser.add_argument("--runs", type=int, default=3, help="of each contender; the median counts")


def main(given: argparse.Namespace) -> None:
    """Fill a broker, let both run in turn, print and keep the figures."""
    with cluster(PARTITIONS) as broker:
        topic = f"{broker.prefix}bids"
        broker.create([topic])
        records = fill(broker.bootstrap, topic, count=given.events, partitions=PARTITIONS)
        print(f"{records:,} bids in {PARTITIONS} partitions")
        contenders = [
            Contender(
                name=POSTCART,
                run=lambda run: _postcart(broker, run, topic, records, SOURCE),
                settings=own_settings(),
            ),
            Contender(
                name=POSTCART_COMPILED,
                run=lambda run: _postcart(broker, run, topic, records, COMPILED),
                settings=own_settings(),
            ),
            Contender(
                name=STREAMS,
                run=lambda run: _streams(broker, run, topic, records),
                settings=kafka_streams.SETTINGS,
            ),
        ]
        standings = interleaved(contenders, records=records, runs=given.runs)
    agreed = same(standings)
    ended = standings[POSTCART].runs[0].decided.total()
    verdict = "the same in all runs of all" if agreed else "NOT the same: the figures mean nothing"
    lines = [f"{records:,} bids, {ended:,} sessions, {verdict}. {FLINK}", ""]
    lines += standings_table(standings, against=[POSTCART, POSTCART_COMPILED])
    keep("nexmark", {"same_decisions": agreed, "contenders": standings_json(standings, contenders)}, lines)
    if not agreed:
        raise SystemExit("the contenders decided differently: the ratio means nothing")


def _postcart(broker: Cluster, run: str, topic: str, records: int, package: Path) -> Run:
    prefix = f"{broker.prefix}{run}."
    broker.create([f"{prefix}sessions"])
    broker.create([f"{prefix}changelog"], {"cleanup.policy": "compact"})
    beginner = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": f"{prefix}bids"})
    places = [TopicPartition(topic, number, 0) for number in range(PARTITIONS)]
    beginner.commit(offsets=places, asynchronous=False)
    beginner.close()
    program = str(ROOT / "bench" / "contenders" / "postcart_bids.py")
    figures = told([sys.executable, program, broker.bootstrap, topic, prefix, str(records)], {}, package=package)
    decided = _sessions(broker, prefix)
    broker.delete(prefix)
    return Run(**figures, decided=decided)  # type: ignore[arg-type]  # as its line says


def _streams(broker: Cluster, run: str, topic: str, records: int) -> Run:
    prefix = f"{broker.prefix}{run}."
    broker.create([f"{prefix}sessions"])
    figures = told(kafka_streams.command("Bids", broker.bootstrap, topic, prefix, str(records), "memory"), {})
    decided = _sessions(broker, prefix)
    broker.delete(prefix)
    return Run(**figures, decided=decided)  # type: ignore[arg-type]


def _sessions(broker: Cluster, prefix: str) -> Counter[str]:
    return Counter(value.decode() for value in broker.values([f"{prefix}sessions"]))
