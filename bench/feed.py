"""``python -m bench.feed``: pages of the in-app feed in PostgreSQL, of 10,000 items and of 10 million, in one run.

Starts a PostgreSQL of its own (Debian's package), fills two databases by COPY, and asks both in turn for what the
gateway asks for a page: where the feed stands, 20 items, the number of unread ones, the person's key. Needs about 15 GB
of disk for 10 million. Writes bench/results/feed.json.
"""

import argparse
import json
import random
import time
from collections.abc import Iterator
from statistics import quantiles
from uuid import UUID

import psycopg
from tests.postgres_server import running_postgres

from bench.common.report import RESULTS, surroundings
from postcart.adapters.read_model import SqlFeed, open_feed, open_read_model
from postcart.events.ids import POSTCART, uuid5
from postcart.events.times import DAY_MS

PAGE = 20
SHARES = ((0.001, 2_000), (0.199, 80), (0.8, 6))
"""Share of persons, and items of each: a few have very many."""
MEAN = sum(share * items for share, items in SHARES)
TOPIC = "postcart.feed"
COLUMNS = (
    "item_id, person_id, partition, position, changed, appended_ms, at_ms, kind, purpose, sealed, seen_ms, read_ms, "
    "archived_ms"
)
SEALED = 440
"""Letters: an item with title, body, button and picture, sealed."""


def main(large: int, small: int, pages: int) -> None:
    """Fill both, measure both in turn, write what came out."""
    now_ms = time.time_ns() // 1_000_000
    with running_postgres() as server:
        feeds: dict[int, tuple[SqlFeed, list[str]]] = {}
        filled_s = {}
        for items in (small, large):
            url, began = server.new_database(), time.monotonic()
            persons = fill(url, items, now_ms=now_ms)
            filled_s[items] = time.monotonic() - began
            feeds[items] = open_feed(url), persons
            print(f"{items:,} items of {len(persons):,} persons in {filled_s[items]:.0f} s", flush=True)
        taken: dict[int, list[float]] = {small: [], large: []}
        draw = random.Random(7)
        for number in range(-pages // 10, pages):  # the first tenth warms up the connections' plans
            for items in draw.sample((small, large), 2):
                feed, persons = feeds[items]
                seconds = ask(feed, draw.choice(persons), draw, now_ms=now_ms)
                if number >= 0:
                    taken[items].append(seconds)
        for feed, _ in feeds.values():
            feed.close()
    found = {f"{items:,}": told(taken[items]) for items in taken}
    ratio = found[f"{large:,}"]["p99_ms"] / found[f"{small:,}"]["p99_ms"]
    RESULTS.mkdir(exist_ok=True)
    result = {**surroundings(), "pages": pages, "page": PAGE, "items": found, "p99_ratio": round(ratio, 2)}
    (RESULTS / "feed.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result["items"], indent=2), f"\np99 of the large one is {ratio:.2f} times that of the small one")


def told(seconds: list[float]) -> dict[str, float]:
    """Percentiles, in milliseconds."""
    cuts = quantiles(seconds, n=1_000)
    return {f"p{name}_ms": round(cuts[at - 1] * 1_000, 3) for name, at in (("50", 500), ("99", 990), ("99_9", 999))}


def ask(feed: SqlFeed, person_id: str, draw: random.Random, *, now_ms: int) -> float:
    """The first page, or every third time the one behind it; returns the seconds of the last."""
    before = None
    for _ in range(draw.choice((1, 1, 2))):
        began = time.perf_counter()
        feed.standings(TOPIC)
        rows = feed.page(person_id, "active", before=before, most=PAGE + 1, now_ms=now_ms)
        feed.unread(person_id, now_ms=now_ms)
        feed.key(person_id)
        seconds = time.perf_counter() - began
        before = rows[PAGE - 1].position if len(rows) > PAGE else None
    return seconds


def fill(url: str, items: int, *, now_ms: int) -> list[str]:
    """As 30 days leave it: everybody's items mixed, in the order in which they came; returns the persons."""
    model = open_read_model(url)
    model.migrate()
    model.close()
    persons = [uuid5(POSTCART, f"bench/{number}") for number in range(max(10, round(items / MEAN)))]
    with psycopg.connect(url, autocommit=True, options="-c search_path=postcart") as connection:
        indexes = connection.execute(
            "SELECT indexname, indexdef FROM pg_indexes "
            "WHERE tablename = 'feed_items' AND indexname <> 'feed_items_pkey'"
        ).fetchall()
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}".encode())
        with connection.cursor().copy(f"COPY feed_items ({COLUMNS}) FROM STDIN".encode()) as copy:
            for row in rows_of(persons, items, now_ms=now_ms):
                copy.write_row(row)
        with connection.cursor().copy(b"COPY person_keys (person_id, position, wrapped) FROM STDIN") as copy:
            for number, person in enumerate(persons):
                copy.write_row((person, number, bytes(61)))
        connection.execute(b"INSERT INTO positions VALUES ('postcart.feed', 0, %s, 0, NULL)", (items,))
        for _, definition in indexes:
            connection.execute(definition.encode())
        connection.execute(b"VACUUM ANALYZE feed_items")
        connection.execute(b"VACUUM ANALYZE person_keys")
    return persons


def rows_of(persons: list[str], items: int, *, now_ms: int) -> Iterator[tuple[object, ...]]:
    """Half of the items are read, a tenth is archived."""
    draw = random.Random(items)
    weights = [SHARES[min(2, sum(number >= cut for cut in _cuts(len(persons))))][1] for number in range(len(persons))]
    sealed = "".join(draw.choices("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/", k=4_096))
    owners: list[str] = []
    for position in range(items):
        if not owners:
            owners = draw.choices(persons, weights, k=10_000)
        at_ms = now_ms - round((items - position) / items * 29 * DAY_MS)
        read = at_ms if draw.random() < 0.5 else None
        archived = read if read and draw.random() < 0.2 else None
        begin = draw.randrange(len(sealed) - SEALED)
        yield (
            str(UUID(int=draw.getrandbits(128))), owners.pop(), 0, position, position, at_ms, at_ms, "cart-reminder",
            "marketing", sealed[begin : begin + SEALED], read, read, archived,
        )  # fmt: skip


def _cuts(count: int) -> tuple[int, int]:
    """Up to which persons the first two shares reach."""
    first = max(1, round(count * SHARES[0][0]))
    return first, first + round(count * SHARES[1][0])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", type=int, default=10_000_000)
    parser.add_argument("--small", type=int, default=10_000)
    parser.add_argument("--pages", type=int, default=20_000)
    given = parser.parse_args()
    main(given.large, given.small, given.pages)
