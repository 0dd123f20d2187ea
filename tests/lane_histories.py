"""A made-up history of deliveries: lanes of different length, weekdays, a carrier that gets faster.

Owns: its making; run as a program it writes tests/fixtures/olist. Must not: hold real data.
"""

import csv
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from math import exp
from pathlib import Path
from random import Random
from uuid import UUID

from postcart.codecs.olist import ITEM_COLUMNS, ORDER_COLUMNS

FIXTURE = Path(__file__).parent / "fixtures" / "olist"
BASE_DAYS = {"SP": 4.0, "RJ": 6.0, "BA": 11.0, "AM": 16.0}
_BEGIN = datetime(2021, 1, 4)  # noqa: DTZ001 -- the files' times have no zone

Row = dict[str, str]


def made_up(count: int, seed: int) -> tuple[list[Row], list[Row]]:
    """Orders and items. Of a hundred some are cancelled, or still on their way."""
    random = Random(seed)
    orders, items = [], []
    at = _BEGIN
    for number in range(count):
        at += timedelta(hours=random.uniform(2, 14))
        order_id = UUID(int=random.getrandbits(128)).hex
        state = random.choice(list(BASE_DAYS))
        share = number / count
        pieces = random.choice((1, 1, 1, 2, 3))
        days = BASE_DAYS[state] * (1.2 - 0.3 * share) * exp(random.gauss(0, 0.25)) + (at.weekday() >= 4) * 1.5
        carrier = at + timedelta(days=min(days / 2, random.uniform(0.5, 4.0)))
        status = random.choices(("delivered", "canceled", "shipped"), (96, 2, 2))[0]
        orders.append(
            {
                "order_id": order_id,
                "customer_unique_id": f"customer{random.randrange(count)}",
                "city": "city",
                "state": state,
                "order_status": status,
                "purchased_at": _text(at),
                "approved_at": _text(at + timedelta(minutes=random.randrange(1, 300))),
                "carrier_at": "" if status == "canceled" else _text(carrier),
                "delivered_at": _text(at + timedelta(days=days)) if status == "delivered" else "",
                "estimated_delivery": f"{(at + timedelta(days=BASE_DAYS[state] * 1.8 + 3)).date()} 00:00:00",
            }
        )
        items += _items(order_id, pieces, BASE_DAYS[state], random)
    return orders, items


def _items(order_id: str, pieces: int, base_days: float, random: Random) -> Iterator[Row]:
    for line in range(1, pieces + 1):
        yield {
            "order_id": order_id,
            "line": str(line),
            "product_id": f"product{random.randrange(40)}",
            "seller_id": f"seller{random.randrange(9)}",
            "price": f"{random.uniform(5, 200):.2f}",
            "freight": f"{base_days * random.uniform(1, 3):.2f}",
        }


def _text(moment: datetime) -> str:
    return moment.isoformat(" ", "seconds")


def write(path: Path, columns: Sequence[str], rows: Sequence[Row]) -> None:
    """As CSV."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    """Write the fixture."""
    FIXTURE.mkdir(parents=True, exist_ok=True)
    orders, items = made_up(500, seed=7)
    write(FIXTURE / "orders.csv", ORDER_COLUMNS, orders)
    write(FIXTURE / "order_items.csv", ITEM_COLUMNS, items)


if __name__ == "__main__":
    sys.exit(main())
