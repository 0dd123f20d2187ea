"""Push messages over APNs, against a local server that speaks HTTP/2 over TLS and checks what Apple checks."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from postcart.adapters.http import HttpClient, HttpOptions
from postcart.adapters.providers.apns import LONGEST_PAYLOAD, ApnsProvider, ApnsTeam, apns_payload
from postcart.adapters.providers.apns_reasons import CREDENTIALS, GONE, OURS, PACE
from postcart.adapters.sandbox.apns import ApnsSandbox
from postcart.adapters.sandbox.certificate import certificate
from postcart.adapters.sandbox.http2 import Http2Server
from postcart.adapters.web_server import Tls
from postcart.codecs.jwt import verified
from postcart.content.push import LONGEST_BODY, LONGEST_TITLE, OutgoingPush, Target
from postcart.errors import (
    ChannelUnavailable,
    CredentialsRejected,
    DeliveryDeferred,
    DeliveryError,
    DeliveryUncertain,
    ProviderBusy,
    RecipientRejected,
)
from postcart.events.shop import PushSubscription

KEY = ec.generate_private_key(ec.SECP256R1())
DEVICE = "00fc13adff785122b4ad28809a3420982341241421348097878e577c991de8f0"
MINUTE_MS = 60_000


def message(**changes: Any) -> OutgoingPush:
    fields: dict[str, Any] = {
        "job_id": "7d1f0d7e-55f4-5b63-8a5e-0d1c2f3a4b5c",
        "purpose": "marketing",
        "title": "Your cart is waiting",
        "body": "Größe 38 ist noch da.",
        "link": "https://shop.example/cart",
        "tag": "c" * 32,
        "valid_s": 3_600,
        "language": "de",
        "direction": "ltr",
    }
    return OutgoingPush(**(fields | changes))


def target(device: str = DEVICE, **changes: Any) -> Target:
    return Target("c-1", PushSubscription(kind="apns", token=device, **changes))


class Clock:
    """Tells what it is told, for both sides."""

    def __init__(self) -> None:
        self.ms = time.time_ns() // 1_000_000

    def __call__(self) -> int:
        """The time."""
        return self.ms


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return certificate(tmp_path_factory.mktemp("tls"), now_ms=time.time_ns() // 1_000_000)


class Apple:
    """The server, its clock and a way to send to it."""

    def __init__(self, tls: Tls) -> None:
        self.clock = Clock()
        self.sandbox = ApnsSandbox(
            team_id="TEAM123456", key_id="KEY1234567", key=KEY.public_key(), topics=("com.example.shop",),
            now_ms=self.clock,
        )  # fmt: skip
        self._tls = tls
        self.port = 0

    def provider(self, **changes: Any) -> ApnsProvider:
        """One more worker's."""
        fields: dict[str, Any] = {
            "base_url": f"https://localhost:{self.port}",
            "team_id": "TEAM123456",
            "key_id": "KEY1234567",
            "key": KEY,
            "topic": "com.example.shop",
        }
        http = HttpClient(HttpOptions(ca_file=self._tls.certificate, http2=True, connect_s=2.0, read_s=2.0))
        return ApnsProvider(ApnsTeam(**(fields | changes)), http, now_ms=self.clock)

    def send(self, to: Target | None = None, what: OutgoingPush | None = None, **team: Any) -> Any:
        """What became of it: the acceptance or the error."""

        async def run() -> Any:
            of = self.provider(**team)
            try:
                return await of.send(what or message(), to or target())
            except DeliveryError as error:
                return error
            finally:
                await of.close()

        return asyncio.run(run())


@pytest.fixture
def apple(tls: Tls) -> Iterator[Apple]:
    found = Apple(tls)
    with Http2Server(found.sandbox.handle, tls=tls).running() as server:
        found.port = server.port
        yield found


def test_a_message_as_apple_wants_it(apple: Apple) -> None:
    """Signed by the team's key; topic, type, end and what it replaces are in the headers."""
    accepted = apple.send()
    assert apple.sandbox.faults == []
    came = apple.sandbox.notified[0]
    assert (accepted.status, accepted.detail) == ("200", came.headers["apns-id"])
    assert came.device == DEVICE
    assert came.said == {
        "aps": {"alert": {"title": "Your cart is waiting", "body": "Größe 38 ist noch da."}, "thread-id": "c" * 32},
        "link": "https://shop.example/cart",
        "id": "7d1f0d7e-55f4-5b63-8a5e-0d1c2f3a4b5c",
    }
    names = ("apns-topic", "apns-push-type", "apns-priority", "apns-collapse-id")
    assert [came.headers[name] for name in names] == ["com.example.shop", "alert", "5", "c" * 32]
    assert came.headers["apns-expiration"] == str(apple.clock.ms // 1_000 + 3_600)
    head, claims = verified(came.headers["authorization"].removeprefix("bearer "), KEY.public_key())
    assert head == {"typ": "JWT", "alg": "ES256", "kid": "KEY1234567"}
    assert claims == {"iss": "TEAM123456", "iat": apple.clock.ms // 2_400_000 * 2_400}
    again = apple.send()
    assert again.detail == accepted.detail == str(UUID(accepted.detail)), "the same message has the same id"
    apple.send(what=message(purpose="transactional"))
    assert apple.sandbox.notified[-1].headers["apns-priority"] == "10"


def test_a_token_is_used_for_more_than_20_minutes_and_less_than_an_hour(apple: Apple) -> None:
    """Else Apple refuses what is sent, as the local server does; several workers share it without a word."""

    async def run() -> None:
        workers = [apple.provider() for _ in range(3)]
        for number in range(30):
            await workers[number % 3].send(message(), target())
            apple.clock.ms += 5 * MINUTE_MS
        await asyncio.gather(*(one.close() for one in workers))

    asyncio.run(run())
    tokens = list(dict.fromkeys(one.headers["authorization"] for one in apple.sandbox.notified))
    assert len(tokens) in {4, 5}  # 150 minutes by 40
    assert apple.sandbox.faults == []


def test_many_over_one_connection(apple: Apple) -> None:
    """HTTP/2 carries them side by side, each with its answer."""

    async def run() -> list[str]:
        of = apple.provider()
        found = await asyncio.gather(*(of.send(message(), target(f"{n:064x}")) for n in range(100)))
        await of.close()
        return [one.status for one in found]

    assert asyncio.run(run()) == ["200"] * 100
    assert len({one.device for one in apple.sandbox.notified}) == 100


def test_a_device_that_is_gone(apple: Apple) -> None:
    """Given up, unless it was registered after Apple found it gone."""
    apple.sandbox.gone = {DEVICE: 1_700_000_000_000}
    for since, gone in ((None, ("c-1",)), (1_600_000_000_000, ("c-1",)), (1_800_000_000_000, ())):
        error = apple.send(target(since=since))
        assert (type(error), error.status, error.gone) == (RecipientRejected, "410 Unregistered", gone)
    error = apple.send(target("no device"))
    assert (type(error), error.status, error.gone) == (RecipientRejected, "400 BadDeviceToken", ("c-1",))


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        ((400, "DeviceTokenNotForTopic"), RecipientRejected, "400 DeviceTokenNotForTopic 5.7.0"),
        ((400, "BadMessageId"), RecipientRejected, "400 BadMessageId"),
        ((400, "MissingTopic"), CredentialsRejected, "400 MissingTopic"),
        ((403, "InvalidProviderToken"), CredentialsRejected, "403 InvalidProviderToken"),
        ((403, "Forbidden"), CredentialsRejected, "403 Forbidden"),
        ((413, "PayloadTooLarge"), RecipientRejected, "413 PayloadTooLarge"),
        ((429, "TooManyRequests"), DeliveryDeferred, "429 TooManyRequests"),
        ((429, "TooManyProviderTokenUpdates"), ProviderBusy, "429 TooManyProviderTokenUpdates"),
        ((500, "InternalServerError"), DeliveryUncertain, "500 InternalServerError"),
        ((503, "ServiceUnavailable"), ChannelUnavailable, "503 ServiceUnavailable"),
        ((503, "Shutdown"), ChannelUnavailable, "503 Shutdown"),
    ],
)
def test_what_each_reason_means(apple: Apple, answer: tuple[int, str], kind: type[DeliveryError], said: str) -> None:
    """By its reason where that says more than its status."""
    apple.sandbox.reply = lambda _device, _headers: (answer[0], {"reason": answer[1]})
    error = apple.send()
    assert type(error) is kind
    assert (error.status, error.gone) == (said, ())
    assert DEVICE not in str(error)


def test_a_token_that_ended_is_renewed_once(apple: Apple) -> None:
    """The clocks may differ; if the next one has ended too, somebody must look."""
    answers: list[str] = []

    def reply(_device: str, headers: Any) -> tuple[int, dict[str, str]] | None:
        answers.append(headers["authorization"])
        return (403, {"reason": "ExpiredProviderToken"}) if len(answers) in {1, 3, 4} else None

    apple.sandbox.reply = reply
    assert apple.send().status == "200"
    error = apple.send()
    assert (type(error), len(answers)) == (CredentialsRejected, 4)


def test_wrong_keys_and_topics_are_told(apple: Apple) -> None:
    """The server's own word, without the key."""
    other = ec.generate_private_key(ec.SECP256R1())
    assert apple.send(key=other).status == "403 InvalidProviderToken"
    assert apple.send(team_id="TEAM000000").status == "403 InvalidProviderToken"
    assert apple.send(target(app="com.example.other")).status == "400 DeviceTokenNotForTopic 5.7.0"
    assert apple.send(topic=None).status == "topic 5.7.0"
    assert apple.send(target(app="com.example.shop"), topic=None).status == "200"


def test_the_longest_message_is_well_within_the_bound() -> None:
    """Title, text and link have bounds of their own."""
    longest = message(title="😀" * LONGEST_TITLE, body="😀" * LONGEST_BODY, link="https://shop.example/" + "x" * 979)
    assert len(apns_payload(longest)) < LONGEST_PAYLOAD


def test_each_reason_means_one_thing() -> None:
    """Those that the delivery rules name are there."""
    tables = [set(GONE), set(OURS), set(CREDENTIALS), set(PACE)]
    assert sum(map(len, tables)) == len(set().union(*tables))
    assert {"BadDeviceToken", "Unregistered"} <= GONE
