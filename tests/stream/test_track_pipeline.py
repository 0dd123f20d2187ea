"""TRACK on real Kafka tells as simulate does, whoever is killed meanwhile."""

from collections import Counter
from pathlib import Path

import msgspec
import pytest

from conftest import Cluster
from postcart.events.milestones import ParcelDecision
from postcart.events.shipments import ParcelRegistered
from postcart.events.shop import time_ms
from postcart.events.times import DAY_MS
from stream.parcel_shop import RUN_ON_MS, arrivals, parcels_of, told, wanted_of
from stream.shop import Shop
from waiting import wait_for


@pytest.mark.slow
def test_parcels_told_as_simulated(kafka: Cluster, tmp_path: Path) -> None:
    """Tripled and shuffled within the allowed disorder; two workers, one of them killed twice in mid-replay."""
    shop = Shop(kafka.bootstrap, kafka.prefix("track"), tmp_path, POSTCART_PARTITIONS="3")
    with shop:
        events = parcels_of(shop)
        wanted = wanted_of(shop, events)
        assert any(b'"learned"' in line for line in wanted)
        assert {msgspec.to_builtins(msgspec.json.decode(line, type=ParcelDecision))["type"] for line in wanted} >= {
            "milestone",
            "delay",
            "cleared",
        }
        first_ms, last_ms = time_ms(events[0]), time_ms(events[-1])
        kills = [first_ms + (last_ms - first_ms) // 3, last_ms - DAY_MS]
        shop.start("track", "track-1")
        shop.start("track", "track-2")

        def on_clock(clock_ms: int) -> None:
            if kills and clock_ms >= kills[0]:
                kills.pop(0)
                victim = shop.workers.pop("track-2")
                victim.kill()
                victim.wait()
                shop.start("track", "track-2")

        shop.replay(arrivals(events, seed=1), run_on_ms=RUN_ON_MS, speed=1_000_000, on_clock=on_clock)
        assert not kills
        found: Counter[bytes] = Counter()

        def reached() -> bool:
            nonlocal found
            shop.assert_alive()
            found = told(shop)
            return not wanted - found

        wait_for(reached, lambda: f"missing {list((wanted - found).elements())[:3]}")
        assert not list((found - wanted).elements())[:3]
        assert Counter(shop.read("decisions")) == wanted
        registered = sum(isinstance(event, ParcelRegistered) for event in events)
        assert registered > 200
        dead = shop.read("dead")
        assert len(dead) == 3
        assert all(b'"status_unknown"' in letter for letter in dead)
