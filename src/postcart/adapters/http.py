"""HTTP towards providers: pooled, bounded in time and size, and honest about what a failure means.

Owns: httpx, which nothing else imports. Must not: know a provider, follow a redirect, or try anything again.

What matters to a sender is whether a request may have arrived. httpcore tells when it begins to write one: before that
it was certainly not sent (``ChannelUnavailable``), from then on it may have been taken (``DeliveryUncertain``). Once a
status has come, the answer counts, whatever becomes of its body.
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
import msgspec

from postcart.errors import ChannelUnavailable, ConfigurationError, DeliveryUncertain
from postcart.events.times import to_ms

_WRITING: Final = ("http11.send_request_headers.started", "http2.send_request_headers.started")
_RETRY_MOST_MS: Final = 30 * 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpOptions:
    """Bounds of a client.

    Attributes:
        connect_s: For a connection and its TLS; ``write_s`` and ``read_s``: for each step of a request; ``pool_s``: for
            a free connection; ``whole_s``: for all of it.
        connections: Most at a time.
        keep_alive_s: An idle connection is closed after this; short, because one that its server is about to close
            makes answers uncertain.
        most_bytes: Of an answer's body; the rest is not read.
        http2: Where the server speaks nothing else.
        ca_file: PEM file of an own authority; else the system's are trusted.
    """

    connect_s: float = 5.0
    write_s: float = 5.0
    read_s: float = 10.0
    pool_s: float = 5.0
    whole_s: float = 20.0
    connections: int = 32
    keep_alive_s: float = 4.0
    most_bytes: int = 65_536
    http2: bool = False
    ca_file: Path | None = None


class HttpAnswer(NamedTuple):
    """What a server said. Names of headers are in lower case; ``body`` may be cut."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON; None if it is none."""
        with suppress(msgspec.DecodeError, UnicodeDecodeError):
            return msgspec.json.decode(self.body)
        return None

    def retry_after_ms(self, now_ms: int) -> int | None:
        """What ``Retry-After`` asks for, in seconds or as a date (RFC 9110, 10.2.3); None if nothing or nonsense."""
        return retry_after_ms(self.headers.get("retry-after"), now_ms)


@dataclass(slots=True)
class _Progress:
    """How far a request is."""

    writing: bool = False
    answer: httpx.Response | None = None
    body: bytearray = field(default_factory=bytearray)

    async def told(self, event: str, _info: Mapping[str, Any]) -> None:
        if event in _WRITING:
            self.writing = True


class HttpClient:
    """One pool of connections. Belongs to one event loop; safe to use from many of its tasks.

    Args:
        options: Its bounds.

    Raises:
        ConfigurationError: The file of authorities can't be read.
    """

    def __init__(self, options: HttpOptions | None = None) -> None:
        self._options = options = options or HttpOptions()
        self._client = httpx.AsyncClient(
            verify=tls_context(options.ca_file),
            http2=options.http2,
            timeout=httpx.Timeout(
                connect=options.connect_s, write=options.write_s, read=options.read_s, pool=options.pool_s
            ),
            limits=httpx.Limits(
                max_connections=options.connections,
                max_keepalive_connections=options.connections if options.keep_alive_s else 0,
                keepalive_expiry=options.keep_alive_s,
            ),
            follow_redirects=False,
            trust_env=False,
            headers={"user-agent": "postcart", "accept-encoding": "identity"},
        )

    async def post(
        self, url: str, content: bytes, headers: Mapping[str, str], *, server_name: str | None = None
    ) -> HttpAnswer:
        """Send one POST request, once.

        Args:
            url: Absolute.
            content: The body.
            headers: Further headers; they win over the client's own.
            server_name: For TLS, where the URL names an address.

        Raises:
            ChannelUnavailable: Certainly not sent.
            DeliveryUncertain: It may have arrived.
        """
        extensions = {} if server_name is None else {"sni_hostname": server_name}
        request = partial(
            self._client.build_request, "POST", url, content=content, headers=dict(headers), extensions=extensions
        )
        return await self._answer(request)

    async def get(self, url: str, headers: Mapping[str, str]) -> HttpAnswer:
        """Send one GET request, once.

        Args:
            url: Absolute.
            headers: Further headers; they win over the client's own.

        Raises:
            ChannelUnavailable: Certainly not sent.
            DeliveryUncertain: No answer, or none in time.
        """
        return await self._answer(partial(self._client.build_request, "GET", url, headers=dict(headers), extensions={}))

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def _answer(self, build: Callable[[], httpx.Request]) -> HttpAnswer:
        progress = _Progress()
        try:
            async with asyncio.timeout(self._options.whole_s):
                await self._send(build(), progress)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ssl.SSLError, OSError) as error:
            if progress.answer is None:
                raise _meaning(error, writing=progress.writing) from error
        answer = progress.answer
        if answer is None:
            raise DeliveryUncertain("no answer")
        return HttpAnswer(answer.status_code, {k.lower(): v for k, v in answer.headers.items()}, bytes(progress.body))

    async def _send(self, request: httpx.Request, progress: _Progress) -> None:
        request.extensions["trace"] = progress.told
        answer = await self._client.send(request, stream=True)
        progress.answer = answer
        try:
            async for chunk in answer.aiter_raw():
                progress.body += chunk[: self._options.most_bytes - len(progress.body)]
                if len(progress.body) >= self._options.most_bytes:
                    break
        finally:
            await answer.aclose()


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """TLS 1.2 or newer, certificates and names checked.

    Raises:
        ConfigurationError: The file can't be read.
    """
    try:
        context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"{ca_file}: no authorities can be read from it: {error}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def retry_after_ms(value: str | None, now_ms: int) -> int | None:
    """See ``HttpAnswer.retry_after_ms``. At least 0, at most 30 days."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(int(value[:9]) * 1_000, _RETRY_MOST_MS)
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):  # what the library raises on dates that are none
        return None
    return None if at.tzinfo is None else max(0, min(to_ms(at) - now_ms, _RETRY_MOST_MS))


def _meaning(error: Exception, *, writing: bool) -> ChannelUnavailable | DeliveryUncertain:
    """The text holds no address or URL: the kind of failure, and what the system said of it."""
    kind = type(error).__name__
    if writing:
        return DeliveryUncertain(f"no answer: {kind}", status=kind)
    return ChannelUnavailable(f"not reached: {kind}", status=kind)
