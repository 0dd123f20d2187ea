"""Contender: a plain Faust app (aiokafka) that keeps the same state in a Table and decides by the same rules.

As a Faust expert would write it: one agent over both topics, the row as a live object in the table with a fast codec
for its changelog, one row touched per record, signals sent without waiting for each. Faust's own guarantees: at least
once. The rules are Postcart's pure functions, so both decide the same. A table can only be changed while a record is
processed, so deadlines are looked at then; the clock moves only with records anyway.

Arguments: bootstrap servers, prefix of the shop's topics, prefix of its own, partitions, records. Prints as
common.measure says.
"""

import heapq
import json
import logging
import os
import sys
import time
from collections import defaultdict

import faust
import msgspec
from faust.serializers import codecs

from bench.common.memory import peak_bytes
from bench.peers.plain_faust_settings import SETTINGS
from postcart.codecs.shop_events import ShopEventDecoder
from postcart.domain.detect import fold
from postcart.domain.detect.outcome import Detected
from postcart.domain.detect.rules import Rules
from postcart.domain.detect.visitor import Visitor
from postcart.events.shop import CartEvents, SessionEvents, time_ms
from postcart.processors.watermark import Watermark


class RowCodec(codecs.Codec):
    """msgpack of the row: the fastest that keeps types."""

    def _dumps(self, row: object) -> bytes:
        return msgspec.msgpack.encode(row)

    def _loads(self, data: bytes) -> Visitor:
        return msgspec.msgpack.decode(data, type=Visitor)


codecs.register("row", RowCodec())
RULES = Rules()
BRACE = ord("{")
BOOTSTRAP, SHOP, PREFIX = sys.argv[1:4]
PARTITIONS, RECORDS = int(sys.argv[4]), int(sys.argv[5])
SESSIONS, CARTS = f"{SHOP}sessions", f"{SHOP}carts"

app = faust.App(f"{PREFIX}app", broker=f"kafka://{BOOTSTRAP}", **SETTINGS)
events = app.topic(SESSIONS, CARTS, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
signals = app.topic(f"{PREFIX}signals", key_serializer="raw", value_serializer="raw", partitions=PARTITIONS)
decisions = app.topic(f"{PREFIX}decisions", key_serializer="raw", value_serializer="raw", partitions=PARTITIONS)
visitors = app.Table("visitors", partitions=PARTITIONS)
# The table's own arguments for this don't reach its changelog.
visitors.key_serializer, visitors.value_serializer = "raw", "row"
decode_json = msgspec.json.Decoder(SessionEvents | CartEvents).decode
decode_framed = {
    SESSIONS: ShopEventDecoder("shop.sessions", stage="bench").decode,
    CARTS: ShopEventDecoder("shop.carts", stage="bench").decode,
}
encode = msgspec.json.Encoder().encode


class Partition:
    """What belongs to one partition number: its clock and the index of its deadlines."""

    def __init__(self) -> None:
        self.watermark = Watermark((SESSIONS, CARTS), disorder_ms=300_000, exact_idle=False)
        self.deadlines: list[tuple[int, bytes]] = []


partitions: dict[int, Partition] = defaultdict(Partition)


def tell(out: Detected) -> None:
    """Send what was decided; delivery is the producer's affair."""
    for signal in out.signals:
        signals.send_soon(key=signal.person_id.encode(), value=encode(signal))
    for decision in out.decisions:
        decisions.send_soon(key=decision.visitor_id.encode(), value=encode(decision))


def keep(partition: Partition, key: bytes, visitor: Visitor) -> None:
    """Write the row to the table and index its deadline."""
    deadline = visitor.deadline_ms(RULES)
    if not visitor.indexed_ms or deadline < visitor.indexed_ms:
        visitor.indexed_ms = deadline
        heapq.heappush(partition.deadlines, (deadline, key))
    visitors[key] = visitor


@app.agent(events)
async def detect(stream: faust.StreamT) -> None:
    """One record, one row."""
    begun, count = None, 0
    async for record in stream.events():
        if begun is None:
            begun = time.process_time(), time.monotonic()
        message = record.message
        partition, key = partitions[message.partition], message.key
        value = record.value
        event = decode_json(value) if value[0] == BRACE else decode_framed[message.topic](key, value)
        partition.watermark.saw(message.topic, min(time_ms(event), int(message.timestamp * 1000)))
        clock_ms = partition.watermark.clock_ms
        visitor, out = visitors.get(key) or Visitor(visitor_id=event.visitor_id), Detected()
        fold.arrive(visitor, [event], out)
        if clock_ms is not None:
            fold.advance(visitor, clock_ms, RULES, out)
        keep(partition, key, visitor)
        while clock_ms is not None and partition.deadlines and partition.deadlines[0][0] <= clock_ms:
            indexed, due = heapq.heappop(partition.deadlines)
            row = visitors.get(due)
            if row is None or row.indexed_ms != indexed:
                continue
            row.indexed_ms = 0
            if fold.advance(row, clock_ms, RULES, out):
                keep(partition, due, row)
            else:
                del visitors[due]
        tell(out)
        count += 1
        if count == RECORDS:
            await app.producer.flush()
            await app.consumer.commit()
            cpu, wall = time.process_time() - begun[0], time.monotonic() - begun[1]
            # Faust redirects sys.stdout, so past it.
            os.write(1, (json.dumps({"cpu_s": cpu, "wall_s": wall, "peak_bytes": peak_bytes()}) + "\n").encode())
            os._exit(0)


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    sys.argv = ["plain_faust", "worker", "--loglevel", "error", "--without-web"]
    app.main()
