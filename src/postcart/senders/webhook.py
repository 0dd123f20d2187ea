"""The webhook channel: one endpoint of the installation, and the schedule of its attempts.

Owns: what a webhook is to a sender. Must not: decide when or whether.
"""

from typing import Final, Literal

from postcart.adapters.providers import Accepted, Provider
from postcart.content.context import ShopIdentity
from postcart.content.webhook import OutgoingWebhook, render_webhook
from postcart.domain.jitter import jittered_ms
from postcart.events.gate import GatePerson
from postcart.events.jobs import Job
from postcart.events.times import DAY_MS, HOUR_MS
from postcart.senders.backoff import Retries

_AFTER_MS: Final = (
    5_000,
    300_000,
    1_800_000,
    2 * HOUR_MS,
    5 * HOUR_MS,
    10 * HOUR_MS,
    14 * HOUR_MS,
    20 * HOUR_MS,
    24 * HOUR_MS,
)
"""How long after the failure of each attempt the next one follows (Standard Webhooks, "Deliverability and reliability";
delivery rules, "Webhooks out")."""

_JITTER: Final = 0.2
_DISABLED_AFTER_S: Final = 5 * DAY_MS / 1_000


def webhook_wait_ms(job_id: str, attempt: int) -> int | None:
    """How long after attempt ``attempt`` (from 1) the next one follows; None after the tenth."""
    if attempt > len(_AFTER_MS):
        return None
    return jittered_ms(_AFTER_MS[attempt - 1], job_id, attempt, share=_JITTER)


RETRIES: Final = Retries(wait_ms=webhook_wait_ms, block_s=_DISABLED_AFTER_S, endpoint_s=_DISABLED_AFTER_S)
"""An endpoint that has taken nothing for 5 days counts as gone; so does a job of that age."""


class WebhookAdapter:
    """Makes webhooks of jobs and sends them.

    Args:
        shop: Who sends.
        provider: The endpoint.
        name: Of it, for receipts and metrics.
    """

    channel: Literal["webhook"] = "webhook"

    def __init__(self, shop: ShopIdentity, provider: Provider[OutgoingWebhook], *, name: str = "endpoint") -> None:
        self._shop = shop
        self._endpoint = provider
        self.provider = name

    def prepare(self, job: Job, person: GatePerson, wrapped_key: bytes) -> OutgoingWebhook:
        """The body; it holds no contact point, so nothing is opened."""
        del person, wrapped_key
        return render_webhook(job, self._shop)

    async def send(self, message: OutgoingWebhook, provider: str) -> Accepted:
        """Make one attempt. Raises as the endpoint does."""
        del provider  # there is one
        return await self._endpoint.send(message)

    async def close(self) -> None:
        """Leave the endpoint."""
        await self._endpoint.close()
