"""What a template can say: the variables of a message, as plain dicts.

Owns: the path from a job and a recipient to the context. Must not: format anything (the
filters do), or hand an object with behaviour to a template.

The names are those of ``template_errors.CONTEXT_NAMES``; docs for marketers are generated from ``sample``.
"""

from decimal import Decimal
from typing import Any

from postcart.content.formats import local
from postcart.content.identity import Recipient as Recipient  # noqa: PLC0414 -- read as part of this module
from postcart.content.identity import ShopIdentity as ShopIdentity  # noqa: PLC0414 -- the same
from postcart.content.parcel_context import order_context, parcel_context
from postcart.content.shown import one_line as one_line  # noqa: PLC0414 -- the same
from postcart.content.shown import shown_line
from postcart.content.urls import web_url
from postcart.errors import RenderError
from postcart.events.jobs import Job


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
        RenderError: The job is about a cart and has no line to show.
    """
    zone = recipient.time_zone
    return {
        "message": {
            "id": job.job_id,
            "step": job.step,
            "template": job.template,
            "campaign": job.campaign,
            "purpose": job.purpose,
            "occasion": job.journey,
        },
        "shop": shop_variables(shop),
        "recipient": {"name": one_line(recipient.name or "")},
        "cart": _cart(job, zone, shop) if job.order is None and job.parcel is None else None,
        "order": order_context(job.order, zone, shop) if job.order else None,
        "parcel": parcel_context(job.parcel, zone, shop) if job.parcel else None,
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


def _cart(job: Job, zone: str | None, shop: ShopIdentity) -> dict[str, Any]:
    lines = [shown_line(line) for line in job.lines if line.quantity > 0]
    if not lines:
        raise RenderError("the job has no line to show")
    return {
        "lines": lines,
        "more": 0,
        "pieces": sum(line["quantity"] for line in lines),
        "currency": job.currency or next((line.currency for line in job.lines if line.currency), None) or shop.currency,
        "total": job.value if job.value is not None else sum((line["total"] for line in lines), Decimal(0)),
        "left_on": local(job.armed_ms, zone, shop.time_zone),
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
