"""From a job to the body of a webhook.

Owns: its fields, which receivers rely on: they are added to, never renamed (docs/channels.md). Must not: hold a contact
point, or send.
"""

from dataclasses import dataclass, field
from typing import Any

import msgspec

from postcart.content.context import ShopIdentity
from postcart.events.jobs import Job, Purpose
from postcart.events.times import iso

_encode = msgspec.json.Encoder(decimal_format="string").encode


@dataclass(frozen=True, kw_only=True)
class OutgoingWebhook:
    """A webhook, but for its signature, which is of the moment when it goes out."""

    message_id: str
    purpose: Purpose
    body: bytes = field(repr=False)


def render_webhook(job: Job, shop: ShopIdentity) -> OutgoingWebhook:
    """The webhook of ``job``; its id is the job's, the same in every attempt. The same job gives the same bytes."""
    incentive = job.incentive
    data: dict[str, Any] = {
        "person_id": job.person_id,
        "purpose": job.purpose,
        "campaign": job.campaign,
        "campaign_version": job.campaign_version,
        "journey": job.journey,
        "episode_id": job.episode_id,
        "step": job.step,
        "armed_at": iso(job.armed_ms),
        "not_after": iso(job.not_after_ms),
        "cart": {
            "lines": [
                {
                    "variant_id": line.variant_id,
                    "quantity": line.quantity,
                    "unit_price": line.unit_price,
                    "title": line.product.title if line.product else None,
                    "page_url": line.product.page_url if line.product else None,
                }
                for line in job.lines
            ],
            "value": job.value,
            "currency": job.currency or shop.currency,
            "url": shop.cart_url,
        },
        "incentive": None
        if incentive is None
        else {
            "kind": incentive.kind,
            "value": incentive.value,
            "currency": incentive.currency,
            "code": incentive.code,
        },
    }
    event = {"type": job.template.replace("-", "_"), "timestamp": iso(job.due_ms), "data": data}
    return OutgoingWebhook(message_id=job.job_id, purpose=job.purpose, body=_encode(event))
