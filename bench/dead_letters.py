"""``python -m bench.dead_letters``: a million dead letters of 1 kB, listed and redriven: seconds and peak memory.

Needs ``KAFKA_BOOTSTRAP``, about 3 GB of disk there; makes topics of its own and deletes them.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Mapping

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from postcart.codecs.dead_letters import DeadLetter, encode
from postcart.events import ids

PARTITIONS = 4
REASONS = ("decode", "invalid", "key_mismatch")


def main(letters: int, size: int) -> None:
    """Fill, list, redrive, list once more; a line for each."""
    bootstrap = os.environ["KAFKA_BOOTSTRAP"]
    prefix = f"bench-dead-{os.getpid()}."
    environ = {
        **os.environ,
        "POSTCART_BOOTSTRAP": bootstrap,
        "POSTCART_TOPIC_PREFIX": f"{prefix}own.",
        "POSTCART_SHOP_PREFIX": f"{prefix}shop.",
    }
    topics = [f"{prefix}own.dead", f"{prefix}shop.carts", f"{prefix}own.receipts", f"{prefix}own.claims.email"]
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for made in admin.create_topics([NewTopic(name, PARTITIONS) for name in topics]).values():
        made.result(30)
    try:
        fill(bootstrap, prefix, letters=letters, size=size)
        measured("list", environ, "list")
        measured("list --each", environ, "list", "--each", "-o", "json")
        measured("redrive --check", environ, "redrive", "--check")
        measured("redrive --execute", environ, "redrive", "--execute")
        measured("list afterwards", environ, "list")
    finally:
        for gone in admin.delete_topics(topics).values():
            gone.result(60)


def fill(bootstrap: str, prefix: str, *, letters: int, size: int) -> None:
    """Letters as a stage would have written them."""
    producer = Producer({"bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "linger.ms": 50})
    value = b'{"type":"added","id":"a","time":"' + b"x" * (size - 35) + b'"}'
    for number in range(letters):
        letter = DeadLetter(
            id=ids.uuid5(ids.POSTCART, f"bench/{number}"),
            stage="detect",
            reason=REASONS[number % len(REASONS)],
            detail="Invalid RFC3339 encoded datetime - at `$.time`",
            topic=f"{prefix}shop.carts",
            partition=number % PARTITIONS,
            offset=number,
            key=b"v%d" % number,
            value=value,
            size=len(value),
        )
        key, encoded = encode(letter)
        while True:
            try:
                producer.produce(f"{prefix}own.dead", encoded, key)
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    if producer.flush(300):
        raise SystemExit("the broker did not take all letters")


def measured(name: str, environ: Mapping[str, str], *arguments: str) -> None:
    """Run a command and tell its time and its peak memory."""
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "postcart", "dead", *arguments], env=dict(environ), stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - began
    print(
        f"{name:<20} {seconds:7.1f} s  {usage.ru_utime + usage.ru_stime:7.1f} CPU s"
        f"  {usage.ru_maxrss / 1024:7.0f} MB peak  exit {os.waitstatus_to_exitcode(status)}",
        flush=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--letters", type=int, default=1_000_000)
    parser.add_argument("--bytes", type=int, default=1_000, help="of each original value")
    given = parser.parse_args()
    main(given.letters, given.bytes)
