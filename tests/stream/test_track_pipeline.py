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
from stream.parcel_shop import parcels_of, replay_under_kills, wanted_of
from stream.shop import Shop


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
        found = replay_under_kills(shop, events, wanted, kills=kills, seed=1)
        assert not list((found - wanted).elements())[:3]
        assert Counter(shop.read("decisions")) == wanted
        registered = sum(isinstance(event, ParcelRegistered) for event in events)
        assert registered > 200
        dead = shop.read("dead")
        assert len(dead) == 3
        assert all(b'"status_unknown"' in letter for letter in dead)
