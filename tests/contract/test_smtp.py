"""The SMTP adapter against a real server: what each answer and each loss becomes."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.smtp_delivery import FROM, MESSAGE, TO, at, config, deliver, outcome, run
from postcart.adapters.mail_sink import Drop, SinkOptions, Stage
from postcart.adapters.smtp import Accepted, SmtpSender
from postcart.errors import (
    ChannelUnavailable,
    CredentialsRejected,
    DeliveryDeferred,
    DeliveryError,
    DeliveryUncertain,
    RecipientRejected,
)
from smtp_sink import raw_server, sink

TOGETHER = pytest.mark.parametrize("pipelining", [True, False])
"""Whether the server takes the envelope and DATA at once."""


def test_a_message_arrives_byte_for_byte() -> None:
    """Lines that begin with dots survive, the envelope is as given, the ledger has it."""

    async def work() -> None:
        async with sink() as server:
            accepted = await deliver(server)
            assert accepted == Accepted("250 2.0.0", "2.0.0 kept")
            [received] = server.received
            assert received.data == MESSAGE
            assert (received.entry.envelope_from, received.entry.recipient) == (FROM, TO)
            assert received.entry.message_id == "<1@shop.example>"

    run(work())


@settings(max_examples=60)
@given(st.lists(st.text(alphabet=".ab \t", max_size=12), max_size=12))
def test_any_lines_arrive_as_they_were(lines: list[str]) -> None:
    """Dots, empty lines, white space."""
    message = b"Subject: x\r\n\r\n" + "".join(f"{line}\r\n" for line in lines).encode()

    async def work() -> None:
        async with sink() as server:
            sender = SmtpSender(config(server.port))
            await sender.send(FROM, TO, message)
            await sender.close()
            assert [received.data for received in server.received] == [message]

    run(work())


@pytest.mark.parametrize(
    ("stage", "answer", "error", "status"),
    [
        ("rcpt", "550 5.1.1 No such user", RecipientRejected, "550 5.1.1"),
        ("rcpt", "550 No such user", RecipientRejected, "550"),
        ("rcpt", "451 4.7.1 Greylisted", DeliveryDeferred, "451 4.7.1"),
        ("rcpt", "421 4.3.2 shutting down", ChannelUnavailable, "421 4.3.2"),
        ("rcpt", "530 5.7.0 Authentication required", CredentialsRejected, "530 5.7.0"),
        ("data", "554 5.7.1 no", RecipientRejected, "554 5.7.1"),
        ("data", "451 4.3.0 later", DeliveryDeferred, "451 4.3.0"),
        ("data", "503 5.5.1 bad sequence", ChannelUnavailable, "503 5.5.1"),
        ("accept", "550 5.7.1 spam", RecipientRejected, "550 5.7.1"),
        ("accept", "452 4.2.2 full", DeliveryDeferred, "452 4.2.2"),
        ("accept", "421 4.3.0 closing", ChannelUnavailable, "421 4.3.0"),
        ("accept", "354 what?", DeliveryUncertain, "354"),
        ("mail", "552 5.3.4 too big", RecipientRejected, "552 5.3.4"),
        ("mail", "550 5.1.8 who are you", ChannelUnavailable, "550 5.1.8"),
        ("mail", "452 4.3.1 disk full", ChannelUnavailable, "452 4.3.1"),
        ("mail", "530 5.7.0 Must issue STARTTLS", ChannelUnavailable, "530 5.7.0"),
    ],
)
@TOGETHER
def test_refusals(stage: Stage, answer: str, error: type[DeliveryError], status: str, *, pipelining: bool) -> None:
    """Each answer has one class and keeps the provider's code."""
    caught, server = outcome(at(stage, answer), pipelining=pipelining)
    assert type(caught) is error
    assert caught.status == status
    assert server.received == []


@pytest.mark.parametrize(
    ("answer", "wait_ms"),
    [
        ("451 4.7.1 Greylisted, try again in 300 seconds", 300_000),
        ("450 4.2.0 retry after 5 minutes", 300_000),
        ("451 4.7.1 Greylisting in action, please come back in 00:04:30", 270_000),
        ("451 4.7.1 come back in 999 hours", 72 * 3_600_000),
        ("451 4.7.1 not now", None),
    ],
)
def test_how_long_to_wait(answer: str, wait_ms: int | None) -> None:
    """A temporary refusal that says when is heard."""
    caught, _ = outcome(at("rcpt", answer))
    assert isinstance(caught, DeliveryDeferred)
    assert caught.retry_after_ms == wait_ms


@TOGETHER
@pytest.mark.parametrize("stage", ["mail", "rcpt", "data"])
def test_a_loss_before_the_dot_is_certain(stage: Stage, *, pipelining: bool) -> None:
    """The server has nothing, so the job may go out again."""
    caught, server = outcome(at(stage, Drop()), pipelining=pipelining)
    assert type(caught) is ChannelUnavailable
    assert server.received == []


@pytest.mark.parametrize("kept", [True, False])
def test_a_loss_after_the_dot_is_uncertain(*, kept: bool) -> None:
    """Whether the server kept it can't be known from outside."""
    caught, server = outcome(at("accept", Drop(kept=kept)))
    assert type(caught) is DeliveryUncertain
    assert len(server.received) == kept


def test_silence_after_the_dot_is_uncertain() -> None:
    """A server that takes the message and never answers."""

    async def work() -> None:
        async with sink(SinkOptions(delay_s=3600)) as server:
            with pytest.raises(DeliveryUncertain, match="no answer in time"):
                await deliver(server, timeout_s=0.3)

    run(work())


def test_a_slow_server_has_a_bound() -> None:
    """A server that answers each command just in time does not hold a message for longer than its bound."""

    async def work() -> None:
        async with sink(SinkOptions(delay_s=3600)) as server:
            with pytest.raises(DeliveryUncertain):
                await deliver(server, timeout_s=3600.0, message_timeout_s=0.5)

    run(work())


def test_a_loss_within_the_text_is_certain() -> None:
    """The text does not fit into the sockets' buffers and the server hangs up: the dot was never written."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        while (line := await reader.readline())[:4].upper() != b"DATA":
            assert line
            writer.write(b"250 ok\r\n")
        writer.write(b"354 go on\r\n")
        await reader.readline()
        writer.transport.abort()

    async def work() -> None:
        async with raw_server(talk) as port:
            with pytest.raises(ChannelUnavailable, match="before the message was complete"):
                await SmtpSender(config(port)).send(FROM, TO, b"x" * 70 * 200_000 + b"\r\n")

    run(work())


def test_a_refusal_within_the_text_is_heard() -> None:
    """A server that has enough says so before the dot; the dot is not written after that."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        while (await reader.readline())[:4].upper() != b"DATA":
            writer.write(b"250 ok\r\n")
        writer.write(b"354 go on\r\n")
        await reader.readexactly(10)
        writer.write(b"552 5.3.4 too much\r\n")
        await reader.read()

    async def work() -> None:
        async with raw_server(talk) as port:
            with pytest.raises(RecipientRejected) as caught:
                await SmtpSender(config(port)).send(FROM, TO, b"x" * 70 * 200_000 + b"\r\n")
            assert caught.value.status == "552 5.3.4"

    run(work())


def test_nonsense_after_the_dot_is_uncertain() -> None:
    """An answer that is no SMTP says nothing."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        while (await reader.readline())[:4].upper() != b"DATA":
            writer.write(b"250 ok\r\n")
        writer.write(b"354 go on\r\n")
        while await reader.readline() != b".\r\n":
            pass
        writer.write(b"thanks!\r\n")
        await reader.read()

    async def work() -> None:
        async with raw_server(talk) as port:
            with pytest.raises(DeliveryUncertain):
                await SmtpSender(config(port)).send(FROM, TO, b"x\r\n")

    run(work())


def test_addresses_never_show() -> None:
    """Servers like to repeat the recipient; errors and receipts do not."""
    answer = f"550 5.1.1 <{TO}>: user ana.muster unknown at mx; see postmaster@example.com"
    caught, _ = outcome(at("rcpt", answer))
    assert "example.com" not in str(caught)
    assert "ana.muster" not in str(caught)
    assert "unknown at mx" in str(caught)
