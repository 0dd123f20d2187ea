"""Input of the comparisons over shop events: a real half hour of a shop, repeated with other people, all at once.

The December file of the REES46 data (tests/fixtures/rees46) is imported as often as the visitors wanted need; each
copy has its own users and begins a little later, so that sessions of all of them overlap as they do in a large shop.
The whole is moved to end an hour before now. A last event per partition and topic, of now, lets event time pass the
end of every session, and keeps clocks of idle partitions from forgetting anybody.
"""

import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Literal
from uuid import UUID

from confluent_kafka import Producer
from msgspec import structs

from postcart.codecs.rees46 import read_rees46
from postcart.codecs.shop_events import ShopEventEncoder
from postcart.events.ids import POSTCART, uuid5
from postcart.events.shop import (
    CartCleared,
    CartLine,
    CartSnapshot,
    Heartbeat,
    LineAdded,
    OrderEvents,
    ProfileUpdated,
    ShopEvent,
    time_ms,
)
from postcart.events.times import HOUR_MS, MINUTE_MS

SOURCE = Path(__file__).parents[2] / "tests" / "fixtures" / "rees46" / "data_2022_dec.csv"
SPREAD_MS = 20 * MINUTE_MS
"""Copies begin within so much event time."""
MOST_UNIFORM = 60
"""Of uniform keys no visitor has more events; the source has one with 429, more than a third of all."""
FLUSH_MS = MINUTE_MS
"""Of bursty keys a device sends its events once in so long, together."""

Keys = Literal["uniform", "bursty"]
Framing = Literal["json", "wire"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What the input looks like.

    Attributes:
        visitors: At least so many; whole copies are made.
        keys: ``uniform``: in the order of time, about six events a visitor. ``bursty``: with the visitors who look at
            hundreds of products, and each device sends what happened within a minute at once, out of order.
        framing: ``json``, or Avro in the ``wire`` format.
        more_lines: Each visitor who puts anything into the cart finds so many other lines in it, by a snapshot.
    """

    visitors: int
    keys: Keys = "uniform"
    framing: Framing = "json"
    more_lines: int = 0

    def __str__(self) -> str:
        more = f", {self.more_lines} lines more per cart" if self.more_lines else ""
        return f"{self.visitors:,} visitors, {self.keys} keys, {'JSON' if self.framing == 'json' else 'Avro'}{more}"


def events_of(shape: Shape, end_ms: int, seed: int = 1) -> Iterator[ShopEvent]:
    """Events of sessions and carts in the order of arrival, the last of them at ``end_ms``."""
    base = _filled(_base(shape.keys), shape.more_lines)
    tiles = -(-shape.visitors // len({event.visitor_id for event in base}))
    rng = random.Random(seed)
    starts = [rng.randrange(SPREAD_MS) for _ in range(tiles)]
    places = [
        (time_ms(event) + start, event.sequence, event.RANK, number, tile)
        for tile, start in enumerate(starts)
        for number, event in enumerate(base)
    ]
    places.sort()
    shift = end_ms - places[-1][0]
    if shape.keys == "bursty":
        places.sort(key=lambda place: (place[0] // FLUSH_MS, place[4], base[place[3]].visitor_id, place))
    names = [UUID(event.visitor_id) for event in base]
    ids = [UUID(event.id) for event in base]
    for at_ms, _, _, number, tile in places:
        copy = str(tile)
        yield structs.replace(
            base[number], id=uuid5(ids[number], copy), time=at_ms + shift, visitor_id=uuid5(names[number], copy)
        )


def _base(keys: Keys) -> list[ShopEvent]:
    events = [
        event
        for event in read_rees46([SOURCE], tenant=POSTCART, identity_key=b"bench", anonymous=0.5, devices=0.2)
        if not isinstance(event, OrderEvents | ProfileUpdated)
    ]
    if keys == "bursty":
        return events
    each = Counter(event.visitor_id for event in events)
    return [event for event in events if each[event.visitor_id] <= MOST_UNIFORM]


def _filled(events: list[ShopEvent], more: int) -> list[ShopEvent]:
    """The carts that are used begin with so many lines more."""
    if not more:
        return events
    lines = tuple(CartLine(variant_id=f"more-{n}", quantity=1, unit_price=Decimal("2.62")) for n in range(more))
    filled, found = set[str](), []
    for event in events:
        if isinstance(event, LineAdded) and event.visitor_id not in filled:
            filled.add(event.visitor_id)
            name, at_ms = uuid5(POSTCART, f"{event.id}/more"), time_ms(event) - 1
            found.append(CartSnapshot(id=name, time=at_ms, visitor_id=event.visitor_id, lines=lines))
        found.append(event)
    return found


def last_events(at_ms: int) -> Iterator[ShopEvent]:
    """One event per topic that moves the clock past every session; the caller puts a copy into each partition."""
    visitor = "bench-end-of-input-of-all"
    yield Heartbeat(id="bench-end-session", time=at_ms, visitor_id=visitor)
    yield CartCleared(id="bench-end-cart", reason="emptied", time=at_ms, visitor_id=visitor)


Encoded = list[tuple[str, bytes, bytes, int]]
"""Topic without its prefix, value, key, and partition (-1: by the key)."""


def encoded(shape: Shape, partitions: int) -> Encoded:
    """The input as records, in the order of arrival."""
    encode = ShopEventEncoder(shape.framing, schema_id=1).encode
    end_ms = int(time.time() * 1000)
    found: Encoded = []
    for event in events_of(shape, end_ms - HOUR_MS):
        subject, key, value = encode(event)
        found.append((subject.removeprefix("shop."), value, key, -1))
    for event in last_events(end_ms):
        subject, key, value = encode(event)
        found += [(subject.removeprefix("shop."), value, key, partition) for partition in range(partitions)]
    return found


def write(bootstrap: str, prefix: str, records: Encoded) -> None:
    """Produce records to ``PREFIXsessions`` and ``PREFIXcarts``, as fast as they are taken; ends last."""
    # Uncompressed: every client reads that without more packages.
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "partitioner": "murmur2_random",
            "linger.ms": 50,
            "batch.num.messages": 2000,
            "queue.buffering.max.messages": 200_000,
        }
    )
    for topic, value, key, partition in records:
        if partition == 0:
            producer.flush()
        while True:
            try:
                producer.produce(prefix + topic, value, key, partition)
                break
            except BufferError:
                producer.poll(0.1)
    producer.flush()


def fill(bootstrap: str, prefix: str, *, shape: Shape, partitions: int) -> int:
    """Produce the input; returns the number of records."""
    records = encoded(shape, partitions)
    write(bootstrap, prefix, records)
    return len(records)
