"""What a failure of a request says: certainly not sent, or perhaps taken. Against servers that fail at each point."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from postcart.adapters.http import HttpClient, HttpOptions, retry_after_ms
from postcart.errors import ChannelUnavailable, ConfigurationError, DeliveryError, DeliveryUncertain

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nRetry-After: 3\r\n\r\nok"
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def served(talk: Talk) -> AsyncIterator[str]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        finally:
            with contextlib.suppress(ConnectionError):
                writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/x"
    finally:
        server.close()


async def request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
    )
    return head + await reader.readexactly(length)


def said(talk: Talk, *, options: HttpOptions | None = None, times: int = 1) -> list[Any]:
    """The answers or errors of as many requests, one after the other, of one client."""

    async def run() -> list[Any]:
        client = HttpClient(options or HttpOptions(read_s=1.0, whole_s=3.0))
        found: list[Any] = []
        async with served(talk) as url:
            for _ in range(times):
                try:
                    found.append(await client.post(url, b"body", {"x-test": "1"}))
                except DeliveryError as error:
                    found.append(error)
            await client.close()
        return found

    return asyncio.run(run())


def test_an_answer_is_an_answer() -> None:
    """Status, headers in lower case, body; the request is whole."""
    seen: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await request(reader))
        writer.write(OK)
        await writer.drain()

    answer = said(talk)[0]
    assert (answer.status, answer.body, answer.headers["retry-after"]) == (200, b"ok", "3")
    assert answer.retry_after_ms(0) == 3_000
    assert seen[0].endswith(b"\r\n\r\nbody")
    assert b"accept-encoding: identity" in seen[0]


def test_connections_are_kept_and_used_again() -> None:
    """One connection for requests in a row."""
    connections = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        for _ in range(3):
            await request(reader)
            writer.write(OK)
            await writer.drain()

    assert [answer.status for answer in said(talk, times=3)] == [200, 200, 200]
    assert connections == 1


async def hangs_up_at_once(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def hangs_up_after_the_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await request(reader)
    writer.transport.abort()


async def says_nothing(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await request(reader)
    await asyncio.sleep(5)


async def talks_nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await request(reader)
    writer.write(b"220 mail.example ESMTP\r\n")
    await writer.drain()


async def drips(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await request(reader)
    with contextlib.suppress(ConnectionError):
        for byte in b"HTTP/1.1 200 OK\r\n" * 3:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.3)


@pytest.mark.slow
@pytest.mark.parametrize("talk", [hangs_up_at_once, hangs_up_after_the_request, says_nothing, talks_nonsense, drips])
def test_once_the_request_is_being_written_nothing_is_certain(talk: Talk) -> None:
    """However it ends without a status."""
    assert type(said(talk)[0]) is DeliveryUncertain


def test_without_a_connection_it_is_certain() -> None:
    """Refused, no such name, TLS that is none."""

    async def run() -> None:
        client = HttpClient(HttpOptions(connect_s=1.0))
        async with served(talks_nonsense) as url:
            port = url.split(":")[2]
        for nowhere in (url, "http://no-such-name.invalid/", f"https://127.0.0.1:{port}"):
            with pytest.raises(ChannelUnavailable):
                await client.post(nowhere, b"", {})
        async with served(talks_nonsense) as url:
            with pytest.raises(ChannelUnavailable):
                await client.post(url.replace("http:", "https:"), b"", {})
        await client.close()

    asyncio.run(run())


def test_a_full_pool_is_certain() -> None:
    """Whoever waits for a connection in vain has sent nothing."""

    async def run() -> list[Any]:
        client = HttpClient(HttpOptions(connections=1, pool_s=0.3, read_s=1.0))
        async with served(says_nothing) as url:
            return await asyncio.gather(client.post(url, b"", {}), client.post(url, b"", {}), return_exceptions=True)

    assert sorted(type(one).__name__ for one in asyncio.run(run())) == ["ChannelUnavailable", "DeliveryUncertain"]


def test_a_status_counts_whatever_becomes_of_the_body() -> None:
    """Cut off, endless or broken: the body is bounded, the status is known."""

    async def cut_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(b"HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\nhalf")
        await writer.drain()

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(b"HTTP/1.1 500 No\r\ncontent-length: 99999999\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b"x" * 10_000)
                await writer.drain()

    assert (said(cut_off)[0].status, said(cut_off)[0].body) == (201, b"half")
    answer = said(endless, options=HttpOptions(most_bytes=5_000))[0]
    assert (answer.status, len(answer.body)) == (500, 5_000)


def test_redirects_are_not_followed_and_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A redirect is an answer; a proxy of the environment would see every message."""
    asked = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await request(reader)
        writer.write(b"HTTP/1.1 307 Go\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()

    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    assert said(talk)[0].status == 307
    assert asked == 1


@pytest.mark.parametrize(
    ("value", "wait_ms"),
    [
        (None, None), ("0", 0), ("12", 12_000), (" 7 ", 7_000), ("9999999999999999", 30 * 86_400_000), ("-3", None),
        ("1.5", None), ("Thu, 01 Jan 1970 00:01:40 GMT", 100_000), ("Wed, 31 Dec 1969 23:00:00 GMT", 0), ("soon", None),
        ("", None), ("²", None), ("Thu, 99 Jan 1970 00:01:40 GMT", None),
    ],
)  # fmt: skip
def test_retry_after_values(value: str | None, wait_ms: int | None) -> None:
    """RFC 9110, 10.2.3; nothing that a server says breaks it."""
    assert retry_after_ms(value, 0) == wait_ms


def test_an_authority_that_is_none(tmp_path: Any) -> None:
    """Said at the start, not at the first message."""
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(ConfigurationError, match=r"ca\.pem"):
        HttpClient(HttpOptions(ca_file=tmp_path / "ca.pem"))
