"""Contender: librdkafka reading the same records and doing nothing with them, the limit of any client in Python.

Arguments: bootstrap servers, prefix of the shop's topics, partitions, records. Prints as common.measure says.
"""

import json
import sys
import time

from confluent_kafka import Consumer, TopicPartition

from bench.common.memory import peak_bytes
from postcart.adapters.rdkafka.settings import ClientSettings


def main(bootstrap: str, prefix: str, partitions: int, records: int) -> None:
    """Read all of it, as the transport does: same settings, same calls."""
    settings = ClientSettings(bootstrap=bootstrap)
    consumer = Consumer(settings.reader("bench"))
    names = (f"{prefix}sessions", f"{prefix}carts")
    consumer.assign([TopicPartition(name, number, 0) for name in names for number in range(partitions)])
    begun, count = (time.process_time(), time.monotonic()), 0
    while count < records:
        messages = consumer.consume(settings.batch_records, 0.5)
        if messages and not count:
            begun = time.process_time(), time.monotonic()
        count += sum(message.error() is None for message in messages)
    cpu, wall = time.process_time() - begun[0], time.monotonic() - begun[1]
    print(json.dumps({"cpu_s": cpu, "wall_s": wall, "peak_bytes": peak_bytes()}))
    consumer.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
