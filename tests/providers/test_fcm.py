"""Push messages over FCM, against a local server that checks Google's tokens and FCM's messages."""

import asyncio
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from postcart.adapters.http import HttpClient, HttpOptions
from postcart.adapters.providers.fcm import FcmProvider
from postcart.adapters.providers.google_token import ServiceAccount, service_account
from postcart.adapters.sandbox.fcm import FcmSandbox
from postcart.adapters.web_server import WebServer
from postcart.content.push import OutgoingPush, Target
from postcart.errors import (
    ChannelUnavailable,
    ConfigurationError,
    CredentialsRejected,
    DeliveryError,
    DeliveryUncertain,
    ProviderBusy,
    RecipientRejected,
)
from postcart.events.shop import PushSubscription

PHONE = Target("c-1", PushSubscription(kind="fcm", token="dX9:APA91b"))  # noqa: S106 -- made up
MESSAGE = OutgoingPush(
    job_id="7d1f0d7e-55f4-5b63-8a5e-0d1c2f3a4b5c",
    purpose="marketing",
    title="Your cart is waiting",
    body="Größe 38 ist noch da.",
    link="https://shop.example/cart",
    tag="c" * 32,
    valid_s=3_600,
    language="de",
    direction="ltr",
)
HOUR_MS = 3_600_000


class Clock:
    """Tells what it is told, for both sides."""

    def __init__(self) -> None:
        self.ms = time.time_ns() // 1_000_000

    def __call__(self) -> int:
        """The time."""
        return self.ms


CLOCK = Clock()


@pytest.fixture
def firebase() -> Iterator[FcmSandbox]:
    sandbox = FcmSandbox("", now_ms=CLOCK)
    with WebServer(sandbox.app).running() as web:
        sandbox.base_url = web.url
        yield sandbox


def provider(sandbox: FcmSandbox, account: ServiceAccount | None = None) -> FcmProvider:
    whose = account or service_account(sandbox.credentials(), "test")
    http = HttpClient(HttpOptions(connect_s=2.0, read_s=2.0))
    return FcmProvider(whose, http, now_ms=CLOCK, base_url=sandbox.base_url)


def send(sandbox: FcmSandbox, target: Target = PHONE, account: ServiceAccount | None = None) -> Any:
    """What became of it: the acceptance or the error."""

    async def run() -> Any:
        of = provider(sandbox, account)
        try:
            return await of.send(MESSAGE, target)
        except DeliveryError as error:
            return error
        finally:
            await of.close()

    return asyncio.run(run())


def test_a_message_as_fcm_wants_it(firebase: FcmSandbox) -> None:
    """Notification and data, with how long it is worth keeping and what it replaces."""
    accepted = send(firebase)
    assert (accepted.status, accepted.detail) == ("200", "1")
    assert firebase.faults == []
    assert firebase.sent[0].message == {
        "token": "dX9:APA91b",
        "notification": {"title": "Your cart is waiting", "body": "Größe 38 ist noch da."},
        "data": {"link": "https://shop.example/cart", "tag": "c" * 32, "id": MESSAGE.job_id},
        "android": {
            "collapse_key": "c" * 32,
            "ttl": "3600s",
            "priority": "NORMAL",
            "notification": {"tag": "c" * 32},
        },
        "apns": {"headers": {"apns-collapse-id": "c" * 32}},
    }


def test_one_token_for_many_and_a_new_one_before_its_end(firebase: FcmSandbox) -> None:
    """However many ask at once; one that was taken back is replaced, once."""

    async def run() -> None:
        of = provider(firebase)
        await asyncio.gather(*(of.send(MESSAGE, PHONE) for _ in range(8)))
        assert len(firebase.given) == 1
        CLOCK.ms += HOUR_MS - 301_000
        await of.send(MESSAGE, PHONE)
        assert len(firebase.given) == 1
        CLOCK.ms += 2_000
        await of.send(MESSAGE, PHONE)
        assert len(firebase.given) == 2
        firebase.refused = set(firebase.given)
        await of.send(MESSAGE, PHONE)
        assert len(firebase.given) == 3
        firebase.refused = {*firebase.given, "ya29.sandbox-3"}
        with pytest.raises(CredentialsRejected):
            await of.send(MESSAGE, PHONE)
        assert len(firebase.given) == 4
        await of.close()

    asyncio.run(run())
    assert len(firebase.sent) == 11


def test_an_app_that_is_gone(firebase: FcmSandbox) -> None:
    """And a token that is none: both are given up."""
    firebase.gone = {"dX9:APA91b"}
    error = send(firebase)
    assert (type(error), error.status, error.gone) == (RecipientRejected, "UNREGISTERED", ("c-1",))
    error = send(firebase, Target("c-2", PushSubscription(kind="fcm", token="none")))  # noqa: S106 -- made up
    assert (type(error), error.status, error.gone) == (RecipientRejected, "INVALID_ARGUMENT", ("c-2",))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "kind", "said", "wait_ms"),
    [
        ((400, "INVALID_ARGUMENT", {}), RecipientRejected, "INVALID_ARGUMENT", None),
        ((403, "SENDER_ID_MISMATCH", {}), RecipientRejected, "SENDER_ID_MISMATCH 5.7.0", None),
        ((401, "THIRD_PARTY_AUTH_ERROR", {}), CredentialsRejected, "THIRD_PARTY_AUTH_ERROR", None),
        ((403, "PERMISSION_DENIED", {}), CredentialsRejected, "PERMISSION_DENIED", None),
        ((404, "NOT_FOUND", {}), CredentialsRejected, "NOT_FOUND", None),
        ((429, "QUOTA_EXCEEDED", {"retry-after": "120"}), ProviderBusy, "QUOTA_EXCEEDED", 120_000),
        ((429, "QUOTA_EXCEEDED", {}), ProviderBusy, "QUOTA_EXCEEDED", 60_000),
        ((503, "UNAVAILABLE", {"retry-after": "7"}), ProviderBusy, "UNAVAILABLE", 7_000),
        ((503, "UNAVAILABLE", {}), ChannelUnavailable, "UNAVAILABLE", None),
        ((500, "INTERNAL", {}), DeliveryUncertain, "INTERNAL", None),
    ],
)
def test_what_each_code_means(
    firebase: FcmSandbox, answer: Any, kind: type[DeliveryError], said: str, wait_ms: int | None
) -> None:
    """Nothing of these is about the app: none is given up."""
    firebase.reply = lambda _: answer
    error = send(firebase)
    assert type(error) is kind
    assert (error.status, error.gone) == (said, ())
    assert getattr(error, "retry_after_ms", None) == wait_ms
    assert "dX9" not in str(error)


def test_an_account_that_is_refused_and_one_that_can_not_be_asked(firebase: FcmSandbox) -> None:
    """The message went nowhere: it can wait."""
    other = service_account(FcmSandbox(firebase.base_url, now_ms=CLOCK).credentials(), "test")
    error = send(firebase, account=other)
    assert type(error) is CredentialsRejected
    assert "POSTCART_FCM__CREDENTIALS_FILE" in str(error)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        away = FcmSandbox(f"http://127.0.0.1:{unused.getsockname()[1]}", now_ms=CLOCK)
        assert type(send(firebase, account=service_account(away.credentials(), "test"))) is ChannelUnavailable
    assert firebase.sent == []


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b'{"project_id": "p", "private_key": "no"}'])
def test_a_credentials_file_that_is_none(text: bytes) -> None:
    """Says which file, and nothing of what is in it."""
    with pytest.raises(ConfigurationError, match=r"^fcm\.json: no "):
        service_account(text, "fcm.json")
