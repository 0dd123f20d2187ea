"""The in-app channel: renders, seals for the person, hands over to the feed.

Owns: what an item is to a sender. Must not: decide when or whether.
"""

from typing import Literal

import msgspec

from postcart.adapters.providers import Accepted, Provider
from postcart.adapters.vault import Vault
from postcart.content.context import Recipient
from postcart.content.inapp import InAppRenderer
from postcart.events.feed import FeedItem
from postcart.events.gate import GatePerson
from postcart.events.jobs import Job


class InAppAdapter:
    """Makes items of jobs and hands them over.

    Args:
        renderer: From job and recipient to what is said.
        provider: The feed.
        vault: Seals it.
        name: Of the feed, for receipts and metrics.
    """

    channel: Literal["inapp"] = "inapp"

    def __init__(
        self, renderer: InAppRenderer, provider: Provider[FeedItem], vault: Vault, *, name: str = "feed"
    ) -> None:
        self._renderer = renderer
        self._feed = provider
        self._vault = vault
        self.provider = name

    def prepare(self, job: Job, person: GatePerson, wrapped_key: bytes) -> FeedItem:
        """The item, as of the job's due time: every attempt says the same.

        Raises:
            KeyUnavailable: The key is another person's.
            RenderError: The template fails on this job, or says too much.
        """
        name = self._vault.open(wrapped_key, job.person_id, person.name) if person.name else None
        recipient = Recipient(address="", name=name, locale=person.locale, time_zone=person.time_zone)
        content = msgspec.json.encode(self._renderer.render(job, recipient, date_ms=job.due_ms))
        return FeedItem(
            item_id=job.job_id,
            person_id=job.person_id,
            at_ms=job.due_ms,
            kind=job.template,
            purpose=job.purpose,
            sealed=self._vault.seal(wrapped_key, job.person_id, content.decode()),
        )

    async def send(self, message: FeedItem, provider: str) -> Accepted:
        """Hand over. Raises as the feed does."""
        del provider  # there is one
        return await self._feed.send(message)

    async def close(self) -> None:
        """Wait for what is under way."""
        await self._feed.close()
