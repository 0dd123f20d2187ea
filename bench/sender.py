"""``python -m bench sender``: mails per CPU second, from the job in Kafka to the receipt in Kafka, into a mail sink.

Postcart's sender: gate, claim, render, MIME, DKIM, SMTP, receipt. Against it: EmailMessage, dkimpy and smtplib in a
loop, which has none of that but the mail. The limit is what smtp-source sends to the same sink. The sink is Postfix's
smtp-sink (``apt-get install postfix``); its CPU is not counted.
"""

import argparse
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bench.common.cluster import Cluster, cluster
from bench.common.mail_jobs import fill, journey
from bench.common.mail_sink import postfix_program, running_sink
from bench.common.measure import ROOT, Contender, Run, interleaved, told
from bench.common.memory import peak_bytes
from bench.common.report import keep, standings_json, standings_table
from bench.common.workers import cpu_s, start_worker
from postcart.adapters.topics import create
from postcart.settings import Settings

POSTCART_SENDER, NAIVE, SOURCE = "Postcart's sender", "EmailMessage, dkimpy, smtplib", "smtp-source, the sink's limit"
PARTITIONS = 4
CONNECTIONS = 8
MOST_S = 600


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this comparison."""
    parser.add_argument("--mails", type=int, default=2_000)
    parser.add_argument("--runs", type=int, default=3, help="of each contender; the median counts")


def main(given: argparse.Namespace) -> None:
    """Start the sink, let all send in turn, print and keep the figures."""
    with tempfile.TemporaryDirectory() as folder, cluster(PARTITIONS) as broker, running_sink() as port:
        key = _key(Path(folder))
        contenders = [
            Contender(
                name=POSTCART_SENDER,
                run=lambda run: _postcart(broker, run, given.mails, port, key),
                settings={"connections": CONNECTIONS, "purpose": "marketing"},
            ),
            Contender(
                name=NAIVE,
                run=lambda _: Run(
                    **told(
                        [
                            sys.executable,
                            str(ROOT / "bench" / "peers" / "naive_mail.py"),
                            str(port),
                            str(given.mails),
                            key,
                        ],
                        {},
                    )  # type: ignore[arg-type]  # as its line says
                ),
                settings={"connections": 1},
            ),
            Contender(name=SOURCE, run=lambda _: _source(port, given.mails), settings={"connections": CONNECTIONS}),
        ]
        standings = interleaved(contenders, records=given.mails, runs=given.runs)
    about = f"{given.mails:,} marketing mails, RSA signatures of 2,048 bits; records are mails."
    lines = [about, "", *standings_table(standings, against=[POSTCART_SENDER])]
    keep("sender", {"contenders": standings_json(standings, contenders)}, lines)


def _key(folder: Path) -> str:
    key = rsa.generate_private_key(65537, 2048)
    path = folder / "dkim.pem"
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    path.write_bytes(key.private_bytes(*form))
    return str(path)


def _source(port: int, mails: int) -> Run:
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    command = [postfix_program("smtp-source"), "-c", "-d", "-s", str(CONNECTIONS), "-m", str(mails), "-l", "12000"]
    done = subprocess.Popen([*command, f"127.0.0.1:{port}"], stdout=subprocess.DEVNULL)
    if done.wait(MOST_S):
        raise SystemExit(f"smtp-source ended with {done.returncode}")
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - began
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(cpu_s=cpu, wall_s=wall, peak_bytes=0)


def _postcart(broker: Cluster, run: str, mails: int, port: int, key: str) -> Run:
    more = {
        "POSTCART_SMTP__HOST": "127.0.0.1",
        "POSTCART_SMTP__PORT": str(port),
        "POSTCART_SMTP__TLS": "none",
        "POSTCART_SMTP__POOL_SIZE": str(CONNECTIONS),
        "POSTCART_DKIM__DOMAIN": "shop.example",
        "POSTCART_DKIM__SELECTOR": "s1",
        "POSTCART_DKIM__PRIVATE_KEY_FILE": key,
    }
    name = run.replace("'", "")
    shop = f"{broker.prefix}{name}.shop."
    settings = broker.settings(name, shop, **more)
    create(settings)
    fill(settings, mails, mails)
    with journey(settings):
        worker = start_worker("send email", broker.variables(name, shop, **more))
        try:
            return _watch(settings, worker, mails)
        finally:
            worker.send_signal(signal.SIGTERM)
            worker.wait(60)
            broker.delete(settings.topic_prefix)


def _watch(settings: Settings, worker: subprocess.Popen[bytes], mails: int) -> Run:
    """From the first receipts that can be read to the last."""
    consumer = Consumer({"bootstrap.servers": settings.bootstrap, "group.id": "bench", "enable.auto.commit": False})
    consumer.assign([TopicPartition(settings.topic("receipts"), number, 0) for number in range(PARTITIONS)])
    first: tuple[float, float, int] | None = None
    count, until = 0, time.monotonic() + MOST_S
    try:
        while count < mails:
            values = [m.value() or b"" for m in consumer.consume(10_000, 0.1) if m.error() is None]
            if wrong := [value for value in values if b'"accepted"' not in value]:
                raise SystemExit(f"not accepted: {wrong[0].decode()}")
            count += len(values)
            if values and first is None:
                first = cpu_s(worker.pid), time.monotonic(), count
            if worker.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"the sender stopped after {count} mails")
    finally:
        consumer.close()
    if first is None or first[2] == count:
        raise SystemExit("too few mails to measure anything")
    share = mails / (count - first[2])
    return Run(
        cpu_s=(cpu_s(worker.pid) - first[0]) * share,
        wall_s=(time.monotonic() - first[1]) * share,
        peak_bytes=peak_bytes(worker.pid),
    )
