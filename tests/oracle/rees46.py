"""The oracle's own reading of the REES46 open data.

Owns: which events a CSV of that shop tells, as plain tuples per user. Must not: make up ids or persons, which are
the importer's.
"""

import csv
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from oracle.campaign import FORGET_AFTER, SECOND


class Row(NamedTuple):
    """One row; ``number`` counts from 1 over all files."""

    at: int
    number: int
    kind: str
    product: str
    price: str
    user: str
    session: str


class Told(NamedTuple):
    """One event of a user, as far as the data tells it."""

    at: int
    sequence: int
    kind: str
    session: str | None
    variant: str | None = None
    quantity: int | None = None


def read_rows(paths: Iterable[Path]) -> list[Row]:
    """All rows of the files, by time and number."""
    rows: list[Row] = []
    for path in paths:
        with path.open(newline="", encoding="utf-8") as file:
            for entry in csv.DictReader(file):
                moment = datetime.strptime(entry["event_time"], "%Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC)
                row = Row(
                    at=int(moment.timestamp()) * SECOND,
                    number=len(rows) + 1,
                    kind=entry["event_type"],
                    product=entry["product_id"],
                    price=entry["price"],
                    user=entry["user_id"],
                    session=entry["user_session"],
                )
                rows.append(row)
    return sorted(rows)


def structure(rows: list[Row]) -> dict[str, list[Told]]:
    """Per user what was viewed, added, removed, cleared and ordered, in order."""
    last_number = {row.at: row.number for row in rows}
    users: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        users[row.user].append(row)
    return {user: told(history, last_number) for user, history in users.items()}


def told(history: list[Row], last_number: dict[int, int]) -> list[Told]:
    """The events of one user's rows. Orders come behind everything else of their second."""
    events: list[Told] = []
    cart: dict[str, int] = defaultdict(int)
    for second in sorted({row.at for row in history}):
        if events and second > events[-1].at + FORGET_AFTER:
            cart.clear()
        rows = [row for row in history if row.at == second]
        for row in rows:
            session = row.session or None
            if row.kind == "view":
                events.append(Told(second, row.number, "viewed", session, row.product))
            elif row.kind == "cart":
                cart[row.product] += 1
                events.append(Told(second, row.number, "added", session, row.product, cart[row.product]))
            elif row.kind == "remove_from_cart":
                cart[row.product] = 0
                events.append(Told(second, row.number, "removed", session, row.product))
        for bought in sorted({row.session for row in rows if row.kind == "purchase"}):
            cart.clear()
            events.append(Told(second, last_number[second], "cleared", bought or None))
            events.append(Told(second, last_number[second], "placed", None))
    return events
