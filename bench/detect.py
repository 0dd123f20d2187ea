"""``python -m bench detect``: DETECT with all its semantics, exactly once, against plain Faust and Kafka Streams.

All read the same topics of the same broker and decide by the same rules; a check shows that they decided the same.
Runs are interleaved, the median counts.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from bench.common.cluster import Cluster, cluster
from bench.common.dataset import Shape, fill
from bench.common.measure import COMPILED, ROOT, SOURCE, Contender, Run, Standing, interleaved, same, told
from bench.common.report import keep, standings_json, standings_table
from bench.peers import kafka_streams
from bench.peers.plain_faust_settings import SETTINGS as FAUST_SETTINGS
from postcart.adapters.rdkafka.settings import ClientSettings
from postcart.adapters.topics import create

PARTITIONS = 4
_MILLION = 1_000_000
POSTCART, POSTCART_COMPILED, FAUST, STREAMS, STREAMS_ROCKSDB, LIMIT = (
    "Postcart",
    "Postcart, compiled",
    "plain Faust",
    "Kafka Streams, in memory",
    "Kafka Streams, RocksDB",
    "librdkafka reading alone",
)
PEERS = {"compiled": POSTCART_COMPILED, "faust": FAUST, "streams": STREAMS, "rocksdb": STREAMS_ROCKSDB, "read": LIMIT}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this comparison."""
    parser.add_argument("--visitors", type=int, default=10_000, help="about six events each")
    parser.add_argument("--keys", choices=("uniform", "bursty"), default="uniform")
    parser.add_argument("--framing", choices=("json", "wire"), default="json", help="wire: Avro")
    parser.add_argument("--runs", type=int, default=3, help="of each contender; the median counts")
    parser.add_argument(
        "--peers", type=_peers, default=",".join(PEERS), help=f"which, besides Postcart: {','.join(PEERS)}"
    )


def _peers(text: str) -> set[str]:
    names = text.split(",")
    if unknown := sorted(set(names) - PEERS.keys()):
        raise argparse.ArgumentTypeError(f"no such peer: {', '.join(unknown)}; there are {', '.join(PEERS)}")
    return {PEERS[name] for name in names}


def main(given: argparse.Namespace) -> None:
    """Fill a broker, let all run in turn, print and keep the figures."""
    shape = Shape(visitors=given.visitors, keys=given.keys, framing=given.framing)
    with cluster(PARTITIONS) as broker:
        shop = f"{broker.prefix}shop."
        create(broker.settings("fill", shop))
        records = fill(broker.bootstrap, shop, shape=shape, partitions=PARTITIONS)
        print(f"{records:,} records of {shape}, in {PARTITIONS} partitions of two topics")
        contenders = _contenders(broker, shop, records, given.peers)
        standings = interleaved(contenders, records=records, runs=given.runs)
    _report(shape, standings, contenders)


def _contenders(broker: Cluster, shop: str, records: int, wanted: set[str]) -> list[Contender]:
    each = [
        Contender(name=POSTCART, run=lambda run: postcart(broker, run, shop, records), settings=own_settings()),
        Contender(
            name=POSTCART_COMPILED,
            run=lambda run: postcart(broker, run, shop, records, package=COMPILED),
            settings=own_settings(),
        ),
        Contender(name=FAUST, run=lambda run: _faust(broker, run, shop, records), settings=FAUST_SETTINGS),
        Contender(
            name=STREAMS,
            run=lambda run: _streams(broker, run, shop, records, "memory"),
            settings=kafka_streams.SETTINGS,
        ),
        Contender(
            name=STREAMS_ROCKSDB,
            run=lambda run: _streams(broker, run, shop, records, "rocksdb"),
            settings=kafka_streams.SETTINGS,
        ),
        Contender(name=LIMIT, run=lambda _: _limit(broker, shop, records), settings={}),
    ]
    return [one for one in each if one.name == POSTCART or one.name in wanted]


def own_settings() -> Mapping[str, object]:
    """What a Postcart worker runs with, as far as the others have the like."""
    own = ClientSettings(bootstrap="")
    return {
        "transaction": "1 s, 0.1 s with outputs",
        "compression": own.compression,
        "batch": f"at most {own.batch_records}",
    }


def postcart(broker: Cluster, run: str, shop: str, records: int, *, package: Path = SOURCE) -> Run:
    """``postcart worker detect`` from the first batch to the commit of the last.

    ``package``: the folder of the package, as it is or with its hot modules compiled.
    """
    if not package.is_dir():
        raise SystemExit(f"{package} is missing: make compiled first, or leave compiled out of --peers")
    settings = broker.settings(run, shop)
    create(settings)
    program = str(ROOT / "bench" / "contenders" / "postcart_detect.py")
    figures = told([sys.executable, program, str(records)], broker.variables(run, shop), package=package)
    decided = broker.abandonments([settings.topic("signals"), settings.topic("decisions")])
    broker.delete(settings.topic_prefix)
    return Run(**figures, decided=decided)  # type: ignore[arg-type]  # as its line says


def _faust(broker: Cluster, run: str, shop: str, records: int) -> Run:
    prefix = f"{broker.prefix}{run}."
    outputs = [f"{prefix}signals", f"{prefix}decisions"]
    broker.create(outputs)
    program = str(ROOT / "bench" / "peers" / "plain_faust.py")
    command = [sys.executable, program, broker.bootstrap, shop, prefix, str(broker.partitions), str(records)]
    figures = told(command, {})
    decided = broker.abandonments(outputs)
    broker.delete(prefix)
    return Run(**figures, decided=decided)  # type: ignore[arg-type]


def _streams(broker: Cluster, run: str, shop: str, records: int, store: str) -> Run:
    prefix = f"{broker.prefix}{run}."
    outputs = [f"{prefix}signals", f"{prefix}decisions"]
    broker.create(outputs)
    figures = told(kafka_streams.command("Detect", broker.bootstrap, shop, prefix, str(records), store), {})
    decided = broker.abandonments(outputs)
    broker.delete(prefix)
    return Run(**figures, decided=decided)  # type: ignore[arg-type]


def _limit(broker: Cluster, shop: str, records: int) -> Run:
    program = str(ROOT / "bench" / "contenders" / "librdkafka_read.py")
    command = [sys.executable, program, broker.bootstrap, shop, str(broker.partitions), str(records)]
    return Run(**told(command, {}))  # type: ignore[arg-type]


def _report(shape: Shape, standings: Mapping[str, Standing], contenders: list[Contender]) -> None:
    first = standings[POSTCART].runs[0].decided.total()
    agreed = same(standings)
    verdict = "the same in all runs of all contenders" if agreed else "NOT the same: the figures mean nothing"
    about = f"{standings[POSTCART].records:,} records of {shape}; {first:,} abandonments, {verdict}."
    own = [name for name in (POSTCART, POSTCART_COMPILED) if name in standings]
    lines = [about, "", *standings_table(standings, against=own)]
    # Plain Faust takes minutes where the others take seconds: large inputs are run without it, and kept beside.
    size = "" if FAUST in standings else "-million" if shape.visitors >= _MILLION else "-large"
    name = f"detect-{'json' if shape.framing == 'json' else 'avro'}-{shape.keys}{size}"
    keep(
        name,
        {"input": str(shape), "same_decisions": agreed, "contenders": standings_json(standings, contenders)},
        lines,
    )
    if not agreed:
        raise SystemExit("the contenders decided differently: the ratio means nothing")
