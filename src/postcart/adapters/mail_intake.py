"""Takes mails in over SMTP or LMTP, one recipient each, and answers only when they are dealt with.

Owns: the listener, its bounds of size, connections and time. Must not: know what mails mean: it asks ``accepts`` before
it takes one, and hands it to ``take``.

aiosmtpd speaks the protocol; the text is read here, as its own loop keeps an endless line in memory.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

import structlog
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP

from postcart.errors import ConfigurationError, PostcartError

log = structlog.get_logger(__name__)

_CHUNK: Final = 65_536
_STOP_S: Final = 30.0
_SESSION_TIMEOUTS: Final = 10
"""A session may last so many time-outs, whatever it does."""

Refused = Literal["unknown_recipient", "too_large", "too_many_connections", "not_now"]


@dataclass(frozen=True, kw_only=True)
class IntakeOptions:
    """Where and how it listens.

    Attributes:
        protocol: LMTP is for the mail server beside it, SMTP for everybody.
        max_bytes: Of a mail; what is larger is refused.
        connections: At a time; more are told to come back.
        timeout_s: For each step of the conversation, the text included.
    """

    host: str
    port: int
    protocol: Literal["smtp", "lmtp"] = "smtp"
    max_bytes: int = 5_000_000
    connections: int = 50
    timeout_s: float = 120.0


@dataclass(frozen=True, kw_only=True)
class IntakeHandler:
    """What the listener asks.

    Attributes:
        accepts: Whether mail to this address is taken.
        take: Deals with a mail to this recipient. Once it returns the mail is taken; a retryable error says "later".
        refused: Told of each refusal, for counting.
    """

    accepts: Callable[[str], bool]
    take: Callable[[str, bytes], Awaitable[None]]
    refused: Callable[[Refused], None]


class MailIntake:
    """The listener. Belongs to the event loop that starts it."""

    def __init__(self, options: IntakeOptions, handler: IntakeHandler) -> None:
        self._options = options
        self._handler = handler
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Transport] = set()
        self._empty = asyncio.Event()
        self.port = options.port

    async def start(self) -> None:
        """Listen.

        Raises:
            ConfigurationError: The port is taken or not allowed.
        """
        options = self._options
        loop = asyncio.get_running_loop()
        self._empty.set()
        try:
            self._server = await loop.create_server(self._connection, options.host, options.port)
        except OSError as error:
            raise ConfigurationError(
                f"POSTCART_FEEDBACK__PORT={options.port}: mail can't be taken in there ({error}); choose another port"
            ) from error
        self.port = self._server.sockets[0].getsockname()[1]
        log.info("taking mail in", port=self.port, protocol=options.protocol)

    async def stop(self) -> None:
        """Stop listening; mails whose text has come are dealt with, other connections end."""
        if self._server is None:
            return
        self._server.close()
        for transport in list(self._open):
            protocol = transport.get_protocol()
            if not (isinstance(protocol, _Session) and protocol.busy):
                transport.abort()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOP_S):
                await self._empty.wait()
        for transport in list(self._open):
            transport.abort()
        await self._empty.wait()
        await self._server.wait_closed()
        self._server = None

    def joined(self, transport: asyncio.Transport) -> bool:
        """A connection is there; whether it may stay."""
        if len(self._open) >= self._options.connections:
            self._handler.refused("too_many_connections")
            return False
        self._open.add(transport)
        self._empty.clear()
        return True

    def left(self, transport: asyncio.Transport) -> None:
        """A connection is gone."""
        self._open.discard(transport)
        if not self._open:
            self._empty.set()

    @property
    def stopping(self) -> bool:
        """Whether it takes no new mails."""
        return self._server is None or not self._server.is_serving()

    def _connection(self) -> asyncio.Protocol:
        kind = _LmtpSession if self._options.protocol == "lmtp" else _SmtpSession
        return kind(self, self._options, self._handler)


class _Session(SMTP):
    """One conversation."""

    def __init__(self, intake: MailIntake, options: IntakeOptions, handler: IntakeHandler) -> None:
        self._intake = intake
        self._options = options
        self._asked = handler
        self._mine: asyncio.Transport | None = None
        self._life: asyncio.TimerHandle | None = None
        self.busy = False
        super().__init__(
            self,
            data_size_limit=options.max_bytes,
            hostname="localhost",
            ident="postcart",
            timeout=options.timeout_s,
            loop=asyncio.get_running_loop(),
        )

    def connection_made(self, transport: Any) -> None:
        """Take the connection in, or send it away."""
        if not self._intake.joined(transport):
            transport.write(b"421 4.3.2 too many connections, come back later\r\n")
            transport.close()
            return
        self._mine = transport
        self._life = self.loop.call_later(_SESSION_TIMEOUTS * self._options.timeout_s, transport.abort)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Forget it."""
        if self._mine is None:
            return
        self._intake.left(self._mine)
        if self._life is not None:
            self._life.cancel()
        super().connection_lost(error)

    def data_received(self, data: bytes) -> None:
        """Pass on, unless the connection was sent away."""
        if self._mine is not None:
            super().data_received(data)

    def eof_received(self) -> bool | None:
        """The same."""
        return super().eof_received() if self._mine is not None else None

    async def handle_MAIL(self, _server: Any, _session: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802 -- aiosmtpd's name
        """Any sender: that of a bounce is empty."""
        if self._intake.stopping:
            return "421 4.3.2 going down"
        envelope.mail_from = address or "<>"
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802 -- aiosmtpd's name
        """One recipient, who is one of ours."""
        if envelope.rcpt_tos:
            return "452 4.5.3 one recipient at a time"
        if not self._asked.accepts(address):
            self._asked.refused("unknown_recipient")
            return "550 5.1.1 no such address here"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 -- aiosmtpd's name
        """The text, and what became of it."""
        if arg or self.envelope is None or not self.envelope.rcpt_tos:
            await self.push("503 5.5.1 need RCPT first")
            return
        recipient = self.envelope.rcpt_tos[0]
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        text = await self._text()
        if text is None:
            self._asked.refused("too_large")
            await self.push("552 5.3.4 too much mail data")
        else:
            self.busy = True
            await self.push(await self._taken(recipient, text))
            self.busy = False
        self._set_post_data_state()  # type: ignore[no-untyped-call]  # aiosmtpd annotates only a part
        if self._intake.stopping and self._mine is not None:
            self._mine.close()

    async def handle_exception(self, error: Exception) -> str:
        """A bug: the mail is not taken, the sender keeps it, and the log has the whole story."""
        log.error("mail intake failed", error=type(error).__name__, exc_info=error)
        return "451 4.3.0 internal trouble"

    async def _taken(self, recipient: str, text: bytes) -> str:
        try:
            await self._asked.take(recipient, text)
        except PostcartError as error:
            if not error.retryable:
                raise
            self._asked.refused("not_now")
            return "451 4.3.0 not now, please try again"
        return "250 2.0.0 taken in"

    async def _text(self) -> bytes | None:
        """What comes up to the dot, unstuffed; None if it is too large. Never more than the bound is kept."""
        text = bytearray(b"\r\n")
        searched, whole = 0, True
        while (end := text.find(b"\r\n.\r\n", searched)) < 0:
            searched = max(0, len(text) - 4)
            chunk = await self._reader.read(_CHUNK)
            if not chunk:
                raise ConnectionResetError("the connection ended within a mail")
            text += chunk
            if len(text) > self._options.max_bytes:
                searched, whole = 0, False
                del text[:-4]
        return bytes(text[2 : end + 2].replace(b"\r\n..", b"\r\n.")) if whole else None


class _SmtpSession(_Session):
    """For everybody."""


class _LmtpSession(LMTP, _Session):
    """For the mail server beside it: one recipient, so one answer to the text (RFC 2033)."""
