"""Whether Kafka still has every event that it took: tells a fault of the pipeline from one of the broker's.

Owns: that question, asked only of runs that failed. Must not: judge.
"""

import json
from typing import TYPE_CHECKING

from faults.tail import Tail
from waiting import wait_for

if TYPE_CHECKING:
    from faults.world import World

_TOPICS = ("sessions", "carts", "orders", "profiles")


def lost_events(world: "World") -> list[str]:
    """Says how many events are not in their topics although they were acknowledged; nothing of rows with Avro."""
    if world.row.encoder is not None:
        return []
    wanted = {event["id"] for event in world.load.events if event["id"] not in world.load.held_back}
    tails = [
        Tail(world.broker.bootstrap, world.settings.shop_topic(name), world.settings.partitions, _id_of)
        for name in _TOPICS
    ]
    try:
        for tail in tails:
            wait_for(lambda tail=tail: tail.poll(5.0), lambda: "the shop's topics were never read", seconds=120)  # type: ignore[misc]
    except AssertionError as missed:
        return [f"whether Kafka has all events is not known: {missed}"]
    finally:
        for tail in tails:
            tail.close()
    absent = wanted - {name for tail in tails for name in tail.found}
    return [f"Kafka has lost {len(absent)} events that it had taken: {sorted(absent)[:3]}"] if absent else []


def _id_of(value: bytes) -> str | None:
    try:
        found: str = json.loads(value)["id"]
    except (ValueError, KeyError, TypeError):  # poison
        return None
    return found
