"""Olist's files as shop events."""

from collections import Counter
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from lane_histories import FIXTURE
from postcart.codecs.olist import ORDER_COLUMNS, read_olist
from postcart.codecs.olist_events import olist_events
from postcart.codecs.sanity import problem_of
from postcart.codecs.shop_events import ShopEventDecoder, ShopEventEncoder
from postcart.errors import ConfigurationError
from postcart.events.shipments import ParcelRegistered, ParcelStatus
from postcart.events.shop import OrderCancelled, OrderPlaced, ShopEvent, time_ms
from postcart.events.times import parse_iso

TENANT = UUID("0f8fad5b-d9cb-469f-a165-70867728950e")
FILES = FIXTURE / "orders.csv", FIXTURE / "order_items.csv"


def imported(orders: Path, items: Path | None = None) -> list[ShopEvent]:
    """Their events."""
    return list(olist_events(read_olist(orders, items), tenant=TENANT, identity_key=b"for tests"))


def test_events_by_time_and_readable() -> None:
    """In order, unique, deterministic, and as every topic takes them."""
    events = imported(*FILES)
    assert [time_ms(event) for event in events] == sorted(time_ms(event) for event in events)
    assert len({event.id for event in events}) == len(events)
    assert imported(*FILES) == events
    assert not any(map(problem_of, events))
    encode = ShopEventEncoder("single_object").encode
    for event in events[:200]:
        subject, key, value = encode(event)
        read = ShopEventDecoder(subject, stage="test").decode(key, value)
        assert read is not None
        assert (read.id, time_ms(read)) == (event.id, time_ms(event))


ORDERS = f"""{",".join(ORDER_COLUMNS)}
a1,c1,sao paulo,SP,delivered,2017-10-02 10:56:33,2017-10-02 11:07:15,2017-10-04 19:55:00,2017-10-10 21:25:13,2017-10-18
a2,c1,barreiras,BA,canceled,2018-07-24 20:41:37,,,,2018-08-13 00:00:00
a3,c2,vianopolis,GO,shipped,2018-08-08 08:38:49,2018-08-08 08:55:23,2018-08-08 13:50:00,,2018-09-04 00:00:00
"""
ITEMS = """order_id,line,product_id,seller_id,price,freight
a1,1,p1,s1,29.99,8.72
a1,2,p1,s1,29.99,8.72
a1,3,p2,s2,10,1
"""


def test_an_order_and_its_parcel(tmp_path: Path) -> None:
    """Line by line."""
    (tmp_path / "orders.csv").write_text(ORDERS)
    (tmp_path / "items.csv").write_text(ITEMS)
    events = imported(tmp_path / "orders.csv", tmp_path / "items.csv")
    kinds = Counter(msgspec.to_builtins(event)["type"] for event in events)
    assert kinds == {"profile": 2, "placed": 3, "paid": 2, "cancelled": 1, "registered": 2, "status": 3}
    placed = next(event for event in events if isinstance(event, OrderPlaced))
    assert (str(placed.total), [(line.variant_id, line.quantity) for line in placed.lines]) == (
        "88.42",
        [("p1", 2), ("p2", 1)],
    )
    parcel = next(event for event in events if isinstance(event, ParcelRegistered))
    assert (parcel.parcel_key, time_ms(parcel)) == ("olist:A1", parse_iso("2017-10-02 11:07:15"))
    assert parcel.destination is not None
    assert (parcel.destination.region, str(parcel.freight), len(parcel.lines)) == ("SP", "18.44", 2)
    scans = [(event.tracking_number, event.code) for event in events if isinstance(event, ParcelStatus)]
    assert scans == [("a1", "picked_up"), ("a1", "delivered"), ("a3", "picked_up")]
    cancelled = next(event for event in events if isinstance(event, OrderCancelled))
    assert (cancelled.order_id, cancelled.person_id) == ("a2", placed.person_id)


def test_problems_are_told_by_line(tmp_path: Path) -> None:
    """All at once."""
    path = tmp_path / "orders.csv"
    path.write_text(ORDERS.replace("2017-10-02 10:56:33", "yesterday").replace("2018-08-08 13:50:00", "2018-13-08"))
    with pytest.raises(ConfigurationError) as raised:
        read_olist(path)
    assert raised.value.problems == (
        f"{path}:2: purchased_at 'yesterday' is no time like 2017-10-02 10:56:33",
        f"{path}:4: carrier_at '2018-13-08' is no time like 2017-10-02 10:56:33",
    )
    path.write_text("order_id,state\n")
    with pytest.raises(ConfigurationError, match="the header names no column customer_unique_id"):
        read_olist(path)
