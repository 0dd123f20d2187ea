"""REES46 rows become exactly the events that the import rules name."""

from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from postcart.codecs.rees46 import Item, read_events, read_items, read_rees46, write_json_lines
from postcart.errors import ConfigurationError
from postcart.events import ids
from postcart.events.shop import (
    CartCleared,
    Identified,
    LineAdded,
    LineRemoved,
    OrderPlaced,
    ProductViewed,
    ProfileUpdated,
    order_key,
)

REAL = Path(__file__).parents[1] / "fixtures" / "rees46"
MONTHS = [REAL / f"data_2022_{month}.csv" for month in ("oct", "nov", "dec")]
WHO: dict[str, Any] = {"tenant": UUID(int=7), "identity_key": b"key"}
HEADER = "event_time,event_type,product_id,price,user_id,user_session"


def table(path: Path, *rows: str, header: str = HEADER) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def events(tmp_path: Path, *rows: str, **options: Any) -> list[Any]:
    path = table(tmp_path / "rows.csv", *(f"2022-10-{row}" for row in rows))
    return list(read_rees46([path], **WHO, **options))


def of(kind: type, found: list[Any]) -> list[Any]:
    return [event for event in found if type(event) is kind]


def test_kinds_and_quantities(tmp_path: Path) -> None:
    """A view is viewed, a cart row adds one to what is there, a removal takes the line away and starts anew."""
    found = events(
        tmp_path,
        "01 00:00:00 UTC,view,p,2.50,u,s",
        "01 00:00:01 UTC,cart,p,2.50,u,s",
        "01 00:00:02 UTC,cart,p,2.40,u,s",
        "01 00:00:03 UTC,remove_from_cart,p,2.40,u,s",
        "01 00:00:04 UTC,cart,p,2.60,u,s",
    )
    assert [type(e) for e in found] == [
        ProfileUpdated, Identified, ProductViewed, LineAdded, LineAdded, LineRemoved, LineAdded
    ]  # fmt: skip
    assert [(str(e.line.unit_price), e.line.quantity, e.line.currency) for e in of(LineAdded, found)] == [
        ("2.50", 1, "USD"), ("2.40", 2, "USD"), ("2.60", 1, "USD")
    ]  # fmt: skip
    assert [e.sequence for e in found] == [1, 1, 1, 2, 3, 4, 5]
    profile, identified = found[:2]
    assert profile.person_id == identified.person_id == ids.person_id(UUID(int=7), b"key", "u")
    assert (profile.email, profile.locale, profile.time_zone) == ("user-u@shop.example", "en-US", "UTC")
    assert [(c.channel, c.purpose, c.given) for c in profile.consents] == [("email", "marketing", True)]


def test_identical_rows_are_separate_events(tmp_path: Path) -> None:
    """Id = uuid5(row, ordinal among identical rows), wherever in the files they stand."""
    row = "01 00:00:01 UTC,cart,p,2.50,u,s"
    found = of(LineAdded, events(tmp_path, row, row, row))
    line = ids.uuid5(ids.POSTCART, f"2022-10-{row}")
    assert [e.id for e in found] == [ids.uuid5(UUID(line), str(n)) for n in (1, 2, 3)]
    assert [e.line.quantity for e in found] == [1, 2, 3]


def test_an_order_follows_all_rows_of_its_second(tmp_path: Path) -> None:
    """Purchases of one session and second are one order: after a cart row of that second that stands behind them."""
    found = events(
        tmp_path,
        "01 00:00:00 UTC,cart,p,2.50,u,s",
        "01 00:00:05 UTC,purchase,p,2.50,u,s",
        "01 00:00:05 UTC,purchase,q,1.00,u,s",
        "01 00:00:05 UTC,purchase,p,2.50,u,s",
        "01 00:00:05 UTC,cart,p,2.50,u,s",
        "01 00:00:06 UTC,cart,p,2.50,u,s",
    )
    cleared, placed = of(CartCleared, found) + of(OrderPlaced, found)
    assert [e.line.quantity for e in of(LineAdded, found)] == [1, 2, 1]
    assert found.index(cleared) > found.index(of(LineAdded, found)[1])
    assert (cleared.sequence, placed.sequence, cleared.reason) == (5, 5, "ordered")
    assert [(one.variant_id, one.quantity, str(one.unit_price)) for one in placed.lines] == [
        ("p", 2, "2.50"),
        ("q", 1, "1.00"),
    ]
    assert (str(placed.total), placed.currency) == ("6.00", "USD")
    visits = [e for e in found if type(e) not in (ProfileUpdated, OrderPlaced)]
    assert visits == sorted(visits, key=order_key)


def test_two_sessions_in_one_second_are_two_orders(tmp_path: Path) -> None:
    """The group is session and second; rows without a session group by visitor."""
    found = events(
        tmp_path,
        "01 00:00:05 UTC,purchase,p,2.50,u,s",
        "01 00:00:05 UTC,purchase,p,2.50,u,t",
        "01 00:00:05 UTC,purchase,p,2.50,u,",
        "01 00:00:05 UTC,purchase,q,2.50,u,",
        "01 00:00:05 UTC,purchase,p,2.50,v,",
        "01 00:00:06 UTC,purchase,p,2.50,u,s",
    )
    orders = of(OrderPlaced, found)
    assert [len(order.lines) for order in orders] == [1, 1, 2, 1, 1]
    assert [order.sequence for order in orders] == [5, 5, 5, 5, 6]
    assert [e.session_id for e in of(CartCleared, found)] == ["s", "t", None, None, "s"]
    assert len({order.order_id for order in orders} | {order.id for order in orders}) == 10


def test_forgotten_after_more_than_31_days(tmp_path: Path) -> None:
    """At exactly 31 days the quantity still counts, a second later it doesn't; identified again after 30 days."""
    path = table(
        tmp_path / "rows.csv",
        "2022-10-01 00:00:00 UTC,cart,p,1,u,s",
        "2022-11-01 00:00:00 UTC,cart,p,1,u,s",
        "2022-12-02 00:00:01 UTC,cart,p,1,u,s",
        "2023-01-01 00:00:01 UTC,cart,p,1,u,s",
        "2023-01-01 00:00:02 UTC,cart,p,1,u,t",
    )
    found = list(read_rees46([path], **WHO))
    assert [e.line.quantity for e in of(LineAdded, found)] == [1, 2, 1, 2, 3]
    assert [e.sequence for e in of(Identified, found)] == [1, 2, 3, 5]
    assert len(of(ProfileUpdated, found)) == 1


def test_rows_are_numbered_over_files_and_sorted(tmp_path: Path) -> None:
    """Files in any order: taken by (time, row number), numbered as named; that they had to be sorted is told."""
    first = table(tmp_path / "a.csv", "2022-10-02 00:00:00 UTC,cart,p,1,u,s")
    second = table(tmp_path / "b.csv", "2022-10-01 00:00:00 UTC,cart,p,1,u,s", "2022-10-02 00:00:00 UTC,cart,q,1,u,s")
    notices: list[str] = []
    found = of(LineAdded, list(read_rees46([first, second], **WHO, notice=notices.append)))
    assert [(e.time.day, e.sequence, e.line.variant_id, e.line.quantity) for e in found] == [
        (1, 2, "p", 1), (2, 1, "p", 2), (2, 3, "q", 1)
    ]  # fmt: skip
    assert len(notices) == 1
    assert not notices.clear()
    list(read_rees46([second], **WHO, notice=notices.append))
    assert not notices


def test_original_columns_and_items(tmp_path: Path) -> None:
    """Category and brand come from the row's own columns, else from items.csv; the code before the bare id."""
    header = "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session"
    path = table(
        tmp_path / "rows.csv",
        "2022-10-01 00:00:00 UTC,cart,1,99,furniture.bathroom.bath,acme,1,u,s",
        "2022-10-01 00:00:00 UTC,cart,2,99,,,1,u,s",
        "2022-10-01 00:00:00 UTC,cart,3,,,,1,u,s",
        "2022-10-01 00:00:00 UTC,view,3,,,,1,u,s",
        header=header,
    )
    items = {"3": Item("apparel.glove", None)}
    found = list(read_rees46([path], **WHO, items=items, currency="EUR"))
    products = [e.line.product for e in of(LineAdded, found)]
    assert [(p.title, p.category) for p in products] == [
        ("Acme bath", "furniture.bathroom.bath"), (None, "99"), ("Glove", "apparel.glove")
    ]  # fmt: skip
    assert of(ProductViewed, found)[0].category == "apparel.glove"
    assert {e.line.currency for e in of(LineAdded, found)} == {"EUR"}


def test_shares() -> None:
    """Shares are about users, stable, and leave the rest of the events alone."""
    plain = list(read_rees46(MONTHS, **WHO))
    some = list(read_rees46(MONTHS, **WHO, anonymous=0.3, devices=0.5))
    again = list(read_rees46(MONTHS, **WHO, anonymous=0.3, devices=0.5))
    assert some == again
    users = len(of(ProfileUpdated, plain))
    assert 0.6 < len(of(ProfileUpdated, some)) / users < 0.8
    visitors = {e.visitor_id for e in plain if hasattr(e, "visitor_id")}
    more = {e.visitor_id for e in some if hasattr(e, "visitor_id")}
    assert len(visitors) == users
    assert len(more) > users
    assert [e.id for e in of(LineAdded, plain)] == [e.id for e in of(LineAdded, some)]
    known = {e.person_id for e in of(ProfileUpdated, some)}
    assert {e.person_id for e in of(OrderPlaced, some)} <= known
    nobody = list(read_rees46(MONTHS, **WHO, anonymous=1))
    assert not of(ProfileUpdated, nobody) + of(Identified, nobody) + of(OrderPlaced, nobody)
    assert len(of(CartCleared, nobody)) == len(of(CartCleared, plain)) == 18


def test_real_data_round_trip(tmp_path: Path) -> None:
    """The three real files: every row is there, ids are unique, and JSON lines say the same as the CSV."""
    found = list(read_rees46(MONTHS, **WHO, items=read_items(REAL / "items.csv")))
    assert Counter(type(e).__name__ for e in found) == {
        "ProductViewed": 1252, "LineAdded": 853, "LineRemoved": 635, "Identified": 724,
        "ProfileUpdated": 432, "CartCleared": 18, "OrderPlaced": 18,
    }  # fmt: skip
    assert len({e.id for e in found}) == len(found)
    assert sum(line.quantity for order in of(OrderPlaced, found) for line in order.lines) == 257
    buffer = BytesIO()
    assert write_json_lines(found, buffer) == len(found)
    path = tmp_path / "events.jsonl"
    path.write_bytes(buffer.getvalue())
    assert list(read_events([path], **WHO)) == found
    assert len(list(read_events([MONTHS[0], path], **WHO))) > len(found)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("2022-10-01 00:00:00,view,p,1,u,s", "event_time '2022-10-01 00:00:00' is not like"),
        ("2022-13-01 00:00:00 UTC,view,p,1,u,s", "month must be in 1..12"),
        ("2022-10-01 00:00:00 UTC,look,p,1,u,s", "event_type 'look' is none of cart,"),
        ("2022-10-01 00:00:00 UTC,view,p,NaN,u,s", "price 'NaN' is no amount"),
        ("2022-10-01 00:00:00 UTC,view,,1,u,s", "product_id must have 1 to 200"),
        ("2022-10-01 00:00:00 UTC,view,p,1,,s", "user_id must have 1 to 200"),
        (f"2022-10-01 00:00:00 UTC,view,p,1,u,{'s' * 201}", "user_session must have at most"),
        ("2022-10-01 00:00:00 UTC,view,p,1,u", "5 fields where the header names 6"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, row: str, message: str) -> None:
    """Each with file and line, before any event is handed out, and all of them together."""
    path = table(tmp_path / "rows.csv", "2022-10-01 00:00:00 UTC,view,p,1,u,s", row, row)
    with pytest.raises(ConfigurationError) as raised:
        read_rees46([path], **WHO)
    assert [problem.split(": ")[0] for problem in raised.value.problems] == [f"{path}:3", f"{path}:4"]
    assert message in raised.value.problems[0]


def test_at_most_twenty_problems(tmp_path: Path) -> None:
    """A wrong file does not print a line for each of its rows."""
    path = table(tmp_path / "rows.csv", *["nonsense"] * 50)
    with pytest.raises(ConfigurationError) as raised:
        read_rees46([path, path], **WHO)
    assert len(raised.value.problems) == 21
    assert "reading stopped" in raised.value.problems[-1]


def test_unfit_files(tmp_path: Path) -> None:
    """Missing, empty, binary, wrong header: one line each, all at once."""
    empty, binary, other = tmp_path / "empty.csv", tmp_path / "binary.csv", tmp_path / "other.csv"
    empty.write_bytes(b"")
    binary.write_bytes(b"\xff\xfe\x00" * 100)
    other.write_text("a,b,event_time\n1,2,3\n")
    with pytest.raises(ConfigurationError) as raised:
        read_events([tmp_path / "absent.csv", empty, binary, other], **WHO)
    assert [problem.split(":")[0] for problem in raised.value.problems] == [
        str(tmp_path / name) for name in ("absent.csv", "empty.csv", "binary.csv", "other.csv")
    ]
    assert "names no column event_type, product_id" in raised.value.problems[3]
    with pytest.raises(ConfigurationError, match="share"):
        read_rees46([MONTHS[0]], **WHO, anonymous=1.5)
    with pytest.raises(ConfigurationError, match="no column product_id"):
        read_items(other)


def test_bad_json_lines(tmp_path: Path) -> None:
    """Events up to the first wrong line are handed out, then all wrong lines are named."""
    path = tmp_path / "events.jsonl"
    good = '{"type":"started","id":"1","time":"2022-10-01T00:00:00Z","visitor_id":"v"}'
    path.write_text("\n".join([good, "", "{", good.replace("Z", ""), good, good.replace("started", "left")]))
    reader = read_events([path], **WHO)
    assert next(reader).id == "1"
    with pytest.raises(ConfigurationError) as raised:
        next(reader)
    assert [problem.split(": ")[0] for problem in raised.value.problems] == [f"{path}:{line}" for line in (3, 4, 6)]
    assert "no zone" in raised.value.problems[1]
    with pytest.raises(ConfigurationError, match=r"absent\.jsonl"):
        list(read_events([tmp_path / "absent.jsonl"], **WHO))
