"""What REES46's items.csv tells about products besides their prices.

Owns: that file's format, and the title that is made up of it. Must not: know rows of events.
"""

from pathlib import Path
from typing import NamedTuple

from postcart.codecs.rees46_rows import csv_lines
from postcart.errors import ConfigurationError
from postcart.events.shop import Product

_COLUMNS = ("product_id", "category_id", "category_code", "brand")


class Item(NamedTuple):
    """What a message can show of a product: category code, else id, and brand."""

    category: str | None
    brand: str | None


def read_items(path: Path) -> dict[str, Item]:
    """Product → item, from a CSV file with product_id, category_id, category_code and brand.

    Raises:
        ConfigurationError: The file can't be read or a column is missing.
    """
    problems: list[str] = []
    lines = csv_lines(path, problems)
    _, header = next(lines, (1, []))
    missing = [name for name in _COLUMNS if name not in header]
    if missing and not problems:
        problems.append(f"{path}:1: the header names no column {', '.join(missing)}; expected {','.join(_COLUMNS)}")
    if problems:
        raise ConfigurationError(*problems)
    items: dict[str, Item] = {}
    for line, fields in lines:
        if len(fields) != len(header):
            problems.append(f"{path}:{line}: {len(fields)} fields where the header names {len(header)}")
            continue
        item = dict(zip(header, fields, strict=True))
        items[item["product_id"]] = Item(item["category_code"] or item["category_id"] or None, item["brand"] or None)
    if problems:
        raise ConfigurationError(*problems)
    return items


def product(product_id: str, item: Item) -> Product | None:
    """The product with a made-up title, as the data has none; None where nothing is known."""
    if item.category is None and item.brand is None:
        return None
    # A code such as furniture.bathroom.bath says something, an id of 19 digits doesn't.
    code = item.category if item.category and not item.category.isdecimal() else None
    kind = code.rsplit(".", 1)[-1].replace("_", " ") if code else None
    if item.brand:
        return Product(title=f"{item.brand.title()} {kind or product_id}", category=item.category)
    return Product(title=kind.capitalize() if kind else None, category=item.category)
