"""The SMTP adapter against a real server: what each answer and each loss becomes."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postcart.adapters.mail_sink import Drop, MailSink, Script, SinkOptions, Stage
from postcart.adapters.smtp import Accepted, SmtpConfig, SmtpSender
from postcart.errors import (
    ChannelUnavailable,
    ConfigurationError,
    CredentialsRejected,
    DeliveryDeferred,
    DeliveryError,
    DeliveryUncertain,
    RecipientRejected,
)
from smtp_sink import Certificates, make_certificates, raw_server, sink

FROM, TO = "b-job-tag@bounce.shop.example", "ana.muster@example.com"
LOGIN = {"username": "shop", "password": "right"}
MESSAGE = b"From: a@shop.example\r\nMessage-ID: <1@shop.example>\r\n\r\n.dot\r\n..two\r\ntext\r\n.\r\nmore\r\n"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def config(port: int, **changes: object) -> SmtpConfig:
    fields: dict[str, object] = {"host": "127.0.0.1", "port": port, "tls": "none", "timeout_s": 20.0}
    return SmtpConfig(**(fields | changes))  # type: ignore[arg-type]


def run(work: Coroutine[object, object, None]) -> None:
    asyncio.run(work)


async def deliver(server: MailSink, **changes: object) -> Accepted:
    sender = SmtpSender(config(server.port, **changes))
    try:
        return await sender.send(FROM, TO, MESSAGE)
    finally:
        await sender.close()


def outcome(script: Script, **changes: object) -> tuple[DeliveryError, MailSink]:
    """What a scripted server makes of a delivery."""

    async def work() -> tuple[DeliveryError, MailSink]:
        async with sink(SinkOptions(script=script)) as server:
            with pytest.raises(DeliveryError) as caught:
                await deliver(server, **changes)
            return caught.value, server

    return asyncio.run(work())


def at(stage: Stage, answer: str | Drop) -> Script:
    return lambda reached, _text: answer if reached == stage else None


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
def test_refusals(stage: Stage, answer: str, error: type[DeliveryError], status: str) -> None:
    """Each answer has one class and keeps the provider's code."""
    caught, server = outcome(at(stage, answer))
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


@pytest.mark.parametrize("stage", ["mail", "rcpt", "data"])
def test_a_loss_before_the_dot_is_certain(stage: Stage) -> None:
    """The server has nothing, so the job may go out again."""
    caught, server = outcome(at(stage, Drop()))
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


def test_nobody_there() -> None:
    """The message names the settings to look at."""

    async def work() -> None:
        async with sink() as server:
            port = server.port
        with pytest.raises(ChannelUnavailable, match=r"POSTCART_SMTP__HOST"):
            await SmtpSender(config(port)).check()

    run(work())


@pytest.mark.parametrize("greeting", [b"421 4.3.2 busy\r\n", b"554 no service\r\n"])
def test_a_refused_session_is_the_channels_trouble(greeting: bytes) -> None:
    """No job is used up by a server that does not want to talk."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        await reader.read()

    async def work() -> None:
        async with raw_server(talk) as port:
            with pytest.raises(ChannelUnavailable) as caught:
                await SmtpSender(config(port)).check()
            assert caught.value.status is not None

    run(work())


def test_starttls_and_login(certificates: Certificates) -> None:
    """Certificate checked against the own authority, then the login, then mail."""
    options = SinkOptions(tls=certificates.localhost, require_tls=True, credentials=("shop", "right"))

    async def work() -> None:
        async with sink(options) as server:
            accepted = await deliver(server, tls="starttls", ca_file=certificates.ca_file, **LOGIN)
            assert accepted.status == "250 2.0.0"

    run(work())


def test_implicit_tls(certificates: Certificates) -> None:
    """TLS from the first byte."""

    async def work() -> None:
        async with sink(SinkOptions(tls=certificates.localhost, implicit_tls=True)) as server:
            accepted = await deliver(server, tls="tls", ca_file=certificates.ca_file)
            assert accepted.status == "250 2.0.0"

    run(work())


@pytest.mark.parametrize("mode", ["starttls", "tls"])
@pytest.mark.parametrize("fault", ["unknown authority", "other host", "no tls"])
def test_tls_is_never_given_up(certificates: Certificates, mode: str, fault: str) -> None:
    """A certificate that does not prove the host, and a server without TLS, get no mail; the setting is named."""
    context = certificates.elsewhere if fault == "other host" else certificates.localhost
    ca_file = None if fault == "unknown authority" else certificates.ca_file
    options = SinkOptions(tls=None if fault == "no tls" else context, implicit_tls=mode == "tls")

    async def work() -> None:
        async with sink(options) as server:
            with pytest.raises(ChannelUnavailable, match="POSTCART_SMTP__"):
                await deliver(server, tls=mode, ca_file=ca_file)
            assert server.received == []

    run(work())


@pytest.mark.parametrize("answer", [None, "454 4.7.0 later", "534 5.7.9 other mechanism"])
def test_a_wrong_password_names_the_settings(answer: str | None, certificates: Certificates) -> None:
    """The channel pauses; the message says what to do and does not show the password."""
    script = at("auth", answer) if answer else None
    options = SinkOptions(tls=certificates.localhost, credentials=("shop", "right"), script=script)

    async def work() -> None:
        async with sink(options) as server:
            with pytest.raises(CredentialsRejected, match="POSTCART_SMTP__PASSWORD") as caught:
                await deliver(
                    server, tls="starttls", ca_file=certificates.ca_file, **(LOGIN | {"password": "wr0ng-secret"})
                )
            assert "wr0ng" not in str(caught.value)

    run(work())


def test_a_login_that_is_missing_or_not_offered(certificates: Certificates) -> None:
    """Both are told as trouble of the login."""

    async def work() -> None:
        options = SinkOptions(tls=certificates.localhost, credentials=("shop", "right"))
        async with sink(options) as server:
            with pytest.raises(CredentialsRejected, match="POSTCART_SMTP__USERNAME"):
                await deliver(server, tls="starttls", ca_file=certificates.ca_file)
        async with sink(SinkOptions(tls=certificates.localhost)) as server:
            # Without TLS this server offers no login.
            with pytest.raises(CredentialsRejected, match="POSTCART_SMTP__TLS"):
                await deliver(server, **LOGIN)

    run(work())


def test_addresses_never_show() -> None:
    """Servers like to repeat the recipient; errors and receipts do not."""
    answer = f"550 5.1.1 <{TO}>: user ana.muster unknown at mx; see postmaster@example.com"
    caught, _ = outcome(at("rcpt", answer))
    assert "example.com" not in str(caught)
    assert "ana.muster" not in str(caught)
    assert "unknown at mx" in str(caught)


def test_connections_are_bounded_and_reused() -> None:
    """Fifty messages over at most three connections, each of them whole."""

    async def work() -> None:
        async with sink() as server:
            sender = SmtpSender(config(server.port, connections=3))
            await asyncio.gather(*(sender.send(FROM, f"r{number}@example.com", MESSAGE) for number in range(50)))
            assert sorted(received.entry.recipient for received in server.received) == sorted(
                f"r{number}@example.com" for number in range(50)
            )
            assert server.connections == 3
            await sender.close()

    run(work())


def test_a_refused_message_leaves_the_connection_usable() -> None:
    """A rejected and a deferred recipient are reset, and the next goes out on the same connection."""

    def script(stage: Stage, text: str) -> str | None:
        answers = {"bad@example.com": "550 5.1.1 no", "late@example.com": "451 4.2.0 later"}
        return answers.get(text) if stage == "rcpt" else None

    async def work() -> None:
        async with sink(SinkOptions(script=script)) as server:
            sender = SmtpSender(config(server.port, connections=1))
            with pytest.raises(RecipientRejected):
                await sender.send(FROM, "bad@example.com", MESSAGE)
            with pytest.raises(DeliveryDeferred):
                await sender.send(FROM, "late@example.com", MESSAGE)
            await sender.send(FROM, "good@example.com", MESSAGE)
            assert [received.entry.recipient for received in server.received] == ["good@example.com"]
            assert server.connections == 1
            await sender.close()

    run(work())


@pytest.mark.parametrize("check_after_s", [3600.0, -1.0])
def test_a_connection_that_died_idle_is_replaced(check_after_s: float) -> None:
    """A restarted server costs no attempt, whether the loss is seen by a check or by the next command."""

    async def work() -> None:
        async with sink() as server:
            sender = SmtpSender(config(server.port, check_after_s=check_after_s))
            await sender.send(FROM, TO, MESSAGE)
            server.cut_all()
            await sender.send(FROM, TO, MESSAGE)
            assert len(server.received) == 2
            assert server.connections == 2
            await sender.close()

    run(work())


def test_old_connections_are_renewed() -> None:
    """After so many messages, and after so long a silence, a new connection is opened."""

    async def work() -> None:
        async with sink() as server:
            sender = SmtpSender(config(server.port, messages_per_connection=2))
            for _ in range(5):
                await sender.send(FROM, TO, MESSAGE)
            assert server.connections == 3
            await sender.close()
            impatient = SmtpSender(config(server.port, idle_s=-1.0))
            await impatient.send(FROM, TO, MESSAGE)
            await impatient.send(FROM, TO, MESSAGE)
            assert server.connections == 5
            await impatient.close()

    run(work())


def test_a_cancelled_send_drops_its_connection() -> None:
    """The half-done dialogue is not given to the next message."""

    async def work() -> None:
        reached = asyncio.Event()

        def script(stage: Stage, _text: str) -> None:
            if stage == "accept":
                reached.set()

        async with sink(SinkOptions(script=script, delay_s=3600)) as server:
            sender = SmtpSender(config(server.port, connections=1))
            task = asyncio.create_task(sender.send(FROM, TO, MESSAGE))
            await reached.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert sender._idle == []
            assert not sender._slots.locked()

    run(work())


def test_a_missing_authority_file_is_a_configuration_error(tmp_path: Path) -> None:
    """It is told at once, not at the first mail."""
    with pytest.raises(ConfigurationError, match="POSTCART_SMTP__CA_FILE"):
        SmtpSender(config(25, tls="starttls", ca_file=tmp_path / "none.pem"))
