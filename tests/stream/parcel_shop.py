"""A made-up shop's parcels for whole pipelines: what happens to them, how it arrives, and what is to be told.

Owns: these, and a replay under kills of the worker that follows them. Must not: judge.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from random import Random

import msgspec

from lane_histories import FIXTURE
from postcart.codecs.olist import read_olist
from postcart.codecs.olist_events import olist_events
from postcart.domain.simulation import simulate_all
from postcart.events.milestones import MilestoneRecord, Registered
from postcart.events.shipments import ParcelStatus, ShipmentEvents
from postcart.events.shop import ShopEvent, time_ms
from postcart.events.signals import TaskClock
from postcart.events.times import DAY_MS, MINUTE_MS
from postcart.wiring.rules import active_campaign, decision_context, detect_rules
from postcart.wiring.tracking import tracking
from stream.shop import Shop
from waiting import wait_for

ORDERS = 220
"""As many as it takes until deliveries are predicted."""
RUN_ON_MS = 60 * DAY_MS
"""All delays have been told to their last level by then."""


def parcels_of(shop: Shop, orders: int = ORDERS) -> list[ShopEvent]:
    """Of the first orders of the made-up shop; one word that nobody knows."""
    settings = shop.settings
    key = settings.identity_key.get_secret_value().encode()
    found = read_olist(FIXTURE / "orders.csv", FIXTURE / "order_items.csv")[:orders]
    events = [
        event
        for event in olist_events(found, tenant=settings.tenant, identity_key=key)
        if isinstance(event, ShipmentEvents)
    ]
    last = events[-1]
    odd = ParcelStatus(id="odd", time=last.time, carrier="olist", tracking_number=last.tracking_number, code="lost?")
    return [*events, odd]


def arrivals(events: Sequence[ShopEvent], *, seed: int) -> list[ShopEvent]:
    """Every event three times, each up to five minutes late."""
    random = Random(seed)
    late = [(time_ms(event) + random.randrange(5 * MINUTE_MS), number, event)
            for number, event in enumerate(events) for _ in range(3)]  # fmt: skip
    return [event for _, _, event in sorted(late, key=lambda one: one[:2])]


def wanted_of(shop: Shop, events: Sequence[ShopEvent]) -> Counter[bytes]:
    """What simulate tells up to the end of the replay."""
    settings = shop.settings
    context = decision_context(settings, active_campaign(settings))
    lines = simulate_all(events, context, detect_rules(settings), tracking(settings))
    return Counter(msgspec.json.encode(line) for line in lines)


def told(shop: Shop) -> Counter[bytes]:
    """All decisions on the topic so far; that there is a parcel is told once, and before anything of it is."""
    found, registered = Counter[bytes](), Counter[str]()
    for value in shop.read("milestones"):
        record = msgspec.json.decode(value, type=MilestoneRecord | TaskClock)
        if isinstance(record, Registered):
            registered[record.parcel_id] += 1
        elif not isinstance(record, TaskClock):
            assert registered[record.parcel_id] == 1
            found[value] += 1
    assert set(registered.values()) <= {1}
    return found


def replay_under_kills(
    shop: Shop, events: Sequence[ShopEvent], wanted: Counter[bytes], *, kills: Iterable[int], seed: int
) -> Counter[bytes]:
    """Replay them in that seed's order to two workers, one of which is killed at these times; what was told.

    Raises:
        AssertionError: Not everything that is wanted was told, or a kill never came.
    """
    left = sorted(kills)
    for name in ("track-1", "track-2"):
        shop.start("track", name)

    def on_clock(clock_ms: int) -> None:
        if left and clock_ms >= left[0]:
            left.pop(0)
            victim = shop.workers.pop("track-2")
            victim.kill()
            victim.wait()
            shop.start("track", "track-2")

    shop.replay(arrivals(events, seed=seed), run_on_ms=RUN_ON_MS, speed=1_000_000, on_clock=on_clock)
    assert not left
    found: Counter[bytes] = Counter()

    def reached() -> bool:
        nonlocal found
        shop.assert_alive()
        found = told(shop)
        return not wanted - found

    wait_for(reached, lambda: f"missing {list((wanted - found).elements())[:3]}", seconds=600)
    return found
