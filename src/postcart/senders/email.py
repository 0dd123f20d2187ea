"""The email channel: opens the contact point, renders, hands over to SMTP.

Owns: what email is to a sender. Must not: decide when or whether.
"""

import asyncio
from collections.abc import Mapping
from typing import Literal

from postcart.adapters.providers import Accepted, Provider
from postcart.adapters.vault import Vault
from postcart.content.email import EmailRenderer, OutgoingEmail, Recipient
from postcart.events.gate import GatePerson
from postcart.events.jobs import Job


class EmailAdapter:
    """Makes mails of jobs and sends them.

    Args:
        renderer: From job and recipient to a signed mail.
        servers: By name; the first is the one of receipts of mails that none was asked about.
        vault: Opens contact points.
    """

    channel: Literal["email"] = "email"

    def __init__(self, renderer: EmailRenderer, servers: Mapping[str, Provider[OutgoingEmail]], vault: Vault) -> None:
        self._renderer = renderer
        self._servers = servers
        self._vault = vault
        self.provider = next(iter(servers))

    def prepare(self, job: Job, person: GatePerson, wrapped_key: bytes) -> OutgoingEmail:
        """The signed mail. Its date is the job's due time, so that every attempt has the same bytes.

        Raises:
            KeyUnavailable: The key does not open the contact point.
            RecipientRejected: The address is not one valid address.
            RenderError: The template fails on this job.
        """
        address = self._vault.open(wrapped_key, job.person_id, person.contacts["email"])
        name = self._vault.open(wrapped_key, job.person_id, person.name) if person.name else None
        recipient = Recipient(address=address, name=name, locale=person.locale, time_zone=person.time_zone)
        return self._renderer.render(job, recipient, date_ms=job.due_ms)

    async def send(self, message: OutgoingEmail, provider: str) -> Accepted:
        """Hand over to a server. Raises as ``SmtpSender.send``."""
        return await self._servers[provider].send(message)

    async def close(self) -> None:
        """Leave all servers."""
        await asyncio.gather(*(server.close() for server in self._servers.values()))
