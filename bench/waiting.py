"""``python -m bench waiting``: the memory of a sender whose mail server is away while a great many mails wait.

The same for few and for many, on one broker: what waits should stay in Kafka. Then the server comes back, and the time
until the first mails are out again is told (most of it is the wait between two probes of a server that was long away).
"""

import argparse
import signal
import subprocess
import time

from confluent_kafka import Consumer, TopicPartition

from bench.common.cluster import Cluster, cluster
from bench.common.mail_jobs import fill, journey
from bench.common.mail_sink import running_sink
from bench.common.memory import peak_bytes
from bench.common.report import keep
from bench.common.workers import cpu_s, start_worker
from postcart.adapters.local_kafka import free_ports
from postcart.adapters.topics import create
from postcart.settings import Settings

PARTITIONS = 4
PEOPLE = 2_000
FEW = 10_000
OUT_AGAIN = 100
MOST_S = 300


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this measurement."""
    parser.add_argument("--mails", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=60, help="for which the server is away")


def main(given: argparse.Namespace) -> None:
    """Let few wait, then many."""
    lines = [
        "| mails waiting | memory of the sender, MiB | CPU s in that time | s until mails are out again |",
        "|---:|---:|---:|---:|",
    ]
    found = []
    with cluster(PARTITIONS) as broker:
        for mails in (FEW, given.mails):
            one = _run(broker, mails, given.seconds)
            found.append(one)
            lines.append(f"| {mails:,} | {one['peak_mib']:,.0f} | {one['cpu_s']:.1f} | {one['back_s']:.1f} |")
            print(lines[-1], flush=True)
    keep("waiting", {"seconds": given.seconds, "cases": found}, lines)


def _run(broker: Cluster, mails: int, seconds: float) -> dict[str, float]:
    name, shop = f"waiting{mails}", f"{broker.prefix}{mails}.shop."
    (port,) = free_ports(1)
    more = {"POSTCART_SMTP__HOST": "127.0.0.1", "POSTCART_SMTP__PORT": str(port), "POSTCART_SMTP__TLS": "none"}
    settings = broker.settings(name, shop, **more)
    create(settings)
    fill(settings, mails, PEOPLE)
    with journey(settings):
        worker = start_worker("send email", broker.variables(name, shop, **more))
        try:
            if _ended_within(worker, seconds):
                raise SystemExit(f"the sender ended by itself, with {worker.returncode}")
            spent = cpu_s(worker.pid)
            with running_sink(port):
                back_s = _out_again(settings, worker)
                peak = peak_bytes(worker.pid)
                worker.send_signal(signal.SIGTERM)
                worker.wait(60)
        finally:
            worker.kill()
            worker.wait()
            broker.delete(settings.topic_prefix)
    return {"mails": mails, "peak_mib": peak / 2**20, "cpu_s": spent, "back_s": back_s}


def _ended_within(worker: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        worker.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _out_again(settings: Settings, worker: subprocess.Popen[bytes]) -> float:
    """Seconds until receipts say that mails are out."""
    began, count = time.monotonic(), 0
    consumer = Consumer({"bootstrap.servers": settings.bootstrap, "group.id": "bench", "enable.auto.commit": False})
    consumer.assign([TopicPartition(settings.topic("receipts"), number, 0) for number in range(PARTITIONS)])
    try:
        while count < OUT_AGAIN:
            if worker.poll() is not None or time.monotonic() > began + MOST_S:
                raise SystemExit(f"only {count} mails were out {MOST_S} s after the server was back")
            count += sum(b'"accepted"' in (one.value() or b"") for one in consumer.consume(10_000, 0.1))
    finally:
        consumer.close()
    return time.monotonic() - began
