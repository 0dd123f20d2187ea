"""One SMTP connection: opened, secured, logged in, one message at a time.

Owns: the dialogue, and the knowledge whether the final dot was written. Must not: retry, pool, or decide.

Only the final dot makes a message the server's. So the text is written and flushed first, and the dot after it, by
itself: whatever breaks before is certainly not accepted, whatever breaks after may be.
"""

import asyncio
import re
import ssl
from collections.abc import Collection
from typing import Any, NamedTuple

import aiosmtplib
from aiosmtplib import (
    SMTPAuthenticationError,
    SMTPDataError,
    SMTPException,
    SMTPResponseException,
    SMTPServerDisconnected,
)
from aiosmtplib.protocol import SMTPProtocol

from postcart.adapters.smtp_answers import (
    CREDENTIALS_HINT,
    TLS_HINT,
    Stage,
    detail_of,
    refusal,
    status_of,
)
from postcart.adapters.smtp_config import SmtpConfig
from postcart.errors import (
    ChannelUnavailable,
    CredentialsRejected,
    DeliveryDeferred,
    DeliveryError,
    DeliveryUncertain,
    RecipientRejected,
)

_QUIT_TIMEOUT_S = 2.0
_START_INPUT = 354
_COMPLETED = range(200, 300)
_OK, _OK_FOR_RECIPIENT = frozenset({250}), frozenset({250, 251})
_UNSAFE = re.compile(r"[\x00-\x20<>\x7f]")
_NOT_SUPPORTED = frozenset({500, 502, 504})


class Accepted(NamedTuple):
    """The server took the message."""

    status: str
    detail: str


class SmtpConnection:
    """A connection to the server. Not to be used by two tasks at once."""

    def __init__(self, config: SmtpConfig, context: ssl.SSLContext | None) -> None:
        self._config = config
        self._client = aiosmtplib.SMTP(
            hostname=config.host,
            port=config.port,
            local_hostname=config.helo,
            timeout=config.timeout_s,
            use_tls=config.tls == "tls",
            start_tls=config.tls == "starttls",
            tls_context=context,
        )
        self.sent = 0
        """Messages that were tried on it."""
        self.used_at = 0.0
        """For the pool: when it was last given back, on the pool's clock."""
        self.lost_early = False
        """The last ``deliver`` found the connection dead before the server had answered anything."""

        self.refused = False
        """The last ``deliver`` was refused: a message may be half done."""

    @property
    def is_open(self) -> bool:
        """Whether it can be used, as far as is known without asking."""
        return self._client.is_connected

    async def open(self) -> None:
        """Connect, secure and log in.

        Raises:
            ChannelUnavailable: The server can't be reached, refuses the session, or TLS fails.
            CredentialsRejected: It refuses the login.
        """
        try:
            await self._client.connect()
            await self._client.ehlo()
            if self._config.username is not None:
                await self._login(self._config.username, self._config.password or "")
        except SMTPAuthenticationError as error:
            self.close()
            raise refusal(error.code, error.message, "auth", self._config.username or "") from None
        except SMTPResponseException as error:
            self.close()
            raise refusal(error.code, error.message, "connect") from None
        except (SMTPException, OSError, TimeoutError) as error:
            self.close()
            raise self._unreachable(error) from error
        except BaseException:
            self.close()
            raise

    async def deliver(self, envelope_from: str, recipient: str, message: bytes) -> Accepted:
        """Send one message.

        Args:
            envelope_from: Takes the bounces; may be empty.
            recipient: One address.
            message: With CRLF line ends, ending in one.

        Raises:
            DeliveryError: One of its classes, see ``smtp_answers`` and the module's docstring.
        """
        self.sent += 1
        self.lost_early = self.refused = False
        stage: Stage = "mail"
        text = _Text(self._client, message, self._config.timeout_s)
        try:
            async with asyncio.timeout(self._config.message_timeout_s):
                size = [f"SIZE={len(message)}".encode()] if self._client.supports_extension("size") else []
                await self._told(_OK, b"MAIL", b"FROM:" + _path(envelope_from), *size)
                stage = "rcpt"
                await self._told(_OK_FOR_RECIPIENT, b"RCPT", b"TO:" + _path(recipient))
                stage = "data"
                answer = await text.send()
            return Accepted(status_of(answer.code, answer.message), detail_of(answer.message, recipient, envelope_from))
        except SMTPResponseException as error:
            raise self._refused(refusal(error.code, error.message, stage, recipient, envelope_from)) from None
        except ValueError:
            raise RecipientRejected("an address can't be written into a command", status="5.1.3") from None
        except (SMTPException, OSError, TimeoutError) as error:
            self.lost_early = stage == "mail" and isinstance(error, ConnectionError)
            self.close()
            raise _broken(error, dotted=text.dotted) from error
        except BaseException:
            self.close()  # cancelled in mid-dialogue: nobody reads the answer any more
            raise

    async def reset(self) -> bool:
        """Ask the server to forget a half-done message. False if it is gone, then the connection is closed."""
        try:
            await self._client.rset()
        except (SMTPException, OSError, TimeoutError):
            self.close()
        return self.is_open

    async def quit(self) -> None:
        """Leave politely."""
        try:
            await self._client.quit(timeout=min(self._config.timeout_s, _QUIT_TIMEOUT_S))
        except (SMTPException, OSError, TimeoutError):
            pass  # it is gone already: as good
        finally:
            self.close()

    def close(self) -> None:
        """Drop the connection."""
        self._client.close()

    def _refused(self, error: DeliveryError) -> DeliveryError:
        # A clear no to this message leaves the dialogue usable after a reset; anything else does not.
        if isinstance(error, RecipientRejected | DeliveryDeferred):
            self.refused = True
        else:
            self.close()
        return error

    async def _told(self, taken: Collection[int], *command: bytes) -> None:
        """Say something about the envelope; the client's own commands parse each address as a header field."""
        answer = await self._client.execute_command(*command)
        if answer.code not in taken:
            raise SMTPResponseException(answer.code, answer.message)

    async def _login(self, username: str, password: str) -> None:
        client = self._client
        methods = {"plain": client.auth_plain, "login": client.auth_login, "cram-md5": client.auth_crammd5}
        offered = [name for name in methods if name in client.server_auth_methods]
        if not offered:
            raise CredentialsRejected(f"the server offers no login that we know; {TLS_HINT}, or {CREDENTIALS_HINT}")
        for name in offered:
            try:
                await methods[name](username, password)
            except SMTPAuthenticationError as error:
                # Only what the server does not support is tried another way: repeated wrong logins lock accounts.
                if error.code not in _NOT_SUPPORTED or name == offered[-1]:
                    raise
            else:
                return

    def _unreachable(self, error: BaseException) -> ChannelUnavailable:
        place = f"{self._config.host}:{self._config.port}"
        cause = error if isinstance(error, ssl.SSLError) else error.__cause__
        if isinstance(cause, ssl.SSLCertVerificationError):
            return ChannelUnavailable(
                f"{place}: its certificate is not trusted ({cause.verify_message}); check POSTCART_SMTP__HOST, or name"
                " the authority's file in POSTCART_SMTP__CA_FILE"
            )
        if isinstance(cause, ssl.SSLError):
            return ChannelUnavailable(f"{place}: TLS fails ({cause.reason or type(cause).__name__}); {TLS_HINT}")
        if "STARTTLS" in str(error):
            return ChannelUnavailable(f"{place}: the server offers no STARTTLS; {TLS_HINT}")
        return ChannelUnavailable(
            f"{place}: can't be reached ({type(cause or error).__name__}); check POSTCART_SMTP__HOST and __PORT"
        )


class _Text:
    """The DATA part of a dialogue."""

    def __init__(self, client: aiosmtplib.SMTP, message: bytes, timeout_s: float) -> None:
        self._client = client
        self._message = message
        self._timeout_s = timeout_s
        self.dotted = False
        """The final dot was handed to the network: from here on the server may have accepted."""

    async def send(self) -> aiosmtplib.SMTPResponse:
        """DATA, the text, the dot; returns the server's word that it accepted.

        Raises:
            SMTPDataError: Another answer, to DATA, within the text, or to the dot.
        """
        answer = await self._client.execute_command(b"DATA")
        if answer.code == _START_INPUT:
            answer = await self._text()
            if answer.code in _COMPLETED:
                return answer
        raise SMTPDataError(answer.code, answer.message)

    async def _text(self) -> aiosmtplib.SMTPResponse:
        protocol, transport = self._client.protocol, self._client.transport
        if protocol is None or not isinstance(transport, asyncio.WriteTransport):
            raise SMTPServerDisconnected("Connection lost")
        # With no room above zero the protocol waits until the operating system has every byte of the text.
        transport.set_write_buffer_limits(high=0)
        reply = asyncio.ensure_future(protocol.read_response(timeout=self._timeout_s))
        try:
            protocol.write(_stuffed(self._message))
            if transport.get_write_buffer_size():
                await self._flushed(protocol, reply)
            if reply.done():
                self._client.close()  # it answered within the text, whatever it would make of the rest
            else:
                protocol.write(b".\r\n")
                self.dotted = True
            return await reply
        finally:
            _forget(reply)

    async def _flushed(self, protocol: SMTPProtocol, reply: "asyncio.Future[aiosmtplib.SMTPResponse]") -> None:
        """Wait until the text is out, or the server answers before it is."""
        # asyncio has this only as StreamWriter.drain, which would close the transport with the writer.
        drained = asyncio.ensure_future(protocol._drain_helper())  # noqa: SLF001
        await asyncio.wait((drained, reply), timeout=self._timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if not drained.done() and not reply.done():
            drained.cancel()
            raise TimeoutError
        _forget(drained)


def _path(address: str) -> bytes:
    """An address as it stands in a command. Raises ValueError for what would end it early, or is not ASCII."""
    if not address.isascii() or _UNSAFE.search(address):
        raise ValueError("an address that can't stand in a command")
    return f"<{address}>".encode("ascii")


def _forget(future: "asyncio.Future[Any]") -> None:
    """Nobody waits for it any more; asyncio would otherwise complain about an error that nobody saw."""
    if future.done():
        _ = None if future.cancelled() else future.exception()
    else:
        future.cancel()


def _stuffed(message: bytes) -> bytes:
    """RFC 5321, 4.5.2: a line that begins with a dot gets another."""
    text = message.replace(b"\r\n.", b"\r\n..")
    return b"." + text if text.startswith(b".") else text


def _broken(error: BaseException, *, dotted: bool) -> DeliveryError:
    what = "no answer in time" if isinstance(error, TimeoutError) else "the connection was lost"
    if dotted:
        return DeliveryUncertain(f"{what} after the whole message was sent")
    return ChannelUnavailable(f"{what} before the message was complete; nothing was accepted")
