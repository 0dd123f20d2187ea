"""``python -m bench live``: delays under load that arrives in real time; what a kill and a rolling restart cost.

Every second record ends a session with a cart at its own time, so the task's clock passes the deadline when the
allowed disorder has passed after that. (Some must be allowed: what is still on its way to the broker would come late.)
Delay: decision visible to ``read_committed`` less that moment. The sustained rate is what a worker decides while more
comes in. A record that waits in the generator for longer than the disorder is too late to be decided, and is counted.
"""

import argparse
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise

import msgspec

from bench.common.cluster import Cluster, cluster
from bench.common.report import keep
from bench.common.traffic import QUIET_RATE, Seen, Traffic, spread
from bench.common.workers import joined, start_worker
from postcart.adapters.topics import create
from postcart.settings import Settings

PARTITIONS = 4
DISORDER_S = 2
SHARES = (0.0, 0.5, 0.9, 0.95)
LONG_SHARE = 0.8
FIRST_RATE = 1_000
DECISIONS = "decisions"


class Decided(msgspec.Struct):
    """What is looked at of a decision."""

    visitor_id: str
    abandoned_at: datetime


class Sessions(Traffic):
    """Visits that end at once, each with a cart; their abandonments are awaited."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, watched=(DECISIONS,), partitions=PARTITIONS)
        self.readers = settings.topic("detect")
        """The group that decides of them."""
        self._decode = msgspec.json.Decoder(Decided).decode

    def records(self, number: int, now_ms: int) -> Iterable[tuple[str, str, str | bytes]]:
        """A line added, and the end of the session."""
        visitor = f"visitor-{os.getpid()}-{number:012d}"
        head = f'"time":{now_ms},"visitor_id":"{visitor}"'
        line = '{"variant_id":"5773203","quantity":1,"unit_price":"2.62","currency":"USD"}'
        yield self.shop("carts"), visitor, f'{{"type":"added","id":"{visitor}-a",{head},"line":{line}}}'
        yield self.shop("sessions"), visitor, f'{{"type":"ended","id":"{visitor}-b","sequence":1,{head}}}'

    @property
    def decided(self) -> list[Seen]:
        """The abandonments so far."""
        return self.seen[DECISIONS]

    def outcome_of(self, topic: str, value: bytes) -> tuple[int, float]:
        """Which session ended, and when the clock passed its end."""
        del topic
        decided = self._decode(value)
        return int(decided.visitor_id.rpartition("-")[2]), decided.abandoned_at.timestamp() + DISORDER_S


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this measurement."""
    parser.add_argument("--seconds", type=float, default=15, help="at each load")
    parser.add_argument("--long", type=float, default=600, help="seconds at 80 %% of the rate")


def main(given: argparse.Namespace) -> None:
    """Find the sustained rate, then measure at shares of it."""
    with cluster(PARTITIONS) as broker:
        shop = f"{broker.prefix}shop."
        settings = broker.settings("live", shop, POSTCART_DISORDER_S=str(DISORDER_S))
        create(settings)
        workers = [_worker(broker, shop, "one")]
        traffic = Sessions(settings)
        traffic.start()
        try:
            traffic.warmed_up()
            rate = traffic.sustained(FIRST_RATE, given.seconds, DECISIONS)
            lines, delays = _delays(traffic, rate, given.seconds)
            told, at_length = _at_length(traffic, rate, given.long)
            more, pauses = _pauses(broker, shop, traffic, rate, workers)
        finally:
            traffic.close()
            for worker in workers:
                worker.kill()
                worker.wait()
    result = {"sustained_records_per_s": round(rate), "delays_ms": delays, "long": at_length, "pauses_s": pauses}
    keep("live", result, [*lines, "", *told, "", *more])


def _worker(broker: Cluster, shop: str, name: str) -> subprocess.Popen[bytes]:
    return start_worker(
        "detect", broker.variables("live", shop, POSTCART_DISORDER_S=str(DISORDER_S), POSTCART_WORKER_NAME=name)
    )


def _delays(traffic: Sessions, rate: float, seconds: float) -> tuple[list[str], dict[str, dict[str, int]]]:
    lines = [
        f"Sustained: {rate:,.0f} records/s of one worker, beside the broker and the generator on the same cores.",
        "",
        "| load | p50 ms | p99 ms | max ms | came too late |",
        "|---:|---:|---:|---:|---:|",
    ]
    result = {}
    for share in SHARES:
        # Something must happen for a delay to be seen: a few records a second stand for no load.
        span = traffic.during(max(rate * share, QUIET_RATE), seconds, DECISIONS)
        found = result[f"{share:.0%}"] = {**spread(span.found), "late": span.late}
        lines.append(f"| {share:.0%} | {found['p50']:,} | {found['p99']:,} | {found['max']:,} | {span.late:,} |")
    return lines, result


def _at_length(traffic: Sessions, rate: float, seconds: float) -> tuple[list[str], dict[str, object]]:
    """Whether it falls behind in the long run: the delays of each fifth of a long time."""
    found, late = traffic.during(rate * LONG_SHARE, seconds, DECISIONS)
    fifth = -(-len(found) // 5)
    parts = [spread(found[start : start + fifth]) for start in range(0, len(found), fifth)]
    text = ", ".join(f"{part['p50']:,} and {part['p99']:,}" for part in parts)
    line = f"At {LONG_SHARE:.0%} for {seconds:,.0f} s, p50 and p99 in ms of each fifth of that time: {text}."
    return [line], {"seconds": seconds, "fifths": parts, "late": late}


def _pauses(
    broker: Cluster, shop: str, traffic: Sessions, rate: float, workers: list[subprocess.Popen[bytes]]
) -> tuple[list[str], dict[str, float]]:
    """Longest time without a decision in any partition, at half the rate: a kill, then a rolling restart of two."""

    def during(act: Sequence[tuple[float, str]]) -> float:
        began = time.time()
        sending = threading.Thread(target=traffic.send, args=(rate / 2, act[-1][0] + 25))
        sending.start()
        for at_s, what in act:
            time.sleep(max(0.0, began + at_s - time.time()))
            if what == "kill":
                workers[0].kill()
                workers[0].wait()
            elif what == "stop":
                workers[0].send_signal(signal.SIGTERM)
                workers[0].wait(60)
            workers.append(_worker(broker, shop, f"w{len(workers)}-{what}-{at_s:.0f}"))
            workers.pop(0)
        sending.join()
        traffic.settled(DECISIONS)
        return _longest_gap([seen for seen in traffic.decided if seen.at_s >= began])

    killed = during([(5, "kill")])
    workers.append(_worker(broker, shop, "second"))
    joined(broker.bootstrap, traffic.readers, 2)
    rolled = during([(5, "stop"), (20, "stop")])
    line = (
        f"At half the rate: `kill -9`, and another worker is started at once: the longest pause of a partition is "
        f"{killed:.1f} s, of which 10 s are the group's session time-out. A rolling restart of two: {rolled:.1f} s."
    )
    return [line], {"kill": round(killed, 2), "rolling restart": round(rolled, 2)}


def _longest_gap(decisions: Iterable[Seen]) -> float:
    times: dict[int, list[float]] = {}
    for seen in decisions:
        times.setdefault(seen.partition, []).append(seen.at_s)
    return max((after - before for each in times.values() for before, after in pairwise(each)), default=0.0)
