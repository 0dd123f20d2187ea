"""Parcels whose scans come in any order, under kills of the worker that follows them.

Owns: that row. Must not: decide what is to be told.
"""

from collections import Counter

import msgspec

from faults.scenario import Outcome, Surroundings
from postcart.events.milestones import ParcelDecision
from postcart.events.shop import time_ms
from stream.parcel_shop import parcels_of, replay_under_kills, wanted_of
from stream.shop import Shop

_EVENTS_PER_ORDER = 4
_KILLS = 2


def trips(about: Surroundings) -> Outcome:
    """Every scan three times, each up to five minutes late; one of two workers is killed again and again."""
    with Shop(about.bootstrap, about.prefix("trips"), about.folder, POSTCART_PARTITIONS="3") as shop:
        events = parcels_of(shop, max(40, about.events // _EVENTS_PER_ORDER))
        wanted = wanted_of(shop, events)
        first_ms, last_ms = time_ms(events[0]), time_ms(events[-1])
        kills = [first_ms + about.random.randrange(last_ms - first_ms) for _ in range(_KILLS)]
        seed = about.random.randrange(1_000_000)
        found = replay_under_kills(shop, events, wanted, kills=kills, seed=seed)
        extra = found - wanted
        problems = [f"{extra.total()} were told that are not so: {list(extra)[:2]}"] if extra else []
        if Counter(shop.read("decisions")) != wanted:
            problems.append("the decisions are not those that were told")
        if (letters := len(shop.read("dead"))) != 3:
            problems.append(f"{letters} dead letters, 3 should be there")
        kinds = Counter(msgspec.to_builtins(msgspec.json.decode(line, type=ParcelDecision))["type"] for line in wanted)
        counts = {
            "events": len(events),
            "in": wanted.total(),
            "accepted": (found & wanted).total(),
            "dead": 0,
            "lost": (wanted - found).total(),
            "shipped twice": extra.total(),
            "carts twice": 0,
        }
        return Outcome(counts, problems, {name: float(count) for name, count in kinds.items()})
