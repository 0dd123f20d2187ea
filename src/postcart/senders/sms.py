"""The SMS channel: opens the number, renders, hands over to a provider.

Owns: what a text message is to a sender. Must not: decide when or whether.
"""

import asyncio
from collections.abc import Mapping
from typing import Literal

from postcart.adapters.providers import Accepted, Provider
from postcart.adapters.vault import KeyUnavailable, Vault
from postcart.content.context import Recipient
from postcart.content.phones import zones_of_phone
from postcart.content.sms import OutgoingSms, SmsRenderer
from postcart.events.gate import GatePerson
from postcart.events.jobs import Job


class SmsAdapter:
    """Makes text messages of jobs and sends them.

    Args:
        renderer: From job and recipient to a text message.
        providers: By name; the first is the one of receipts of messages that none was asked about.
        vault: Opens contact points.
    """

    channel: Literal["sms"] = "sms"

    def __init__(self, renderer: SmsRenderer, providers: Mapping[str, Provider[OutgoingSms]], vault: Vault) -> None:
        self._renderer = renderer
        self._providers = providers
        self._vault = vault
        self.provider = next(iter(providers))

    def prepare(self, job: Job, person: GatePerson, wrapped_key: bytes) -> OutgoingSms:
        """The message, as of the job's due time: every attempt says the same.

        Raises:
            KeyUnavailable: The key does not open the contact point.
            RecipientRejected: The number is not valid.
            RenderError: The template fails on this job, or the text is too long.
        """
        number = self._vault.open(wrapped_key, job.person_id, person.contacts["sms"])
        name = self._vault.open(wrapped_key, job.person_id, person.name) if person.name else None
        recipient = Recipient(address=number, name=name, locale=person.locale, time_zone=person.time_zone)
        return self._renderer.render(job, recipient, date_ms=job.due_ms)

    def zones(self, person: GatePerson, wrapped_key: bytes) -> tuple[str, ...]:
        """Every time zone in which the number may be: marketing must be allowed in all of them."""
        try:
            return zones_of_phone(self._vault.open(wrapped_key, person.person_id, person.contacts["sms"]))
        except (KeyUnavailable, KeyError):
            return ()  # the claim will find out

    async def send(self, message: OutgoingSms, provider: str) -> Accepted:
        """Hand over to a provider. Raises as it does."""
        return await self._providers[provider].send(message)

    async def close(self) -> None:
        """Leave all providers."""
        await asyncio.gather(*(provider.close() for provider in self._providers.values()))
