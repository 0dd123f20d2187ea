"""What a message shows of goods and of texts that a shop or a carrier wrote.

Owns: making them plain, short and harmless. Must not: format money or dates (the filters do).
"""

import re
from typing import Any

from postcart.content.urls import web_url
from postcart.events.shop import CartLine, Product
from postcart.events.signals import LineState

# Line breaks, control characters and directional overrides, as they might come from a shop's free-text fields. Marks
# that scripts need (joiners, isolates) stay.
_BREAKING = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028-\u202e]+")

_UNKNOWN = Product()
_LONGEST_TEXT = 120
"""Characters of a name, title or option: shops' fields hold thousands, and providers clip a mail at 102 kB."""


def shown_line(line: LineState | CartLine) -> dict[str, Any]:
    """A line of a cart or an order, as templates have it."""
    product = line.product or _UNKNOWN
    title = one_line(product.title or "")
    return {
        "id": line.variant_id,
        "title": title,
        "quantity": line.quantity,
        "options": one_line(product.options or ""),
        "unit_price": line.unit_price,
        "total": line.unit_price * line.quantity,
        "picture_url": web_url(product.picture_url),
        "page_url": web_url(product.page_url),
        "initial": (title or line.variant_id)[:1].upper(),
    }


def one_line(text: str) -> str:
    """``text`` with every run of white space, line breaks and control characters made one space, cut at 120."""
    line = _BREAKING.sub(" ", text).strip()
    return line if len(line) <= _LONGEST_TEXT else line[: _LONGEST_TEXT - 1].rstrip() + "…"
