"""Rows of REES46 CSV files: found, checked and put in order before any event is made of them.

Owns: the file format (columns, times, prices), the numbering of rows and their order. Must not: know visitors,
persons, carts or events.

The format is that of the REES46 open data: ``event_time,event_type,product_id[,category_id,category_code,brand],
price,user_id,user_session``, times like ``2022-10-01 00:00:00 UTC``.
"""

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from postcart.errors import ConfigurationError
from postcart.events.times import EPOCH

REQUIRED = ("event_time", "event_type", "product_id", "price", "user_id", "user_session")
MOST_PROBLEMS = 20
"""So many are reported at once; a wrong file must not print a million lines."""
EVENT_TYPES = frozenset({"view", "cart", "remove_from_cart", "purchase"})

_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC")
# The source has negative prices (vouchers), so a sign is not an error.
_PRICE = re.compile(r"-?\d{1,12}(\.\d{1,6})?")
_LONGEST = 200


class Row(NamedTuple):
    """One row, checked. ``number`` counts rows from 1 over all files in the order in which these were named."""

    at: datetime
    number: int
    kind: str
    product_id: str
    price: Decimal
    user_id: str
    user_session: str | None
    category: str | None
    brand: str | None
    text: str
    """The fields as they are, joined by commas: what makes two rows identical."""


class _Bad(Exception):  # noqa: N818 -- private, never crosses the module's boundary
    """What is wrong with a row."""


class _Layout:
    """Where the columns of one file are, and how its rows are read."""

    def __init__(self, header: Sequence[str]) -> None:
        missing = [name for name in REQUIRED if name not in header]
        if missing:
            raise _Bad(f"the header names no column {', '.join(missing)}; expected {','.join(REQUIRED)}")
        self.width = len(header)
        self._columns = tuple(header.index(name) for name in REQUIRED)
        self._category_code = _column(header, "category_code")
        self._category_id = _column(header, "category_id")
        self._brand = _column(header, "brand")
        # Rows come in runs of one second: its parsed time is worth remembering.
        self._time_text = ""
        self._time = EPOCH

    def row(self, fields: list[str], number: int) -> Row:
        """The row as typed values; raises ``_Bad``."""
        if len(fields) != self.width:
            raise _Bad(f"{len(fields)} fields where the header names {self.width}")
        at, kind, product_id, price, user_id, user_session = [fields[i] for i in self._columns]
        if at != self._time_text:
            self._time = _time(at)
            self._time_text = at
        if kind not in EVENT_TYPES:
            raise _Bad(f"event_type {kind!r} is none of {', '.join(sorted(EVENT_TYPES))}")
        if not _PRICE.fullmatch(price):
            raise _Bad(f"price {price!r} is no amount like 12.34")
        for name, text in (("product_id", product_id), ("user_id", user_id)):
            if not 0 < len(text) <= _LONGEST:
                raise _Bad(f"{name} must have 1 to {_LONGEST} characters, has {len(text)}")
        if len(user_session) > _LONGEST:
            raise _Bad(f"user_session must have at most {_LONGEST} characters, has {len(user_session)}")
        return Row(
            at=self._time,
            number=number,
            kind=kind,
            product_id=product_id,
            price=Decimal(price),
            user_id=user_id,
            user_session=user_session or None,
            category=self._optional(fields, self._category_code) or self._optional(fields, self._category_id),
            brand=self._optional(fields, self._brand),
            text=",".join(fields),
        )

    @staticmethod
    def _optional(fields: list[str], column: int | None) -> str | None:
        return None if column is None else fields[column] or None


def ordered_rows(paths: Sequence[Path], *, notice: Callable[[str], None] | None = None) -> Iterator[Row]:
    """All rows of all files by (time, row number).

    The files are read twice: one look checks every row and whether the times ascend over all files; if they do, the
    rows are streamed in constant memory, else all of them are held and sorted, which ``notice`` is told.

    Raises:
        ConfigurationError: At once, not at the first row: up to 20 problems, each with ``file:line``.
    """
    ascending = _look(paths)
    if ascending:
        return _rows(paths)
    if notice:
        notice("rows are not in the order of their times: all of them are held in memory and sorted")
    return iter(sorted(_rows(paths), key=lambda row: (row.at, row.number)))


def is_rees46(path: Path) -> bool:
    """Whether this is CSV, by its name or first line; an unreadable file is left to the reader, which says so."""
    if path.suffix == ".csv":
        return True
    try:
        with path.open("rb") as file:
            header = file.readline(2_000).decode("utf-8-sig", "replace").strip().split(",")
    except OSError:
        return False
    return bool(set(REQUIRED) & set(header))


def csv_lines(path: Path, problems: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Line number and fields of each line that is not empty; what can't be read at all goes to ``problems``."""
    with reading(path, problems), path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        for fields in reader:
            if fields:
                yield reader.line_num, fields


@contextmanager
def reading(path: Path, problems: list[str]) -> Iterator[None]:
    """Turns what a file itself can do wrong into a line of ``problems``."""
    try:
        yield
    except OSError as error:
        problems.append(f"{path}: {error.strerror or error}; name a readable file")
    except UnicodeDecodeError as error:
        problems.append(f"{path}: byte {error.start} of a block is not UTF-8; convert the file")
    except csv.Error as error:
        problems.append(f"{path}: {error}; is it a CSV file?")


def _look(paths: Sequence[Path]) -> bool:
    """Check every row; whether the times ascend."""
    problems: list[str] = []
    ascending = True
    latest: datetime | None = None
    for path in paths:
        layout: _Layout | None = None
        for line, fields in csv_lines(path, problems):
            try:
                if layout is None:
                    layout = _Layout(fields)
                    continue
                at = layout.row(fields, 0).at
            except _Bad as bad:
                problems.append(f"{path}:{line}: {bad}")
                if layout is None or len(problems) >= MOST_PROBLEMS:
                    break
                continue
            if latest is not None and at < latest:
                ascending = False
            latest = at
        else:
            if layout is None and not any(problem.startswith(f"{path}:") for problem in problems):
                problems.append(f"{path}:1: the file is empty; expected the header {','.join(REQUIRED)}")
        if len(problems) >= MOST_PROBLEMS:
            problems[MOST_PROBLEMS - 1 :] = [problems[MOST_PROBLEMS - 1], "there may be more: reading stopped here"]
            break
    if problems:
        raise ConfigurationError(*problems)
    return ascending


def _rows(paths: Sequence[Path]) -> Iterator[Row]:
    number = 0
    problems: list[str] = []
    for path in paths:
        layout: _Layout | None = None
        for line, fields in csv_lines(path, problems):
            try:
                if layout is None:
                    layout = _Layout(fields)
                    continue
                number += 1
                row = layout.row(fields, number)
            except _Bad as bad:  # it was right a moment ago
                raise ConfigurationError(f"{path}:{line}: {bad}; the file changed while it was read") from None
            yield row
    if problems:
        raise ConfigurationError(*problems)


def _time(text: str) -> datetime:
    if not _TIME.fullmatch(text):
        raise _Bad(f"event_time {text!r} is not like 2022-10-01 00:00:00 UTC")
    try:
        return datetime.fromisoformat(f"{text[:19]}+00:00")
    except ValueError as error:
        raise _Bad(f"event_time {text!r}: {error}") from None


def _column(header: Sequence[str], name: str) -> int | None:
    return header.index(name) if name in header else None
