"""Orders and deliveries of the Olist data as rows: read, checked, in the order of purchase.

Owns: the two files' format. Must not: make events (olist_events), or judge a delivery.

The format: ``order_id,customer_unique_id,city,state,order_status,purchased_at,approved_at,carrier_at,delivered_at,
estimated_delivery`` and ``order_id,line,product_id,seller_id,price,freight``; times like ``2017-10-02 10:56:33``,
without a zone, are taken as UTC; what is empty did not happen.
"""

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final, TypeVar

from postcart.errors import ConfigurationError
from postcart.events.times import parse_iso

ORDER_COLUMNS: Final = (
    "order_id",
    "customer_unique_id",
    "city",
    "state",
    "order_status",
    "purchased_at",
    "approved_at",
    "carrier_at",
    "delivered_at",
    "estimated_delivery",
)
ITEM_COLUMNS: Final = ("order_id", "line", "product_id", "seller_id", "price", "freight")
_MOST_PROBLEMS = 20

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class OlistItem:
    """One piece that was ordered, and what its delivery cost."""

    product_id: str
    seller_id: str
    price: Decimal
    freight: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class OlistOrder:
    """One order. Times in ms; None: it did not happen, or is not known."""

    order_id: str
    customer_id: str
    city: str
    state: str
    status: str
    purchased_ms: int
    approved_ms: int | None
    carrier_ms: int | None
    delivered_ms: int | None
    estimated_ms: int | None
    items: list[OlistItem] = field(default_factory=list)


def read_olist(orders: Path, items: Path | None = None) -> list[OlistOrder]:
    """The orders by time of purchase, then id, with their items where that file is given.

    Raises:
        ConfigurationError: Up to 20 problems, each with ``file:line``.
    """
    problems: list[str] = []
    read = list(_rows(orders, ORDER_COLUMNS, _order, problems))
    by_id = {order.order_id: order for order in read}
    if items is not None:
        for order_id, item in _rows(items, ITEM_COLUMNS, _item, problems):
            if order_id in by_id:
                by_id[order_id].items.append(item)
    if problems:
        raise ConfigurationError(*problems[:_MOST_PROBLEMS])
    return sorted(by_id.values(), key=lambda order: (order.purchased_ms, order.order_id))


def _rows(path: Path, columns: Sequence[str], build: Callable[[dict[str, str]], T], problems: list[str]) -> Iterator[T]:
    """What ``build`` makes of each row; problems are collected, not raised."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [name for name in columns if name not in (reader.fieldnames or ())]
            if missing:
                problems.append(
                    f"{path}:1: the header names no column {', '.join(missing)}; expected {','.join(columns)}"
                )
                return
            for row in reader:
                try:
                    yield build(row)
                except (ValueError, InvalidOperation, TypeError) as error:
                    problems.append(f"{path}:{reader.line_num}: {error}")
                if len(problems) >= _MOST_PROBLEMS:
                    return
    except OSError as error:
        problems.append(f"{path}: {error.strerror or error}; name a readable file")
    except (UnicodeDecodeError, csv.Error) as error:
        problems.append(f"{path}: this is no CSV in UTF-8: {error}")


def _order(row: dict[str, str]) -> OlistOrder:
    purchased_ms = _moment(row, "purchased_at")
    if purchased_ms is None or not row["order_id"] or not row["customer_unique_id"]:
        raise ValueError("an order needs order_id, customer_unique_id and purchased_at")
    return OlistOrder(
        order_id=row["order_id"],
        customer_id=row["customer_unique_id"],
        city=row["city"],
        state=row["state"],
        status=row["order_status"],
        purchased_ms=purchased_ms,
        approved_ms=_moment(row, "approved_at"),
        carrier_ms=_moment(row, "carrier_at"),
        delivered_ms=_moment(row, "delivered_at"),
        estimated_ms=_moment(row, "estimated_delivery"),
    )


def _item(row: dict[str, str]) -> tuple[str, OlistItem]:
    return row["order_id"], OlistItem(
        row["product_id"], row["seller_id"], _amount(row, "price"), _amount(row, "freight")
    )


def _moment(row: dict[str, str], name: str) -> int | None:
    text = row[name]
    if not text:
        return None
    try:
        return parse_iso(text)
    except ValueError:
        raise ValueError(f"{name} {text!r} is no time like 2017-10-02 10:56:33") from None


def _amount(row: dict[str, str], name: str) -> Decimal:
    try:
        return Decimal(row[name])
    except InvalidOperation:
        raise ValueError(f"{name} {row[name]!r} is no amount like 12.34") from None
