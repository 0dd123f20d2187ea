"""Every parcel history of a shop, expanded to scans, shuffled and tripled, is told in order and once."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from lane_histories import FIXTURE
from parcels import LINE, shuffled, weekdays
from postcart.codecs.olist import OlistOrder, read_olist
from postcart.codecs.olist_events import registration
from postcart.domain.track import fold
from postcart.domain.track.history import follow
from postcart.domain.track.outcome import Context, Tracked
from postcart.domain.track.parcel import FOR_EVER, Parcel, ParcelEvent, Scan, when_ms
from postcart.domain.track.rules import Rules
from postcart.events.milestones import Milestone, Status
from postcart.events.times import HOUR_MS, MINUTE_MS
from real_data import REAL_DATA

REAL = REAL_DATA / "shipments"
RULES = Rules()
CONTEXT = Context(rules=RULES, business_days=weekdays)


def scans(order: OlistOrder) -> Iterator[Scan]:
    """What a carrier would have scanned: a label, the pick-up, depots, the van, the door; at equal distances."""
    taken_ms, there_ms = order.carrier_ms or 0, order.delivered_ms or 0
    moments: list[tuple[Status, int]] = [("info_received", (order.approved_ms or order.purchased_ms) + MINUTE_MS)]
    if order.carrier_ms is not None:
        moments.append(("picked_up", taken_ms))
    if order.carrier_ms is not None and order.delivered_ms is not None:
        moments += [("in_transit", taken_ms + (there_ms - taken_ms) * part // 5) for part in range(1, 5)]
        moments.append(("out_for_delivery", there_ms - min(6 * HOUR_MS, (there_ms - taken_ms) // 6)))
    if order.delivered_ms is not None:
        moments.append(("delivered", there_ms))
    for number, (status, at_ms) in enumerate(moments):
        yield Scan(id=f"{order.order_id}/{number}", time=at_ms, status=status)


def histories(folder: Path) -> dict[str, list[ParcelEvent]]:
    """By number: the registration and the scans."""
    orders = read_olist(folder / "orders.csv", folder / "order_items.csv")
    return {registration(order).parcel_key: [registration(order), *scans(order)] for order in orders}


def wanted(events: list[ParcelEvent]) -> list[Status]:
    """Each status at its first scan, up the line; the data has parcels that were there before they were taken."""
    seen: list[Status] = []
    told = sorted(
        (event for event in events if isinstance(event, Scan)), key=lambda scan: (scan.time, LINE.index(scan.status))
    )
    for scan in told:
        if not seen or LINE.index(scan.status) > LINE.index(seen[-1]):
            seen.append(scan.status)
    return seen


def folder_or_skip(name: str) -> Path:
    """Made up, or real where it is at hand."""
    folder = FIXTURE if name == "made up" else REAL
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here: its licence keeps it out of this repository")
    return folder


@pytest.mark.parametrize("data", ["made up", pytest.param("real", marks=pytest.mark.slow)])
def test_shuffled_and_tripled(data: str) -> None:
    """As a finished history."""
    known = histories(folder_or_skip(data))
    random = Random(1)
    told: dict[str, list[Status]] = defaultdict(list)
    out = follow({key: shuffled(events, random, copies=3) for key, events in known.items()}, RULES, weekdays)
    keys = {record.order_id: record.tracking_number for record in out.news}
    for record in out.news:
        if isinstance(record, Milestone):
            told[f"olist:{keys[record.order_id].upper()}"].append(record.status)
    assert len({record.id for record in out.news}) == len(out.news)
    assert told == {key: wanted(events) for key, events in known.items()}


@pytest.mark.parametrize("data", ["made up", pytest.param("real", marks=pytest.mark.slow)])
def test_in_no_order_at_all(data: str) -> None:
    """As a stream in which scans come whenever they like: never backwards, never twice, and the end is always told."""
    random = Random(2)
    for key, events in histories(folder_or_skip(data)).items():
        parcel, out = Parcel(key=key), Tracked()
        clock_ms = 0
        arrivals: list[ParcelEvent] = [events[0], *shuffled(events, random, copies=3)]
        for event in arrivals:
            fold.arrive(parcel, [event], out)
            clock_ms = max(clock_ms, when_ms(event))
            fold.advance(parcel, clock_ms, CONTEXT, out)
        fold.advance(parcel, FOR_EVER - 1, CONTEXT, out)
        told = [record.status for record in out.news if isinstance(record, Milestone)]
        assert told == sorted(set(told), key=LINE.index), key
        assert ("delivered" in told) == any(isinstance(event, Scan) and event.status == "delivered" for event in events)
        assert len({record.id for record in out.news}) == len(out.news)
