"""One connection to the mail sink, and how it may be told to behave.

Owns: the SMTP dialogue (aiosmtpd's) with a script's answers in between. Must not: keep mails (``mail_sink`` does).
"""

import asyncio
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

Stage = Literal["auth", "mail", "rcpt", "data", "accept"]
"""Where a script may answer: ``data`` is before 354, ``accept`` after the final dot. ``auth`` can't drop."""

_LARGEST_BYTES = 32 * 1024 * 1024
_MESSAGE_ID = re.compile(rb"^Message-ID:\s*(\S+)", re.IGNORECASE | re.MULTILINE)


class Drop(NamedTuple):
    """A scripted answer: cut the connection. After the final dot, ``kept`` says whether the mail was taken first."""

    kept: bool = False


class Late(NamedTuple):
    """A scripted answer to the final dot: the mail is taken at once, but the yes comes only after so many seconds."""

    seconds: float


Script = Callable[[Stage, str], "str | Drop | Late | None"]
"""Given the stage and the address (for ``accept`` the Message-ID): an answer line, Drop, Late, or None for yes."""


@dataclass(frozen=True, kw_only=True)
class SinkOptions:
    """How the server behaves.

    Attributes:
        folder: Where mails and ledger go; None keeps them in memory only.
        tls: Offers STARTTLS with this context; ``require_tls`` refuses mail without.
        implicit_tls: Speaks TLS from the first byte, with ``tls``.
        credentials: User and password that are asked for; None asks for none.
        pipelining: Offers that commands come together (RFC 2920).
        script: Answers in place of the server.
        delay_s: How long each message is thought about before it is accepted; others go on meanwhile.
    """

    folder: Path | None = None
    host: str = "127.0.0.1"
    port: int = 0
    tls: ssl.SSLContext | None = None
    require_tls: bool = False
    implicit_tls: bool = False
    credentials: tuple[str, str] | None = None
    pipelining: bool = True
    script: Script | None = None
    delay_s: float = 0.0


class Ledger(Protocol):
    """Who keeps what connections bring."""

    def keep(self, envelope_from: str, recipients: list[str], data: bytes) -> None:
        """Write a message down before it is accepted."""

    def joined(self, protocol: "SinkProtocol") -> None:
        """A connection was opened."""

    def left(self, protocol: "SinkProtocol") -> None:
        """A connection is gone."""


def message_id_of(data: bytes) -> str:
    """The Message-ID of a message, empty if it has none."""
    found = _MESSAGE_ID.search(data.partition(b"\r\n\r\n")[0])
    return found[1].decode("ascii", "replace") if found else ""


class SinkProtocol(SMTP):
    """One connection: aiosmtpd's protocol with the script's answers in between."""

    def __init__(self, sink: Ledger, options: SinkOptions, loop: asyncio.AbstractEventLoop) -> None:
        self._sink = sink
        self._options = options
        super().__init__(
            self,
            hostname="localhost",
            ident="postcart mail sink",
            data_size_limit=_LARGEST_BYTES,
            tls_context=None if options.implicit_tls else options.tls,
            require_starttls=options.require_tls,
            authenticator=self._check_login,
            auth_require_tls=options.tls is not None and not options.implicit_tls,
            loop=loop,
        )

    def connection_made(self, transport: Any) -> None:
        """Count it."""
        self._sink.joined(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Forget it."""
        self._sink.left(self)
        super().connection_lost(error)

    def cut(self) -> None:
        """End the connection without a word."""
        transport = self.transport
        # Python before 3.11.4 fails to abort a TLS transport that is closed already.
        if isinstance(transport, asyncio.WriteTransport) and not transport.is_closing():
            transport.abort()

    async def handle_EHLO(  # noqa: N802 -- aiosmtpd's name
        self, _server: Any, session: Any, _envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        """What the server can do."""
        session.host_name = hostname
        return [*responses[:-1], "250-PIPELINING", responses[-1]] if self._options.pipelining else responses

    async def handle_MAIL(self, _server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802 -- aiosmtpd's name
        """The answer to MAIL FROM."""
        if self._options.credentials and not session.authenticated:
            return "530 5.7.0 Authentication required"
        answer = await self._scripted("mail", address) or "250 2.1.0 OK"
        if answer.startswith("250"):
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return answer

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802 -- aiosmtpd's name
        """The answer to RCPT TO."""
        answer = await self._scripted("rcpt", address) or "250 2.1.5 OK"
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
            envelope.rcpt_options.extend(options)
        return answer

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 -- aiosmtpd's name
        """The answer to DATA, the text, and the answer to its dot."""
        refused = await self._scripted("data", "")
        if refused is None and (arg or self.envelope is None or not self.envelope.rcpt_tos):
            refused = "503 5.5.1 Error: need RCPT command"
        if refused is not None:
            await self.push(refused)
            return
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        text = await self._text()
        if text is None:
            await self.push("552 5.3.4 Error: too much mail data")
        else:
            await self.push(await self._judge(self.envelope, text))
        self._set_post_data_state()  # type: ignore[no-untyped-call]  # aiosmtpd annotates only a part

    async def _text(self) -> bytes | None:
        """What comes up to the dot, unstuffed; None if it is too large. aiosmtpd's own loop over lines is slow."""
        text = bytearray(b"\r\n")
        searched, whole = 0, True
        while (end := text.find(b"\r\n.\r\n", searched)) < 0:
            searched = max(0, len(text) - 4)
            chunk = await self._reader.read(65_536)
            if not chunk:
                await self._hang_up()
            text += chunk
            if len(text) > _LARGEST_BYTES:
                searched, whole = 0, False
                del text[:-4]
        return bytes(text[2 : end + 2].replace(b"\r\n..", b"\r\n.")) if whole else None

    async def _judge(self, envelope: Any, data: bytes) -> str:
        script = self._options.script
        said = script("accept", message_id_of(data)) if script else None
        if self._options.delay_s:
            await asyncio.sleep(self._options.delay_s)
        if said is None or isinstance(said, Late) or (isinstance(said, Drop) and said.kept):
            self._sink.keep(envelope.mail_from or "", list(envelope.rcpt_tos), data)
        if isinstance(said, Late):
            await asyncio.sleep(said.seconds)
        if isinstance(said, Drop):
            await self._hang_up()
        return said if isinstance(said, str) else "250 2.0.0 kept"

    async def _scripted(self, stage: Stage, address: str) -> str | None:
        said = self._options.script(stage, address) if self._options.script else None
        if isinstance(said, Drop):
            await self._hang_up()
        return said if isinstance(said, str) else None

    async def _hang_up(self) -> None:
        self.cut()
        # The end of the connection cancels this task.
        await asyncio.Event().wait()

    def _check_login(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        said = self._options.script("auth", "") if self._options.script else None
        if isinstance(said, str):
            return AuthResult(success=False, handled=False, message=said)
        if self._options.credentials is None or not isinstance(data, LoginPassword):
            return AuthResult(success=True)
        given = (data.login.decode(errors="replace"), data.password.decode(errors="replace"))
        return AuthResult(success=given == self._options.credentials, handled=False)
