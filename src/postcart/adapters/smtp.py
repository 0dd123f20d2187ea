"""Delivery by SMTP over a bounded pool of connections.

Owns: how many connections there are, and when one is checked, renewed or dropped. Must not: retry a message that a
server may have, or decide what an error means for a job.
"""

import asyncio
import time

from postcart.adapters.smtp_config import SmtpConfig
from postcart.adapters.smtp_connection import Accepted, SmtpConnection
from postcart.errors import ChannelUnavailable

__all__ = ["Accepted", "SmtpConfig", "SmtpSender"]


class SmtpSender:
    """Sends messages, as many at once as there may be connections; more wait for one to become free.

    Belongs to one event loop. Safe to use from many of its tasks.

    Raises:
        ConfigurationError: The file of authorities can't be read.
    """

    def __init__(self, config: SmtpConfig) -> None:
        self._config = config
        self._context = config.tls_context()
        self._slots = asyncio.Semaphore(config.connections)
        self._idle: list[SmtpConnection] = []
        self._closed = False

    async def send(self, envelope_from: str, recipient: str, message: bytes) -> Accepted:
        """Deliver one message to one recipient.

        Args:
            envelope_from: Takes the bounces.
            recipient: One validated address.
            message: With CRLF line ends.

        Raises:
            RecipientRejected: 5xx for the recipient or the message.
            DeliveryDeferred: 4xx for them; with ``retry_after_ms`` where the server says it.
            ChannelUnavailable: No connection, TLS, 421, or a connection lost before the final dot.
            CredentialsRejected: The login is refused.
            DeliveryUncertain: Lost, or silent, after the final dot.
        """
        async with self._slots:
            connection = await self._take()
            try:
                return await connection.deliver(envelope_from, recipient, message)
            except ChannelUnavailable:
                # A connection that died while it was idle says nothing about the server: once more, on a new one.
                if not (connection.lost_early and connection.sent > 1):
                    raise
                connection = await self._opened()
                return await connection.deliver(envelope_from, recipient, message)
            finally:
                await self._give_back(connection)

    async def check(self) -> None:
        """Connect and log in without sending, for ``doctor``. Raises as ``send``."""
        async with self._slots:
            await self._give_back(await self._opened())

    async def close(self) -> None:
        """Leave all idle connections; those in use are left when given back."""
        self._closed = True
        idle, self._idle = self._idle, []
        await asyncio.gather(*(connection.quit() for connection in idle))

    async def _take(self) -> SmtpConnection:
        # The most recently used first: the others grow old and are closed.
        while self._idle:
            connection = self._idle.pop()
            idle_s = time.monotonic() - connection.used_at
            if not connection.is_open:
                continue
            if idle_s > self._config.idle_s:
                await connection.quit()
            elif idle_s <= self._config.check_after_s or await connection.reset():
                return connection
        return await self._opened()

    async def _opened(self) -> SmtpConnection:
        connection = SmtpConnection(self._config, self._context)
        await connection.open()
        return connection

    async def _give_back(self, connection: SmtpConnection) -> None:
        if not connection.is_open:
            return
        if connection.refused and not await connection.reset():
            return
        if self._closed or connection.sent >= self._config.messages_per_connection:
            await connection.quit()
            return
        connection.used_at = time.monotonic()
        self._idle.append(connection)
