"""The listener for returned mails, spoken to by the standard library's client: answers, bounds, and its end."""

import asyncio
import contextlib
import smtplib
import socket
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from postcart.adapters.mail_intake import IntakeHandler, IntakeOptions, MailIntake
from postcart.errors import BrokerUnavailable, ConfigurationError

OURS = "bounce@shop.example"
TEXT = b"Subject: x\r\n\r\n..dots\r\n.\r\n. end\r\n" + b"\xff8 bit\r\n"


@dataclass
class Taken:
    """What the listener handed over and refused; ``answer`` is awaited before it goes on."""

    mails: list[tuple[str, bytes]] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    answer: Callable[[], Awaitable[None]] | None = None

    async def take(self, recipient: str, data: bytes) -> None:
        """Wait for the answer, then keep it."""
        if self.answer:
            await self.answer()
        self.mails.append((recipient, data))


@contextlib.asynccontextmanager
async def listening(taken: Taken, **options: Any) -> AsyncIterator[MailIntake]:
    def refused(reason: str) -> None:
        taken.refused[reason] += 1

    handler = IntakeHandler(accepts=lambda address: address == OURS, take=taken.take, refused=refused)
    intake = MailIntake(IntakeOptions(host="127.0.0.1", **({"port": 0} | options)), handler)
    await intake.start()
    try:
        yield intake
    finally:
        await intake.stop()


def run(taken: Taken, talk: Callable[[int], Any], **options: Any) -> Any:
    """Let ``talk`` speak to the listener, from another thread."""

    async def work() -> Any:
        async with listening(taken, **options) as intake:
            return await asyncio.to_thread(talk, intake.port)

    return asyncio.run(work())


def send(port: int, *recipients: str, text: bytes = TEXT, client: type[smtplib.SMTP] = smtplib.SMTP) -> list[int]:
    """Codes of MAIL, each RCPT, and of the text if it came so far."""
    with client("127.0.0.1", port, timeout=20) as server:
        server.ehlo_or_helo_if_needed()
        codes = [server.mail("")[0]]
        codes += [server.rcpt(one)[0] for one in recipients]
        if 250 in codes[1:]:
            codes.append(server.data(text)[0])
        return codes


@pytest.mark.parametrize(("protocol", "client"), [("smtp", smtplib.SMTP), ("lmtp", smtplib.LMTP)])
def test_a_mail_is_taken_as_it_came(protocol: str, client: type[smtplib.SMTP]) -> None:
    """From the empty sender; dots and bytes unchanged; by both protocols."""
    taken = Taken()
    assert run(taken, lambda port: send(port, OURS, client=client), protocol=protocol) == [250, 250, 250]
    assert taken.mails == [(OURS, TEXT)]


def test_strangers_are_refused_before_the_text() -> None:
    """And a second recipient is to come by itself, so that there is one answer per recipient."""
    taken = Taken()
    assert run(taken, lambda port: send(port, "someone@shop.example")) == [250, 550]
    assert run(taken, lambda port: send(port, OURS, OURS)) == [250, 250, 452, 250]
    assert taken.refused == {"unknown_recipient": 1}
    assert len(taken.mails) == 1


def test_what_is_not_written_is_not_taken() -> None:
    """A broker that is away: later. A bug: later, too, and the log says it."""
    for error in (BrokerUnavailable("away"), ConfigurationError("a bug")):

        async def fail(error: Exception = error) -> None:
            raise error

        taken = Taken(answer=fail)
        assert run(taken, lambda port: send(port, OURS)) == [250, 250, 451]
        assert taken.mails == []


def test_bounds_of_size() -> None:
    """Too large is refused, also as one endless line; the connection stays usable."""

    def talk(port: int) -> list[int]:
        with smtplib.SMTP("127.0.0.1", port, timeout=20) as server:
            server.ehlo()
            codes = []
            for text in (b"x" * 300_000, b"x\r\n" * 100_000, TEXT):
                server.mail("")
                server.rcpt(OURS)
                codes.append(server.data(text)[0])
            return codes

    taken = Taken()
    assert run(taken, talk, max_bytes=100_000) == [552, 552, 250]
    assert taken.refused == {"too_large": 2}


def test_bounds_of_connections_and_time() -> None:
    """More connections are sent away, silent ones are cut, and there is room again."""

    def talk(port: int) -> tuple[bytes, bytes, list[int]]:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as silent:
            greeting = silent.recv(100)
            with socket.create_connection(("127.0.0.1", port), timeout=20) as other:
                away = other.recv(100)
            assert silent.recv(100) == b""
            return greeting, away, send(port, OURS)

    taken = Taken()
    greeting, away, codes = run(taken, talk, connections=1, timeout_s=1.0)
    assert greeting.startswith(b"220")
    assert away.startswith(b"421")
    assert codes == [250, 250, 250]
    assert taken.refused == {"too_many_connections": 1}


def test_it_ends_after_the_mails_that_have_come() -> None:
    """Told to stop while one is dealt with: that one is answered, an idle connection is cut."""

    async def work() -> tuple[list[int], Taken]:
        begun, go = asyncio.Event(), asyncio.Event()

        async def wait() -> None:
            begun.set()
            await go.wait()

        taken = Taken(answer=wait)
        async with listening(taken) as intake:
            idle = await asyncio.open_connection("127.0.0.1", intake.port)
            await idle[0].readline()
            sending = asyncio.create_task(asyncio.to_thread(send, intake.port, OURS))
            await begun.wait()
            stopping = asyncio.create_task(intake.stop())
            while await idle[0].read(100):
                pass
            assert not stopping.done()
            go.set()
            await stopping
            codes = await sending
            idle[1].close()
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", intake.port)
        return codes, taken

    codes, taken = asyncio.run(work())
    assert codes == [250, 250, 250]
    assert len(taken.mails) == 1


def test_a_connection_that_breaks_off_takes_nothing_along() -> None:
    """In the middle of a text."""

    def talk(port: int) -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as broken:
            for line in (b"EHLO x", b"MAIL FROM:<>", b"RCPT TO:<" + OURS.encode() + b">", b"DATA"):
                broken.recv(1000)
                broken.sendall(line + b"\r\n")
            broken.recv(1000)
            broken.sendall(b"Subject: x\r\n")
        send(port, OURS)

    taken = Taken()
    run(taken, talk)
    assert len(taken.mails) == 1


def test_a_taken_port_is_told() -> None:
    """By its setting."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConfigurationError, match="POSTCART_FEEDBACK__PORT"):
            run(Taken(), lambda _: None, port=port)


def test_many_at_a_time() -> None:
    """Each gets its own answer."""
    taken = Taken()

    def talk(port: int) -> list[list[int]]:
        results: list[list[int]] = []
        threads = [threading.Thread(target=lambda: results.append(send(port, OURS))) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return results

    assert run(taken, talk) == [[250, 250, 250]] * 20
    assert len(taken.mails) == 20
