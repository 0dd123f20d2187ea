"""What a template can say: the variables of a message, as plain dicts.

Owns: the shop's identity, and the path from a job and a recipient to the context. Must not: format anything (the
filters do), or hand an object with behaviour to a template.

The names are those of ``template_errors.CONTEXT_NAMES``; docs for marketers are generated from ``sample``.
"""

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from postcart.content.formats import local
from postcart.content.urls import web_url
from postcart.errors import RenderError
from postcart.events.jobs import Job
from postcart.events.shop import Product
from postcart.events.signals import LineState

# Line breaks, control characters and directional overrides, as they might come from a shop's free-text fields. Marks
# that scripts need (joiners, isolates) stay.
_BREAKING = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028-\u202e]+")

_UNKNOWN = Product()
_LONGEST_TEXT = 120
"""Characters of a name, title or option: shops' fields hold thousands, and providers clip a mail at 102 kB."""


@dataclass(frozen=True, kw_only=True)
class ShopIdentity:
    """Who sends: what law and mailbox providers want to see in every message.

    Attributes:
        name: Shown as the sender and in the text.
        from_address: The From address; its domain is that of Message-ID.
        postal_address: Lines of the address by which the shop can be reached (CAN-SPAM).
        base_url: The shop's home page; ``cart_url``: where the button leads.
        currency: Of carts that name none (ISO 4217).
        locale: The shop's own language.
        time_zone: For recipients of whom none is known.
        accent: Colour of the button, ``#rrggbb``; must contrast with white text.
    """

    name: str
    from_address: str
    postal_address: tuple[str, ...]
    base_url: str
    cart_url: str
    reply_to: str | None = None
    country: str | None = None
    currency: str = "USD"
    locale: str = "en"
    time_zone: str = "UTC"
    accent: str = "#0f62fe"
    logo_url: str | None = None

    @property
    def domain(self) -> str:
        """The domain of the From address."""
        return self.from_address.rpartition("@")[2]


@dataclass(frozen=True)
class Recipient:
    """Who gets the message. ``locale`` is a BCP 47 tag, ``time_zone`` an IANA name."""

    address: str = field(repr=False)
    name: str | None = field(default=None, repr=False)
    locale: str | None = None
    time_zone: str | None = None


def build_context(
    job: Job,
    recipient: Recipient,
    shop: ShopIdentity,
    *,
    date_ms: int,
    unsubscribe_url: str | None,
) -> dict[str, Any]:
    """The context of a job's message.

    Raises:
        RenderError: The job has no line to show.
    """
    currency = job.currency or next((line.currency for line in job.lines if line.currency), None) or shop.currency
    lines = [_line(line) for line in job.lines if line.quantity > 0]
    if not lines:
        raise RenderError("the job has no line to show")
    zone = recipient.time_zone
    total = job.value if job.value is not None else sum((line["total"] for line in lines), Decimal(0))
    return {
        "message": {
            "id": job.job_id,
            "step": job.step,
            "template": job.template,
            "campaign": job.campaign,
            "purpose": job.purpose,
        },
        "shop": shop_variables(shop),
        "recipient": {"name": one_line(recipient.name or "")},
        "cart": {
            "lines": lines,
            "pieces": sum(line["quantity"] for line in lines),
            "currency": currency,
            "total": total,
            "left_on": local(job.armed_ms, zone, shop.time_zone),
        },
        "incentive": _incentive(job, until_ms=date_ms, zone=zone, shop=shop),
        "unsubscribe_url": unsubscribe_url,
    }


def shop_variables(shop: ShopIdentity) -> dict[str, Any]:
    """What every template can say of the shop."""
    return {
        "name": shop.name,
        "url": shop.base_url,
        "cart_url": shop.cart_url,
        "address": list(shop.postal_address),
        "email": shop.reply_to or shop.from_address,
        "accent": shop.accent,
        "logo_url": web_url(shop.logo_url),
    }


def _line(line: LineState) -> dict[str, Any]:
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


def _incentive(job: Job, *, until_ms: int, zone: str | None, shop: ShopIdentity) -> dict[str, Any] | None:
    offer = job.incentive
    if offer is None:
        return None
    return {
        "kind": offer.kind,
        "value": offer.value,
        "currency": offer.currency or job.currency or shop.currency,
        "code": offer.code,
        "until": local(until_ms + offer.valid_ms, zone, shop.time_zone),
    }


def one_line(text: str) -> str:
    """``text`` with every run of white space, line breaks and control characters made one space, cut at 120."""
    line = _BREAKING.sub(" ", text).strip()
    return line if len(line) <= _LONGEST_TEXT else line[: _LONGEST_TEXT - 1].rstrip() + "…"
