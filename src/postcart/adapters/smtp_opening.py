"""How a session with an SMTP server begins: connected, secured, logged in.

Owns: what a failure on that way means, and which setting it names. Must not: send.
"""

import asyncio
import ssl

import aiosmtplib
from aiosmtplib import SMTPAuthenticationError, SMTPException, SMTPResponseException

from postcart.adapters.smtp_answers import CREDENTIALS_HINT, TLS_HINT, refusal
from postcart.adapters.smtp_config import SmtpConfig
from postcart.adapters.smtp_dialogue import Dialogue
from postcart.errors import ChannelUnavailable, CredentialsRejected

_EXTENSIONS = ("size", "pipelining")
_NOT_SUPPORTED = frozenset({500, 502, 504})


async def open_dialogue(config: SmtpConfig, context: ssl.SSLContext | None) -> tuple[Dialogue, frozenset[str]]:
    """A dialogue that is ready for mail, and what the server offers of ``size`` and ``pipelining``.

    Raises:
        ChannelUnavailable: The server can't be reached, refuses the session, or TLS fails.
        CredentialsRejected: It refuses the login.
    """
    client = aiosmtplib.SMTP(
        hostname=config.host,
        port=config.port,
        local_hostname=config.helo,
        timeout=config.timeout_s,
        use_tls=config.tls == "tls",
        start_tls=config.tls == "starttls",
        tls_context=context,
    )
    try:
        await client.connect()
        await client.ehlo()
        if config.username is not None:
            await _login(client, config.username, config.password or "")
        return _taken_over(client), frozenset(filter(client.supports_extension, _EXTENSIONS))
    except SMTPAuthenticationError as error:
        client.close()
        raise refusal(error.code, error.message, "auth", config.username or "") from None
    except SMTPResponseException as error:
        client.close()
        raise refusal(error.code, error.message, "connect") from None
    except (SMTPException, OSError, TimeoutError) as error:
        client.close()
        raise _unreachable(error, config) from error
    except BaseException:
        client.close()
        raise


def _taken_over(client: aiosmtplib.SMTP) -> Dialogue:
    if not isinstance(client.transport, asyncio.Transport):
        raise ConnectionResetError("connection lost")
    return Dialogue(client.transport)


async def _login(client: aiosmtplib.SMTP, username: str, password: str) -> None:
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


def _unreachable(error: BaseException, config: SmtpConfig) -> ChannelUnavailable:
    place = f"{config.host}:{config.port}"
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
