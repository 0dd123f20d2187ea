"""The email channel: opens the contact point, renders, hands over to SMTP.

Owns: what email is to a sender. Must not: decide when or whether.
"""

from typing import Literal

from postcart.adapters.smtp import SmtpSender
from postcart.adapters.vault import Vault
from postcart.content.email import EmailRenderer, OutgoingEmail, Recipient
from postcart.events.jobs import GatePerson, Job
from postcart.senders.provider import Accepted


class EmailAdapter:
    """Makes mails of jobs and sends them.

    Args:
        renderer: From job and recipient to a signed mail.
        smtp: The server.
        vault: Opens contact points.
        provider: Name for receipts and metrics.
    """

    channel: Literal["email"] = "email"

    def __init__(self, renderer: EmailRenderer, smtp: SmtpSender, vault: Vault, *, provider: str = "smtp") -> None:
        self._renderer = renderer
        self._smtp = smtp
        self._vault = vault
        self.provider = provider

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

    async def send(self, message: OutgoingEmail) -> Accepted:
        """Hand over to the server. Raises as ``SmtpSender.send``."""
        accepted = await self._smtp.send(message.envelope_from, message.recipient, message.data)
        return Accepted(accepted.status, accepted.detail)

    async def close(self) -> None:
        """Leave the server."""
        await self._smtp.close()
