"""An SMTP server as a provider of email.

Owns: handing a mail's parts to the pool. Must not: know SMTP (adapters.smtp does).
"""

from postcart.adapters.providers import Accepted
from postcart.adapters.smtp import SmtpSender
from postcart.content.email import OutgoingEmail


class SmtpProvider:
    """One server.

    Args:
        server: Its pool of connections.
    """

    def __init__(self, server: SmtpSender) -> None:
        self._server = server

    async def send(self, message: OutgoingEmail) -> Accepted:
        """Hand over one mail. Raises as ``SmtpSender.send``."""
        accepted = await self._server.send(message.envelope_from, message.recipient, message.data)
        return Accepted(accepted.status, accepted.detail)

    async def close(self) -> None:
        """Leave the server."""
        await self._server.close()
