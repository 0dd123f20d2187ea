"""Commands that go out together (RFC 2920): the answers find what they answer, whatever the server makes of them."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from contract.smtp_delivery import FROM, MESSAGE, TO, config, run
from postcart.adapters.mail_sink import SinkOptions, Stage
from postcart.adapters.smtp import SmtpSender
from postcart.adapters.smtp_connection import SmtpConnection
from postcart.errors import ChannelUnavailable, DeliveryDeferred, DeliveryError, RecipientRejected
from smtp_sink import raw_server, sink

GREETING = b"220 hello\r\n"
EHLO = b"250-localhost\r\n250-PIPELINING\r\n250 SIZE 1000000\r\n"
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def _hello(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, offers: bytes = EHLO) -> None:
    writer.write(GREETING)
    await reader.readline()
    writer.write(offers)


async def _left(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    assert await reader.readline() == b"QUIT\r\n"
    writer.write(b"221 bye\r\n")


def _sent(talk: Talk, times: int = 1, **changes: object) -> list[DeliveryError | None]:
    """What so many deliveries over one connection came to."""

    async def work() -> list[DeliveryError | None]:
        found: list[DeliveryError | None] = []
        async with raw_server(talk) as port:
            sender = SmtpSender(config(port, connections=1, **changes))
            for _ in range(times):
                try:
                    await sender.send(FROM, TO, MESSAGE)
                    found.append(None)
                except DeliveryError as error:
                    found.append(error)
            await sender.close()
        return found

    return asyncio.run(work())


@pytest.mark.parametrize(("offered", "wanted"), [(True, True), (False, True), (True, False)])
def test_one_journey_for_the_envelope(*, offered: bool, wanted: bool) -> None:
    """The three commands come in one piece where the server offers it and nobody has switched it off."""
    pieces: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _hello(reader, writer, EHLO if offered else b"250 localhost\r\n")
        while not pieces or b"DATA" not in pieces[-1]:
            pieces.append(await reader.read(65_536))
            answers = [b"354 go on" if line == b"DATA" else b"250 ok" for line in pieces[-1].splitlines()]
            writer.write(b"\r\n".join((*answers, b"")))
        await reader.readuntil(b"\r\n.\r\n")
        writer.write(b"250 2.0.0 kept\r\n")
        await _left(reader, writer)

    assert _sent(talk, pipelining=wanted) == [None]
    assert [piece.count(b"\r\n") for piece in pieces] == ([3] if offered and wanted else [1, 1, 1])
    assert b"".join(pieces).splitlines()[1:] == [f"RCPT TO:<{TO}>".encode(), b"DATA"]


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_answers_in_any_pieces(size: int) -> None:
    """Answers are cut wherever the network likes, and may have several lines."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _hello(reader, writer)
        for _ in range(2):
            for _ in range(3):
                await reader.readline()
            await _in_pieces(writer, b"250-2.1.0 fine\r\n250 2.1.0 so far\r\n250 2.1.5 ok\r\n354 go on\r\n", size)
            await reader.readuntil(b"\r\n.\r\n")
            await _in_pieces(writer, b"250-2.0.0 kept\r\n250 2.0.0 indeed\r\n", size)
        await _left(reader, writer)

    assert _sent(talk, 2) == [None, None]


async def _in_pieces(writer: asyncio.StreamWriter, data: bytes, size: int) -> None:
    for start in range(0, len(data), size):
        writer.write(data[start : start + size])
        await writer.drain()
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("answers", "error", "after"),
    [
        (b"250 ok\r\n550 5.1.1 nobody\r\n354 go on\r\n", RecipientRejected, b"554 no recipients\r\n"),
        (b"250 ok\r\n451 4.7.1 later\r\n354 go on\r\n", DeliveryDeferred, b"250 an empty one, well\r\n"),
        (b"552 5.3.4 too big\r\n503 no\r\n354 go on\r\n", RecipientRejected, b"554 no\r\n"),
    ],
)
def test_a_text_for_nobody_is_ended(answers: bytes, error: type[DeliveryError], after: bytes) -> None:
    """A server that refuses the recipient and yet asks for the text gets a lone dot; the next message is another."""
    texts: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _hello(reader, writer)
        for said in (answers, b"250 ok\r\n250 ok\r\n354 go on\r\n"):
            for _ in range(3):
                await reader.readline()
            writer.write(said)
            if said == answers:
                texts.append(await reader.readline())
                writer.write(after)
                assert await reader.readline() == b"RSET\r\n"
                writer.write(b"250 forgotten\r\n")
            else:
                texts.append(await reader.readuntil(b"\r\n.\r\n"))
                writer.write(b"250 kept\r\n")
        await _left(reader, writer)

    first, second = _sent(talk, 2)
    assert type(first) is error
    assert second is None
    assert texts[0] == b".\r\n"
    assert texts[1].count(b"Message-ID") == 1


def test_a_farewell_in_answer_to_the_first_of_three_is_heard() -> None:
    """421, and the connection is gone before the other answers: the channel's trouble, with the server's words."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _hello(reader, writer)
        await reader.readline()
        writer.write(b"421 4.3.2 going down\r\n")

    [error] = _sent(talk)
    assert type(error) is ChannelUnavailable
    assert error.status == "421 4.3.2"


def test_what_nobody_asked_ends_the_connection() -> None:
    """A server that takes its leave while the connection is idle is left; its word is not taken for an answer."""
    connections = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await _hello(reader, writer)
        for _ in range(3):
            await reader.readline()
        writer.write(b"250 ok\r\n250 ok\r\n354 go on\r\n")
        await reader.readuntil(b"\r\n.\r\n")
        writer.write(b"250 kept\r\n421 4.4.2 idle for too long\r\n")
        await reader.read()

    assert _sent(talk, 3) == [None, None, None]
    assert connections == 3


@pytest.mark.parametrize("said", [b"500 what?\r\n", b"421 4.3.2 enough\r\n", b""])
def test_a_server_that_does_not_forget_is_left(said: bytes) -> None:
    """After a refusal the connection is reset; where that fails the next message goes out on another one."""
    ended: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _hello(reader, writer)
        first = not ended
        for _ in range(3):
            await reader.readline()
        if first:
            ended.append(b"")
            writer.write(b"250 ok\r\n550 5.1.1 no\r\n503 no\r\n")
            assert await reader.readline() == b"RSET\r\n"
            writer.write(said)
            if said:
                ended.append(await reader.read())  # until it is closed from there
        else:
            writer.write(b"250 ok\r\n250 ok\r\n354 go on\r\n")
            await reader.readuntil(b"\r\n.\r\n")
            writer.write(b"250 kept\r\n")
            await _left(reader, writer)

    first, second = _sent(talk, 2)
    assert type(first) is RecipientRejected
    assert second is None
    assert ended == ([b"", b""] if said else [b""])


def test_refused_ones_and_good_ones_share_a_connection() -> None:
    """Of a hundred messages each gets its own answer."""

    def script(stage: Stage, text: str) -> str | None:
        number = int(text[1:].partition("@")[0]) if stage == "rcpt" else 0
        return {1: "550 5.1.1 no", 2: "451 4.2.0 later"}.get(number % 3)

    async def work() -> None:
        async with sink(SinkOptions(script=script)) as server:
            sender = SmtpSender(config(server.port, connections=2))
            found = await asyncio.gather(
                *(sender.send(FROM, f"r{number}@example.com", MESSAGE) for number in range(100)),
                return_exceptions=True,
            )
            kinds = {0: type(found[0]), 1: RecipientRejected, 2: DeliveryDeferred}
            assert [type(one) for one in found] == [kinds[number % 3] for number in range(100)]
            assert not isinstance(found[0], BaseException)
            assert {one.entry.recipient for one in server.received} == {f"r{n}@example.com" for n in range(0, 100, 3)}
            assert server.connections == 2
            await sender.close()

    run(work())


def test_a_farewell_that_is_cancelled_drops_its_connection() -> None:
    """A worker that has no time for the answer to QUIT leaves no open socket behind."""
    said, ended = asyncio.Event(), asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _hello(reader, writer)
        assert await reader.readline() == b"QUIT\r\n"
        said.set()
        assert await reader.read() == b""
        ended.set()

    async def work() -> None:
        async with raw_server(talk) as port:
            connection = SmtpConnection(config(port), None)
            await connection.open()
            leaving = asyncio.create_task(connection.quit())
            await said.wait()
            leaving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await leaving
            async with asyncio.timeout(20):
                await ended.wait()

    run(work())
