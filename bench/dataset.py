"""Input of the benches: a real hour of shop events, repeated with other people, all at once.

The December file of the REES46 data (tests/fixtures/rees46) is imported ``tiles`` times; each tile has its own users
and begins a little later, so that sessions of thousands of visitors overlap as they do in a large shop. A last event
per partition and topic, a day later, lets event time pass the end of every session.
"""

import random
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import msgspec
from confluent_kafka import Producer
from msgspec import structs

from postcart.codecs.rees46 import read_rees46
from postcart.events.ids import POSTCART, uuid5
from postcart.events.shop import CartCleared, CartEvents, Heartbeat, OrderEvents, ProfileUpdated, ShopEvent, time_ms
from postcart.events.times import DAY_MS

SOURCE = Path(__file__).parents[1] / "tests" / "fixtures" / "rees46" / "data_2022_dec.csv"
SPREAD_MS = 20 * 60_000
"""Tiles begin within so much event time."""


def tiled(tiles: int, seed: int = 1) -> list[tuple[bool, ShopEvent]]:
    """Events of sessions and carts in the order of time, each with whether it is a cart event."""
    base = [
        event
        for event in read_rees46([SOURCE], tenant=POSTCART, identity_key=b"bench", anonymous=0.5, devices=0.2)
        if not isinstance(event, OrderEvents | ProfileUpdated)
    ]
    rng = random.Random(seed)
    events = []
    for tile in range(tiles):
        shift, names = rng.randrange(SPREAD_MS), {}
        for event in base:
            visitor = names.setdefault(event.visitor_id, uuid5(UUID(event.visitor_id), str(tile)))
            changes = {"id": uuid5(UUID(event.id), str(tile)), "time": time_ms(event) + shift, "visitor_id": visitor}
            events.append((isinstance(event, CartEvents), structs.replace(event, **changes)))
    events.sort(key=lambda item: (time_ms(item[1]), item[1].sequence, item[1].RANK))
    return events


def last_events(at_ms: int) -> Iterator[tuple[bool, ShopEvent]]:
    """One event per topic that moves the clock past everything; the caller puts a copy into each partition."""
    common = {"time": at_ms + DAY_MS, "visitor_id": "bench-end", "session_id": None}
    yield False, Heartbeat(id="bench-end-session", **common)
    yield True, CartCleared(id="bench-end-cart", reason="emptied", **common)


def fill(bootstrap: str, sessions: str, carts: str, *, tiles: int, partitions: int) -> int:
    """Produce the data set; returns the number of records."""
    # Uncompressed: every client reads that without more packages.
    producer = Producer({"bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "linger.ms": 50})
    encode = msgspec.json.Encoder().encode
    events = tiled(tiles)
    count = 0
    for number, (is_cart, event) in enumerate(events):
        producer.produce(carts if is_cart else sessions, encode(event), event.visitor_id.encode())
        count += 1
        if number % 10_000 == 0:
            producer.flush()
    producer.flush()
    for is_cart, event in last_events(time_ms(events[-1][1])):
        for partition in range(partitions):
            producer.produce(carts if is_cart else sessions, encode(event), event.visitor_id.encode(), partition)
            count += 1
    producer.flush()
    return count
