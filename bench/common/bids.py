"""Bids after the definition of the Nexmark benchmark (github.com/nexmark/nexmark, its generator).

Of 50 events one is a person, three are auctions and 46 are bids; only the bids are made here, with the ids that the
others would have had by then. Three of four bids come from the hot bidder, the first of each hundred persons; the
others from the thousand latest persons and ten who come next. Times are those of 10,000 events a second.
"""

import random
from collections.abc import Iterator

import msgspec
from confluent_kafka import Producer

PERSON, AUCTION, TOTAL = 1, 3, 50
FIRST_PERSON, FIRST_AUCTION = 1000, 1000
ACTIVE_PEOPLE, PERSON_LEAD, HOT_BIDDER, HOT_RATIO = 1000, 10, 100, 4
HOT_AUCTION, ACTIVE_AUCTIONS, AUCTION_LEAD = 100, 100, 10
EVENTS_PER_MS = 10
CHANNELS = ("Google", "Facebook", "Baidu", "Apple")
BASE_MS = 1_700_000_000_000


class Bid(msgspec.Struct, rename="camel", kw_only=True):
    """A bid as Nexmark's JSON has it; times are milliseconds."""

    auction: int
    bidder: int
    price: int
    channel: str
    url: str
    date_time: int
    extra: str


def bids(count: int, seed: int = 1) -> Iterator[Bid]:
    """The first ``count`` bids."""
    rng = random.Random(seed)
    uniform, choose = rng.random, rng.choice
    extra = "".join(choose("abcdefghijklmnopqrstuvwxyz") for _ in range(40))
    event = -1
    while count:
        event += 1
        epoch, offset = divmod(event, TOTAL)
        if offset < PERSON + AUCTION:
            continue
        count -= 1
        person, auction = epoch, epoch * AUCTION + AUCTION - 1
        if int(uniform() * HOT_RATIO):
            bidder = person // HOT_BIDDER * HOT_BIDDER + 1
        else:
            active = min(person, ACTIVE_PEOPLE)
            bidder = person - active + int(uniform() * (active + PERSON_LEAD))
        if int(uniform() * 2):
            item = auction // HOT_AUCTION * HOT_AUCTION
        else:
            first = max(auction - ACTIVE_AUCTIONS, 0)
            item = first + int(uniform() * (auction - first + 1 + AUCTION_LEAD))
        channel = choose(CHANNELS)
        yield Bid(
            auction=item + FIRST_AUCTION,
            bidder=bidder + FIRST_PERSON,
            price=int(10 ** (uniform() * 6) * 100),
            channel=channel,
            url=f"https://www.nexmark.com/{channel}/item.htm?query=1",
            date_time=BASE_MS + event // EVENTS_PER_MS,
            extra=extra,
        )


def fill(bootstrap: str, topic: str, *, count: int, partitions: int) -> int:
    """Produce the bids, keyed by bidder, and one of an hour later to each partition; returns their number."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "partitioner": "murmur2_random",
            "linger.ms": 50,
            "queue.buffering.max.messages": 200_000,
        }
    )
    encode = msgspec.json.Encoder().encode
    last = None
    for last in bids(count):
        while True:
            try:
                producer.produce(topic, encode(last), str(last.bidder))
                break
            except BufferError:
                producer.poll(0.1)
    if last is None:
        raise ValueError("no bids are no input")
    producer.flush()
    for partition in range(partitions):
        end = msgspec.structs.replace(last, bidder=0, date_time=last.date_time + 3_600_000)
        producer.produce(topic, encode(end), "0", partition)
    producer.flush()
    return count + partitions
