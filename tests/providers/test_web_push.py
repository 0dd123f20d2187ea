"""Push messages to browsers, against a local push service that decrypts what it is sent as a browser does."""

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from postcart.adapters.http import HttpClient, HttpOptions
from postcart.adapters.providers.web_push import WebPushProvider, WebPushSender, known_host
from postcart.adapters.sandbox.certificate import certificate
from postcart.adapters.sandbox.web_push import Browser, WebPushSandbox
from postcart.adapters.web_server import Tls, WebServer
from postcart.codecs.jwt import from_base64url, verified
from postcart.codecs.web_push import LONGEST_PLAIN, UserAgentKeys, encrypted, public_point, user_agent_keys, vapid
from postcart.content.push import OutgoingPush, Target
from postcart.errors import (
    ChannelUnavailable,
    DeliveryDeferred,
    DeliveryError,
    DeliveryUncertain,
    ProviderBusy,
    RecipientRejected,
)

P256 = ec.SECP256R1()
KEY = ec.generate_private_key(P256)
MESSAGE = OutgoingPush(
    job_id="7d1f0d7e-55f4-5b63-8a5e-0d1c2f3a4b5c",
    purpose="marketing",
    title="Your cart is waiting",
    body="Größe 38 ist noch da. " * 6,
    link="https://shop.example/cart",
    tag="c" * 32,
    valid_s=3_600,
    language="de",
    direction="ltr",
)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return certificate(tmp_path_factory.mktemp("tls"), now_ms=now_ms())


@pytest.fixture
def service(tls: Tls) -> Iterator[WebPushSandbox]:
    sandbox = WebPushSandbox("", now_ms=now_ms, random=os.urandom)
    with WebServer(sandbox.app, tls=tls).running() as web:
        sandbox.base_url = f"https://localhost:{web.port}"
        yield sandbox


def send(tls: Tls, target: Target, message: OutgoingPush = MESSAGE, *, times: int = 1, **sender: Any) -> Any:
    """What became of the last: the acceptance or the error."""

    async def run() -> Any:
        fields: dict[str, Any] = {"key": KEY, "contact": "mailto:shop@shop.example", "hosts": ("localhost",)}
        http = HttpClient(HttpOptions(ca_file=tls.certificate, connect_s=2.0, read_s=2.0))
        provider = WebPushProvider(WebPushSender(**(fields | sender)), http, now_ms=now_ms, random=os.urandom)
        found: Any = None
        for _ in range(times):
            try:
                found = await provider.send(message, target)
            except DeliveryError as error:
                found = error
        await provider.close()
        return found

    return asyncio.run(run())


def test_the_example_of_the_rfc() -> None:
    """RFC 8291, appendix A: the very bytes, and back."""
    server = ec.derive_private_key(int.from_bytes(from_base64url("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")), P256)
    mine = ec.derive_private_key(int.from_bytes(from_base64url("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94")), P256)
    keys = user_agent_keys(
        "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
        "BTBZMqHH6r4Tts7J_aSIgg",
    )
    body = encrypted(
        b"When I grow up, I want to be a watermelon", keys, key=server, salt=from_base64url("DGv6ra1nlYgDCS1FRnbzlw")
    )
    assert body == from_base64url(
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl"
        "7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )
    assert Browser("rfc", mine, keys.auth).decrypted(body) == b"When I grow up, I want to be a watermelon"


@given(message=st.binary(max_size=LONGEST_PLAIN), salt=st.binary(min_size=16, max_size=16))
def test_only_that_browser_reads_it(message: bytes, salt: bytes) -> None:
    """Whatever it says, within the bound of one record; another browser can't."""
    browser = Browser("mine", KEY, bytes(range(16)))
    keys = UserAgentKeys(public_point(KEY), browser.auth)
    body = encrypted(message, keys, key=ec.generate_private_key(P256), salt=salt)
    assert len(body) <= 4096
    assert browser.decrypted(body) == message
    for other in (Browser("other", ec.generate_private_key(P256), browser.auth), Browser("other", KEY, bytes(16))):
        with pytest.raises(ValueError, match="not encrypted for this browser"):
            other.decrypted(body)


def test_the_bound_is_that_of_the_whole_body() -> None:
    """3,993 bytes make 4,096; one more is refused."""
    keys = UserAgentKeys(public_point(KEY), bytes(16))
    assert len(encrypted(bytes(LONGEST_PLAIN), keys, key=KEY, salt=bytes(16))) == 4096
    assert LONGEST_PLAIN == 3_993
    with pytest.raises(ValueError, match="3993"):
        encrypted(bytes(LONGEST_PLAIN + 1), keys, key=KEY, salt=bytes(16))


def test_a_signature_names_the_service_and_an_end() -> None:
    """RFC 8292: the audience is the origin, the end within 24 hours, and the key is told."""
    header, until_s = vapid("https://push.example:8443/x/y?z", KEY, contact="mailto:a@shop.example", now_s=1_000)
    token = header.removeprefix("vapid t=").partition(", ")[0]
    head, claims = verified(token, KEY.public_key())
    assert head == {"typ": "JWT", "alg": "ES256"}
    assert claims == {"aud": "https://push.example:8443", "exp": 1_000 + 43_200, "sub": "mailto:a@shop.example"}
    assert until_s < claims["exp"]
    with pytest.raises(ValueError, match="signature does not hold"):
        verified(token, ec.generate_private_key(P256).public_key())


def test_a_message_as_a_browser_gets_it(service: WebPushSandbox, tls: Tls) -> None:
    """Signed, encrypted, with how long it is worth keeping and what it replaces."""
    target = Target("c-1", service.subscribe("laptop"))
    assert send(tls, target, times=2).status == "201"
    assert service.faults == []
    first = service.pushed[0]
    assert first.said == {
        "title": "Your cart is waiting",
        "body": MESSAGE.body,
        "link": "https://shop.example/cart",
        "tag": "c" * 32,
        "lang": "de",
        "dir": "ltr",
        "id": MESSAGE.job_id,
    }
    assert (first.headers["ttl"], first.headers["urgency"], first.headers["topic"]) == ("3600", "low", "c" * 32)
    assert first.headers["authorization"] == service.pushed[1].headers["authorization"], "signed once per service"
    assert "localhost" not in repr(target)


@pytest.mark.parametrize(
    ("answer", "kind", "said", "gone"),
    [
        ((404, {}), RecipientRejected, "404", ("c-1",)),
        ((410, {}), RecipientRejected, "410", ("c-1",)),
        ((400, {}), RecipientRejected, "400", ()),
        ((401, {}), RecipientRejected, "401 5.7.0", ()),
        ((403, {}), RecipientRejected, "403 5.7.0", ()),
        ((429, {"retry-after": "120"}), DeliveryDeferred, "429", ()),
        ((503, {"retry-after": "7"}), ProviderBusy, "503", ()),
        ((503, {}), ChannelUnavailable, "503", ()),
        ((500, {}), DeliveryUncertain, "500", ()),
        ((502, {}), DeliveryUncertain, "502", ()),
    ],
)
def test_what_each_answer_means(
    service: WebPushSandbox, tls: Tls, answer: Any, kind: type[DeliveryError], *, said: str, gone: tuple[str, ...]
) -> None:
    """A subscription that is over is named; what is about us is no word about it."""
    service.reply = lambda _: answer
    error = send(tls, Target("c-1", service.subscribe("phone")))
    assert type(error) is kind
    assert error.status == said
    assert error.gone == gone
    if "retry-after" in answer[1]:
        assert error.retry_after_ms == 1_000 * int(answer[1]["retry-after"])


def test_what_is_too_large_is_said_in_fewer_words(service: WebPushSandbox, tls: Tls) -> None:
    """Once; then it is refused."""
    asked: list[int] = []

    def strict(headers: Any) -> tuple[int, dict[str, str]] | None:
        asked.append(int(headers["content-length"]))
        return (413, {}) if asked[-1] > 420 else None

    service.reply = strict
    assert send(tls, Target("c-1", service.subscribe("watch"))).status == "201"
    assert len(asked) == 2
    assert len(service.pushed[0].said["body"]) <= 60
    service.reply = lambda _: (413, {})
    error = send(tls, Target("c-1", service.subscribe("watch")))
    assert (type(error), error.status) == (RecipientRejected, "413")


def test_keys_that_are_none_end_the_subscription(service: WebPushSandbox, tls: Tls) -> None:
    """Nothing can ever be encrypted for it."""
    whole = service.subscribe("phone")
    point = whole.p256dh or ""
    for broken in (
        structs.replace(whole, auth=None),
        structs.replace(whole, auth="AAAA"),
        structs.replace(whole, p256dh=point[:-4]),
        structs.replace(whole, p256dh="B" + "A" * 86),
        structs.replace(whole, p256dh="über"),
    ):
        error = send(tls, Target("c-1", broken))
        assert (type(error), error.gone) == (RecipientRejected, ("c-1",))
    assert service.pushed == []


@pytest.mark.parametrize(
    ("url", "known"),
    [
        ("https://fcm.googleapis.com/fcm/send/x", True),
        ("https://web.push.apple.com/x", True),
        ("https://push.apple.com/x", False),
        ("http://fcm.googleapis.com/x", False),
        ("https://fcm.googleapis.com@10.0.0.1/x", False),
        ("https://fcm.googleapis.com:x/y", False),
        ("https://fcm.googleapis.com\\@evil.example/x", False),
        ("https://evil.example/fcm.googleapis.com", False),
        ("https://evilfcm.googleapis.com/", False),
        ("https://169.254.169.254/latest/meta-data", False),
        ("https://x.push.apple.com.evil.example/", False),
        ("", False),
    ],
)
def test_only_push_services_are_gone_to(url: str, *, known: bool) -> None:
    """Endpoints come from browsers: they may name anything."""
    assert known_host(url, ("fcm.googleapis.com", "*.push.apple.com")) is known


def test_elsewhere_nothing_is_sent(service: WebPushSandbox, tls: Tls) -> None:
    """Neither a request nor a name's resolution; the subscription is not given up for it."""
    error = send(tls, Target("c-1", service.subscribe("x")), hosts=("fcm.googleapis.com",))
    assert (type(error), error.status, error.gone) == (RecipientRejected, "host", ())
    assert service.pushed == []


def test_unreachable_is_not_sent(service: WebPushSandbox, tmp_path: Path) -> None:
    """Another authority's certificate: the message was not told to whoever answers."""
    other = certificate(tmp_path, now_ms=now_ms())
    error = send(other, Target("c-1", service.subscribe("x")))
    assert type(error) is ChannelUnavailable
    assert service.pushed == []
