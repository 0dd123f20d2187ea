"""Text messages against a local provider that checks what it is sent: the adapter, and what each answer means."""

import asyncio
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from postcart.adapters.http import HttpClient, HttpOptions
from postcart.adapters.providers.twilio import TwilioAccount, TwilioProvider
from postcart.adapters.providers.twilio_errors import FATES, REFUSALS, source
from postcart.adapters.sandbox.sms import SECRET, Answer, SmsSandbox
from postcart.adapters.web_server import WebServer
from postcart.content.sms import OutgoingSms
from postcart.content.sms_segments import segments
from postcart.errors import (
    ChannelUnavailable,
    CredentialsRejected,
    DeliveryError,
    DeliveryUncertain,
    ProviderBusy,
    RecipientRejected,
)

MESSAGE = OutgoingSms(
    job_id="7d1f0d7e-55f4-5b63-8a5e-0d1c2f3a4b5c",
    person_id="6c9c5d1e-2b1a-5d43-8a34-0f9d3a1b7c55",
    to="+4915112345678",
    body="Größe passt? Reply STOP to opt out",
    segments=segments("x"),
    valid_s=3_600,
)


@pytest.fixture
def sandbox() -> Iterator[tuple[SmsSandbox, str]]:
    server = SmsSandbox()
    with WebServer(server.app).running() as web:
        yield server, web.url


def send(url: str, message: OutgoingSms = MESSAGE, *, secret: str = SECRET, read_s: float = 5.0, **account: Any) -> Any:
    """What became of it: the acceptance or the error."""

    async def run() -> Any:
        whose = TwilioAccount(
            base_url=url, account="ACsandbox", key="ACsandbox", secret=secret, sender="+4930123456", **account
        )
        http = HttpClient(HttpOptions(read_s=read_s, whole_s=2 * read_s, connect_s=2.0))
        provider = TwilioProvider(whose, http, now_ms=lambda: 1_700_000_000_000)
        try:
            return await provider.send(message)
        except DeliveryError as error:
            return error
        finally:
            await provider.close()

    return asyncio.run(run())


def test_a_message_as_the_api_wants_it(sandbox: tuple[SmsSandbox, str]) -> None:
    """Number, sender, text, validity and callback; the job's id is the idempotency key."""
    server, url = sandbox
    accepted = send(url, callback_url="https://shop.example/sms/twilio/status")
    assert accepted.status == "queued"
    assert server.faults == []
    assert server.taken[0].form == {
        "To": "+4915112345678",
        "From": "+4930123456",
        "Body": "Größe passt? Reply STOP to opt out",
        "ValidityPeriod": "3600",
        "StatusCallback": "https://shop.example/sms/twilio/status?job=7d1f0d7e-55f4-5b63-8a5e-0d1c2f3a4b5c"
        "&person=6c9c5d1e-2b1a-5d43-8a34-0f9d3a1b7c55",
    }
    assert server.taken[0].key == MESSAGE.job_id
    assert "+49" not in repr(MESSAGE)
    send(url)
    assert len(server.taken) == 1  # the same key again


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "code", "kind", "said"),
    [
        (400, 21211, RecipientRejected, "21211 5.1.3"),
        (400, 21614, RecipientRejected, "21614 5.1.1"),
        (400, 21610, RecipientRejected, "21610 5.2.1"),
        (400, 21408, RecipientRejected, "21408 5.7.1"),
        (400, 21606, CredentialsRejected, "21606"),
        (400, 99999, RecipientRejected, "99999"),
        (401, 20003, CredentialsRejected, "20003"),
        (403, 0, CredentialsRejected, "403"),
        (404, 20404, CredentialsRejected, "20404"),
        (429, 20429, ProviderBusy, "20429"),
        (400, 21611, ProviderBusy, "21611"),
        (503, 0, ChannelUnavailable, "503"),
        (500, 20500, DeliveryUncertain, "20500"),
        (502, 0, DeliveryUncertain, "502"),
        (302, 0, CredentialsRejected, "302"),
    ],
)
def test_what_each_answer_means(
    sandbox: tuple[SmsSandbox, str], status: int, code: int, kind: type[DeliveryError], said: str
) -> None:
    """By Twilio's code where it is known, else by HTTP's; nothing that may have been taken counts as refused."""
    server, url = sandbox
    server.script = lambda _: Answer(status, code, headers={"location": url})
    error = send(url)
    assert type(error) is kind
    assert error.status == said
    assert len(server.asked_s) == 1, "a redirect was followed, or it was tried again"


@pytest.mark.parametrize(
    ("status", "value", "wait_ms"),
    [
        (429, "120", 120_000),
        (429, "Tue, 14 Nov 2023 22:14:20 GMT", 60_000),
        (429, "soon", None),
        (429, "Tue, 14 Nov 2023 22:00:00 GMT", 0),
        (503, "7", 7_000),
    ],
)
def test_retry_after(sandbox: tuple[SmsSandbox, str], status: int, value: str, wait_ms: int | None) -> None:
    """In seconds or as a date; nonsense is no word at all."""
    server, url = sandbox
    server.script = lambda _: Answer(status, headers={"retry-after": value})
    error = send(url)
    assert isinstance(error, ProviderBusy)
    assert error.retry_after_ms == wait_ms


def test_errors_hold_no_number() -> None:
    """Twilio quotes the number in its texts."""
    told = "The 'To' number 4915112345678 is not a valid phone number, nor is +49 151 12345679."

    class Quoting(SmsSandbox):
        def _refuse(self, status: int, code: int, message: str, *args: Any, **more: Any) -> Any:
            return super()._refuse(status, code, told or message, *args, **more)

    with WebServer(Quoting(script=lambda _: Answer(400, 21211)).app).running() as web:
        said = str(send(web.url))
    assert "4915" not in said
    assert "151 123" not in said


def test_wrong_secret(sandbox: tuple[SmsSandbox, str]) -> None:
    """It says which setting to look at, and not the secret."""
    error = send(sandbox[1], secret="not the one")  # noqa: S106 -- made up
    assert isinstance(error, CredentialsRejected)
    assert "POSTCART_SMS" in str(error)
    assert "not the one" not in str(error)


def test_slow_is_uncertain_and_unreachable_is_not(sandbox: tuple[SmsSandbox, str]) -> None:
    """Written and no answer: it may have it, and has. No connection: certainly not."""
    server, url = sandbox
    server.script = lambda _: Answer(201, wait_s=3.0, takes_it=True)
    began = time.monotonic()
    assert type(send(url, read_s=0.5)) is DeliveryUncertain
    assert time.monotonic() - began < 2.5
    assert len(server.taken) == 1
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        error = send(f"http://127.0.0.1:{unused.getsockname()[1]}")
    assert type(error) is ChannelUnavailable


def test_the_tables_are_whole_and_have_sources() -> None:
    """The codes that the delivery rules name are there; each has its page."""
    assert {20003, 20429, 21211, 21610, 21614} <= set(REFUSALS)
    assert {30003, 30005, 30006, 30007, 30008, 30034} <= set(FATES)
    assert source(30003) == "https://www.twilio.com/docs/api/errors/30003"
    assert {FATES[code][0] for code in (30005, 30006)} == {"hard"}
    assert {FATES[code][0] for code in (30003, 30008)} == {"soft"}
