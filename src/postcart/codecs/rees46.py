"""REES46 open data as shop events: its users become visitors and persons, its rows events with resulting quantities.

Owns: the import rules. Must not: read files beyond asking for rows, sort, or decide anything about sessions.

The rules, exactly: rows are taken by (time, row number); ``sequence`` is the row number, from 1 over all files. A
``cart`` row adds 1 to what the visitor has of the product, ``remove_from_cart`` takes the line away; the quantity
starts anew after an order of the visitor and after more than 31 days without rows. ``purchase`` rows of one session
and second are one order, which follows all rows of its second. Identical rows are separate events. Persons are made
up from ``user_id``; all ids are uuid5 over the row or the user, so an import can be repeated.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import TypedDict, Unpack
from uuid import UUID

from postcart.codecs.event_lines import read_json_lines, write_json_lines
from postcart.codecs.rees46_items import Item, product, read_items
from postcart.codecs.rees46_rows import Row, is_rees46, ordered_rows
from postcart.errors import ConfigurationError
from postcart.events import ids
from postcart.events.shop import (
    CartCleared,
    CartLine,
    Consent,
    Identified,
    LineAdded,
    LineRemoved,
    OrderPlaced,
    ProductViewed,
    ProfileUpdated,
    ShopEvent,
)

__all__ = ["ImportOptions", "Item", "read_events", "read_items", "read_rees46", "write_json_lines"]

_FORGOTTEN_AFTER = timedelta(days=31)
_IDENTIFIED_AGAIN_AFTER = timedelta(days=30)
_CONSENTS = (Consent(channel="email", purpose="marketing", given=True),)


class _Optional(TypedDict, total=False):
    currency: str
    anonymous: float
    devices: float
    items: Mapping[str, Item] | None
    notice: Callable[[str], None] | None


class ImportOptions(_Optional):
    """How persons are made up.

    Attributes:
        tenant: Namespace of person ids.
        identity_key: Secret over which person ids are derived from user ids.
        currency: ISO 4217 code of all prices; ``"USD"`` by default.
        anonymous: Share of users, 0 to 1, of whom nobody learns who they are: no identification, profile or order.
        devices: Share of users, 0 to 1, whose sessions are spread over two visitor ids.
        items: Product → category and brand, where the rows themselves don't say (``read_items``).
        notice: Told, in a sentence, when rows have to be held in memory and sorted.
    """

    tenant: UUID
    identity_key: bytes


@dataclass(slots=True)
class _Visitor:
    visitor_id: str
    last: datetime | None = None
    sessions: set[str | None] = field(default_factory=set)
    quantities: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class _User:
    person_id: str | None
    visitors: tuple[_Visitor, ...]
    profiled: bool = False


def read_rees46(paths: Sequence[Path], **options: Unpack[ImportOptions]) -> Iterator[ShopEvent]:
    """The rows of these files as shop events by (time, sequence); see the module for the rules.

    Raises:
        ConfigurationError: Before the first event: up to 20 problems, each with ``file:line``.
    """
    importer = _Importer(options)
    return importer.events(ordered_rows(paths, notice=options.get("notice")))


def read_events(paths: Sequence[Path], **options: Unpack[ImportOptions]) -> Iterator[ShopEvent]:
    """Events of REES46 CSV files (known by their header) and of JSON lines, in this order; times are not merged.

    Raises:
        ConfigurationError: Up to 20 problems, each with ``file:line``; for CSV before the first event.
    """
    tables = [path for path in paths if is_rees46(path)]
    lines = [path for path in paths if path not in tables]
    from_tables = read_rees46(tables, **options)

    def events() -> Iterator[ShopEvent]:
        yield from from_tables
        for path in lines:
            yield from read_json_lines(path)

    return events()


class _Importer:
    """What has to be remembered from row to row."""

    def __init__(self, options: ImportOptions) -> None:
        self._tenant = options["tenant"]
        self._identity_key = options["identity_key"]
        self._currency = options.get("currency", "USD")
        self._anonymous = options.get("anonymous", 0.0)
        self._devices = options.get("devices", 0.0)
        self._items = options.get("items") or {}
        self._users: dict[str, _User] = {}
        problems = [
            f"{name}: {share} is no share from 0 to 1"
            for name, share in (("anonymous", self._anonymous), ("devices", self._devices))
            if not 0 <= share <= 1
        ]
        if problems:
            raise ConfigurationError(*problems)

    def events(self, rows: Iterator[Row]) -> Iterator[ShopEvent]:
        for _, second in groupby(rows, key=attrgetter("at")):
            yield from self._second(second)

    def _second(self, rows: Iterator[Row]) -> Iterator[ShopEvent]:
        """The rows of one moment, then the orders made of them."""
        ordinals: Counter[str] = Counter()
        orders: dict[tuple[str, str | None], list[tuple[Row, UUID]]] = {}
        number = 0
        for row in rows:
            number = row.number
            ordinals[row.text] += 1
            # Identical rows have one time, so counting within the second is counting over all files.
            row_id = UUID(ids.uuid5(UUID(ids.uuid5(ids.POSTCART, row.text)), str(ordinals[row.text])))
            user = self._users.get(row.user_id) or self._new_user(row.user_id)
            visitor = _visitor_of(user, row)
            yield from self._arrival(row, row_id, user, visitor)
            if row.kind == "purchase":
                orders.setdefault((visitor.visitor_id, row.user_session), []).append((row, row_id))
            else:
                yield self._event(row, str(row_id), visitor)
        for bought in orders.values():
            yield from self._order(bought, number)

    def _arrival(self, row: Row, row_id: UUID, user: _User, visitor: _Visitor) -> Iterator[ShopEvent]:
        """What a row tells besides itself: who this is."""
        gap = row.at - visitor.last if visitor.last else None
        if gap and gap > _FORGOTTEN_AFTER:
            visitor.quantities.clear()
        again = gap is not None and gap > _IDENTIFIED_AGAIN_AFTER
        first = again or row.user_session not in visitor.sessions
        visitor.last = row.at
        if not first:
            return
        visitor.sessions.add(row.user_session)
        if user.person_id is None:
            return
        if not user.profiled:
            user.profiled = True
            yield ProfileUpdated(
                id=ids.uuid5(row_id, "profile"),
                time=row.at,
                sequence=row.number,
                person_id=user.person_id,
                email=f"user-{row.user_id}@shop.example",
                locale="en-US",
                time_zone="UTC",
                consents=_CONSENTS,
            )
        yield Identified(
            id=ids.uuid5(row_id, "identified"),
            time=row.at,
            sequence=row.number,
            visitor_id=visitor.visitor_id,
            session_id=row.user_session,
            person_id=user.person_id,
        )

    def _event(self, row: Row, event_id: str, visitor: _Visitor) -> ShopEvent:
        if row.kind == "view":
            return ProductViewed(
                id=event_id,
                time=row.at,
                sequence=row.number,
                visitor_id=visitor.visitor_id,
                session_id=row.user_session,
                variant_id=row.product_id,
                category=row.category or self._item(row).category,
                unit_price=row.price,
            )
        if row.kind == "remove_from_cart":
            visitor.quantities.pop(row.product_id, None)
            return LineRemoved(
                id=event_id,
                time=row.at,
                sequence=row.number,
                visitor_id=visitor.visitor_id,
                session_id=row.user_session,
                variant_id=row.product_id,
            )
        visitor.quantities[row.product_id] += 1
        return LineAdded(
            id=event_id,
            time=row.at,
            sequence=row.number,
            visitor_id=visitor.visitor_id,
            session_id=row.user_session,
            line=self._line(row, row.price, visitor.quantities[row.product_id]),
        )

    def _order(self, bought: list[tuple[Row, UUID]], sequence: int) -> Iterator[ShopEvent]:
        """The cart is empty and the person has ordered; ``sequence`` puts both behind the rows of their second."""
        row, row_id = bought[0]
        user = self._users[row.user_id]
        visitor = _visitor_of(user, row)
        visitor.quantities.clear()
        yield CartCleared(
            id=ids.uuid5(row_id, "cleared"),
            time=row.at,
            sequence=sequence,
            visitor_id=visitor.visitor_id,
            session_id=row.user_session,
            reason="ordered",
        )
        if user.person_id is None:
            return
        quantities = Counter((one.product_id, one.price) for one, _ in bought)
        firsts = {(one.product_id, one.price): one for one, _ in reversed(bought)}
        yield OrderPlaced(
            id=ids.uuid5(row_id, "placed"),
            time=row.at,
            sequence=sequence,
            person_id=user.person_id,
            order_id=ids.uuid5(row_id, "order"),
            lines=tuple(self._line(firsts[key], key[1], quantity) for key, quantity in quantities.items()),
            total=sum((one.price for one, _ in bought), Decimal(0)),
            currency=self._currency,
        )

    def _line(self, row: Row, unit_price: Decimal, quantity: int) -> CartLine:
        return CartLine(
            variant_id=row.product_id,
            quantity=quantity,
            unit_price=unit_price,
            currency=self._currency,
            product=product(row.product_id, self._item(row)),
        )

    def _item(self, row: Row) -> Item:
        known = self._items.get(row.product_id)
        if known is None:
            return Item(row.category, row.brand)
        return Item(row.category or known.category, row.brand or known.brand)

    def _new_user(self, user_id: str) -> _User:
        known = _share(f"anonymous/{user_id}") >= self._anonymous
        devices = 2 if _share(f"devices/{user_id}") < self._devices else 1
        user = _User(
            person_id=ids.person_id(self._tenant, self._identity_key, user_id) if known else None,
            visitors=tuple(
                _Visitor(ids.uuid5(ids.POSTCART, f"rees46/{user_id}/{device}")) for device in range(1, devices + 1)
            ),
        )
        self._users[user_id] = user
        return user


def _visitor_of(user: _User, row: Row) -> _Visitor:
    if len(user.visitors) == 1:
        return user.visitors[0]
    return user.visitors[_share(f"device/{row.user_id}/{row.user_session or ''}") >= 0.5]  # noqa: PLR2004 -- two halves


def _share(text: str) -> float:
    """A stable number from 0 to 1, 1 excluded: the same user falls on the same side in every import."""
    return int.from_bytes(sha256(text.encode()).digest()[:6], "big") / 2**48
