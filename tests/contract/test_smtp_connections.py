"""The SMTP adapter's connections to a real server: made, secured, logged in to, shared and renewed."""

import asyncio
from pathlib import Path

import pytest

from contract.smtp_delivery import FROM, MESSAGE, TO, at, config, deliver, run
from postcart.adapters.mail_sink import SinkOptions, Stage
from postcart.adapters.smtp import SmtpSender
from postcart.errors import (
    ChannelUnavailable,
    ConfigurationError,
    CredentialsRejected,
    DeliveryDeferred,
    RecipientRejected,
)
from smtp_sink import Certificates, make_certificates, raw_server, sink

LOGIN = {"username": "shop", "password": "right"}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


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
