"""``python -m bench live``: delays under load that arrives in real time; what a kill and a rolling restart cost.

Every second record ends a session with a cart at its own time (disorder 0), so the moment at which the task's clock
passes the deadline is the event's time. Delay: decision visible to ``read_committed`` less that moment; getting
the event into Kafka is in it. The sustained rate is what a worker commits while more than that comes in.
"""

import argparse
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from datetime import datetime

import msgspec
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from bench.common.cluster import Cluster, cluster
from bench.common.measure import ROOT
from bench.common.report import keep
from postcart.adapters.topics import create
from postcart.settings import Settings

PARTITIONS = 4
SHARES = (0.0, 0.5, 0.9, 0.95)
QUIET_RATE = 20
"""Records a second that stand for no load: something must happen for a delay to be seen."""
_TICK_S = 0.01
_LOOK_S = 0.2
_PATIENCE_S = 120
"""Only ends a run that would hang."""


class Decided(msgspec.Struct):
    """What is looked at of a decision."""

    abandoned_at: datetime


class Traffic:
    """Produces events at a rate, and watches the decisions that come of them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer = Producer(
            {"bootstrap.servers": settings.bootstrap, "partitioner": "murmur2_random", "linger.ms": 5}
        )
        self.sessions = 0
        self.readers = settings.topic("detect")
        """The group that decides of them."""
        self._stop = threading.Event()
        self.seen: list[tuple[float, int, int]] = []
        """Of each decision: when it was seen, its delay in ms, its partition."""
        self._watching = threading.Thread(target=self._watch)
        self._watching.start()

    def send(self, rate: float, seconds: float) -> int:
        """Send so many records a second, evenly; returns how many."""
        began, sent = time.monotonic(), 0
        while (now := time.monotonic()) < began + seconds:
            due = int((now - began) * rate)
            while sent < due:
                self._session()
                sent += 2
            self._producer.poll(0)
            time.sleep(_TICK_S)
        self._producer.flush()
        return sent

    def _session(self) -> None:
        self.sessions += 1
        visitor, now_ms = f"visitor-{os.getpid()}-{self.sessions:012d}", time.time_ns() // 1_000_000
        head = f'"time":{now_ms},"visitor_id":"{visitor}"'
        line = '{"variant_id":"5773203","quantity":1,"unit_price":"2.62","currency":"USD"}'
        added = f'{{"type":"added","id":"{visitor}-a",{head},"line":{line}}}'
        ended = f'{{"type":"ended","id":"{visitor}-b","sequence":1,{head}}}'
        for topic, value in (("carts", added), ("sessions", ended)):
            while True:
                try:
                    self._producer.produce(self._settings.shop_topic(topic), value, visitor)
                    break
                except BufferError:
                    self._producer.poll(0.05)

    def _watch(self) -> None:
        consumer = Consumer(
            {
                "bootstrap.servers": self._settings.bootstrap,
                "group.id": "bench",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 10,
            }
        )
        topic = self._settings.topic("decisions")
        consumer.assign([TopicPartition(topic, number, 0) for number in range(PARTITIONS)])
        decode = msgspec.json.Decoder(Decided).decode
        while not self._stop.is_set():
            for message in consumer.consume(5_000, 0.02):
                if message.error() is None:
                    now = time.time()
                    at = decode(message.value() or b"").abandoned_at.timestamp()
                    self.seen.append((now, round((now - at) * 1000), message.partition() or 0))
        consumer.close()

    def close(self) -> None:
        """Stop watching."""
        self._stop.set()
        self._watching.join()


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this measurement."""
    parser.add_argument("--seconds", type=float, default=15, help="at each load")


def main(given: argparse.Namespace) -> None:
    """Find the sustained rate, then measure at shares of it."""
    with cluster(PARTITIONS) as broker:
        shop = f"{broker.prefix}shop."
        settings = broker.settings("live", shop, POSTCART_DISORDER_S="0")
        create(settings)
        workers = [_worker(broker, shop, "one")]
        traffic = Traffic(settings)
        try:
            _settle(traffic)
            rate = _sustained(traffic, given.seconds)
            lines, result = _delays(traffic, rate, given.seconds)
            more, pauses = _pauses(broker, shop, traffic, rate, workers)
        finally:
            traffic.close()
            for worker in workers:
                worker.kill()
                worker.wait()
    keep("live", {"sustained_records_per_s": round(rate), "delays_ms": result, "pauses_s": pauses}, [*lines, "", *more])


def _worker(broker: Cluster, shop: str, name: str) -> subprocess.Popen[bytes]:
    variables = broker.variables("live", shop, POSTCART_DISORDER_S="0", POSTCART_WORKER_NAME=name)
    return subprocess.Popen(
        [sys.executable, "-m", "postcart", "worker", "detect"],
        env={**os.environ, **variables, "PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _settle(traffic: Traffic) -> None:
    """Wait until decisions of all partitions come, and come at once."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        since = len(traffic.seen)
        traffic.send(QUIET_RATE, 2)
        latest = traffic.seen[since:]
        if latest and latest[-1][1] < 1_000 and len({partition for _, _, partition in latest}) == PARTITIONS:
            return
    raise SystemExit("the worker decided nothing for a minute")


def _settled(traffic: Traffic) -> None:
    """Wait until every session has been decided: each one has a cart, and ends."""
    until = time.monotonic() + _PATIENCE_S
    while len(traffic.seen) < traffic.sessions:
        if time.monotonic() > until:
            raise SystemExit(f"{traffic.sessions - len(traffic.seen)} sessions were not decided in {_PATIENCE_S} s")
        time.sleep(_TICK_S)


def _joined(broker: Cluster, group: str, count: int) -> None:
    """Wait until the group has so many members, each with partitions."""
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        told = admin.describe_consumer_groups([group])[group].result(_PATIENCE_S)
        if len(told.members) == count and all(member.assignment.topic_partitions for member in told.members):
            return
        time.sleep(_LOOK_S)
    raise SystemExit(f"{group} did not come to {count} members in {_PATIENCE_S} s")


def _sustained(traffic: Traffic, seconds: float) -> float:
    """What is decided of more and more, once that is clearly less than what comes in."""
    rate = 4_000.0
    while True:
        since, began = len(traffic.seen), time.monotonic()
        traffic.send(rate, seconds / 2)
        decided = 2 * (len(traffic.seen) - since) / (time.monotonic() - began)
        _settled(traffic)
        print(f"  {rate:,.0f} records/s in, {decided:,.0f} decided", flush=True)
        if decided < 0.9 * rate:
            return decided
        rate *= 1.5


def _delays(traffic: Traffic, rate: float, seconds: float) -> tuple[list[str], dict[str, dict[str, int]]]:
    lines = [
        f"Sustained: {rate:,.0f} records/s of one worker, beside the broker and the generator on the same cores.",
        "",
        "| load | p50 ms | p99 ms | max ms |",
        "|---:|---:|---:|---:|",
    ]
    result = {}
    for share in SHARES:
        since = len(traffic.seen)
        traffic.send(max(rate * share, QUIET_RATE), seconds)
        _settled(traffic)
        delays = sorted(delay for _, delay, _ in traffic.seen[since:])
        found = {"p50": delays[len(delays) // 2], "p99": delays[len(delays) * 99 // 100], "max": delays[-1]}
        result[f"{share:.0%}"] = found
        lines.append(f"| {share:.0%} | {found['p50']:,} | {found['p99']:,} | {found['max']:,} |")
    return lines, result


def _pauses(
    broker: Cluster, shop: str, traffic: Traffic, rate: float, workers: list[subprocess.Popen[bytes]]
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
            if what in {"kill", "stop"}:
                workers.append(_worker(broker, shop, f"w{len(workers)}-{what}"))
                workers.pop(0)
        sending.join()
        _settled(traffic)
        return _longest_gap([(at, partition) for at, _, partition in traffic.seen if at >= began])

    killed = during([(5, "kill")])
    workers.append(_worker(broker, shop, "second"))
    _joined(broker, traffic.readers, 2)
    rolled = during([(5, "stop"), (20, "stop")])
    line = (
        f"At half the rate: `kill -9`, and another worker is started at once: the longest pause of a partition is "
        f"{killed:.1f} s, of which 10 s are the group's session time-out. A rolling restart of two: {rolled:.1f} s."
    )
    return [line], {"kill": round(killed, 2), "rolling restart": round(rolled, 2)}


def _longest_gap(decisions: list[tuple[float, int]]) -> float:
    latest: dict[int, float] = {}
    longest = 0.0
    for at, partition in decisions:
        longest = max(longest, at - latest.get(partition, at))
        latest[partition] = at
    return longest
