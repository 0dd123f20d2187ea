"""Webhooks out against a local receiver that verifies them, and against a DNS that lies."""

import asyncio
import ipaddress
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from postcart.adapters.http import HttpClient, HttpOptions
from postcart.adapters.providers.webhook import Endpoint, WebhookProvider
from postcart.adapters.sandbox.certificate import certificate
from postcart.adapters.sandbox.webhook import WebhookSandbox
from postcart.adapters.web_server import Tls, WebServer
from postcart.codecs.standard_webhooks import signed_headers
from postcart.content import sample
from postcart.content.webhook import OutgoingWebhook, render_webhook
from postcart.errors import DeliveryDeferred, DeliveryError, DeliveryUncertain, RecipientRejected

KEY, FORMER = bytes(range(32)), bytes(range(32, 64))
SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="  # noqa: S105 -- bytes 0 to 31
LOCAL = (ipaddress.ip_network("127.0.0.0/8"),)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def webhook(**changes: Any) -> OutgoingWebhook:
    return render_webhook(sample.sample_job("cart-reminder", channel="webhook", **changes), sample.SHOP)


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return certificate(tmp_path_factory.mktemp("tls"), now_ms=now_ms(), names=("hooks.example", "other.example"))


@pytest.fixture
def receiver(tls: Tls) -> Iterator[tuple[WebhookSandbox, WebServer]]:
    found = WebhookSandbox(KEY, now_ms=now_ms)
    with WebServer(found.app, tls=tls).running() as web:
        yield found, web


class Dns:
    """Answers in turn; the last answer stays."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked = 0

    async def __call__(self, _host: str, _port: int) -> Sequence[str]:
        """Answer."""
        self.asked += 1
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


def attempts(
    web: WebServer,
    tls: Tls,
    *messages: OutgoingWebhook,
    dns: Dns | None = None,
    host: str = "hooks.example",
    allowed: Any = LOCAL,
    read_s: float = 5.0,
    keys: tuple[bytes, ...] = (KEY, FORMER),
) -> list[Any]:
    """What became of each, by one provider."""

    async def run() -> list[Any]:
        endpoint = Endpoint(
            url=f"https://{host}:{web.port}/in?x=1", keys=keys, ports=frozenset({web.port}), allowed=allowed
        )
        http = HttpClient(HttpOptions(ca_file=tls.certificate, keep_alive_s=0, read_s=read_s, connect_s=2.0))
        provider = WebhookProvider(endpoint, http, resolve=dns or Dns(["127.0.0.1"]), now_ms=now_ms)
        found: list[Any] = []
        for message in messages:
            try:
                found.append(await provider.send(message))
            except DeliveryError as error:
                found.append(error)
        await provider.close()
        return found

    return asyncio.run(run())


def test_a_webhook_that_any_receiver_of_the_standard_verifies(
    receiver: tuple[WebhookSandbox, WebServer], tls: Tls
) -> None:
    """By the reference library; Host and SNI are the name's, though the connection goes to the address."""
    sandbox, web = receiver
    message = webhook()
    assert attempts(web, tls, message)[0].status == "204"
    assert sandbox.faults == []
    came = sandbox.deliveries[0]
    assert came.host == f"hooks.example:{web.port}"
    assert came.message_id == sample.sample_job("cart-reminder").job_id
    verified = Webhook(SECRET).verify(came.raw, dict(came.headers))
    assert verified["type"] == "cart_reminder"
    assert verified["data"]["cart"]["lines"][0] == {
        "variant_id": "5809910",
        "quantity": 2,
        "unit_price": "24.90",
        "title": "Rosehip face oil, cold pressed",
        "page_url": "https://lumen-leaf.example/p/5809910?ref=cart&size=30",
    }
    assert len(came.headers["webhook-signature"].split()) == 2  # the new secret's and the former one's
    assert b"@" not in came.raw


@given(
    body=st.binary(max_size=200),
    message_id=st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=40),
)
def test_signatures_are_those_of_the_reference_library(body: bytes, message_id: str) -> None:
    """Over id, time and raw body."""
    text = body.hex()
    headers = signed_headers(message_id, text.encode(), at_s=now_ms() // 1_000, keys=[FORMER, KEY])
    from datetime import UTC, datetime  # noqa: PLC0415 -- only the oracle needs it

    at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
    assert Webhook(SECRET).sign(message_id, at, text) == headers["webhook-signature"].split()[1]


def test_the_same_job_gives_the_same_bytes() -> None:
    """In every attempt; only time and signature differ."""
    assert webhook().body == webhook(attempt=3).body
    assert msgspec.json.decode(webhook().body).keys() == {"type", "timestamp", "data"}


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((410, {}), (RecipientRejected, "410 5.1.6", None)),
        ((500, {}), (DeliveryDeferred, "500", None)),
        ((404, {}), (DeliveryDeferred, "404", None)),
        ((429, {"retry-after": "90"}), (DeliveryDeferred, "429", 90_000)),
        ((503, {"retry-after": "5"}), (DeliveryDeferred, "503", 5_000)),
    ],
)
def test_answers(receiver: tuple[WebhookSandbox, WebServer], tls: Tls, answer: Any, error: Any) -> None:
    """410 ends it; anything else that is no 2xx is tried again, no sooner than it asks for."""
    sandbox, web = receiver
    sandbox.reply = lambda _: answer
    found = attempts(web, tls, webhook())[0]
    assert (type(found), found.status, getattr(found, "retry_after_ms", None)) == error


def test_no_answer(tls: Tls) -> None:
    """A transactional webhook is tried again under its id; a reminder is not: it may be there."""
    taken = threading.Event()

    async def slow(_scope: Any, receive: Any, _send: Any) -> None:
        await receive()
        taken.set()
        await asyncio.sleep(1.5)

    with WebServer(slow, tls=tls, drain_s=1).running() as web:
        found = attempts(web, tls, webhook(), webhook(purpose="transactional"), read_s=0.5)
    assert [type(one) for one in found] == [DeliveryUncertain, DeliveryDeferred]
    assert taken.is_set()


# -- where it may lead -------------------------------------------------------------------------------------------------


def test_a_name_that_leads_home_is_not_gone_to(receiver: tuple[WebhookSandbox, WebServer], tls: Tls) -> None:
    """Loopback, private, metadata, mapped; also beside a public address: no connection, no request."""
    sandbox, web = receiver
    for addresses in (
        ["127.0.0.1"],
        ["10.0.0.1"],
        ["169.254.169.254"],
        ["::ffff:127.0.0.1"],
        ["::1"],
        ["8.8.8.8", "127.0.0.1"],
        ["64:ff9b::7f00:1"],
    ):
        error = attempts(web, tls, webhook(), dns=Dns(addresses), allowed=())[0]
        assert isinstance(error, DeliveryDeferred), addresses
        assert error.status == "unsafe"
    assert sandbox.deliveries == []


def test_a_name_that_changes_its_mind(receiver: tuple[WebhookSandbox, WebServer], tls: Tls) -> None:
    """DNS rebinding: it is asked once per attempt, and the connection goes to the address that was checked."""
    sandbox, web = receiver
    dns = Dns(["127.0.0.1"], ["169.254.169.254"])
    first, second = attempts(web, tls, webhook(), webhook(), dns=dns)
    assert first.status == "204"
    assert (type(second), second.status) == (DeliveryDeferred, "unsafe")
    assert dns.asked == 2
    assert len(sandbox.deliveries) == 1


def test_redirects_to_anywhere_are_not_followed(receiver: tuple[WebhookSandbox, WebServer], tls: Tls) -> None:
    """To a metadata address or to itself: one request, and no other connection."""
    sandbox, web = receiver
    for place in ("http://169.254.169.254/latest/meta-data/", f"{web.url}/other", "//127.0.0.1/"):
        sandbox.reply = lambda _, place=place: (307, {"location": place})
        error = attempts(web, tls, webhook())[0]
        assert (type(error), error.status) == (DeliveryDeferred, "307")
    assert len(sandbox.deliveries) == 3


def test_the_certificate_must_be_the_names(
    receiver: tuple[WebhookSandbox, WebServer], tls: Tls, tmp_path: Path
) -> None:
    """Not the address's, nor another's, nor of an unknown authority."""
    sandbox, web = receiver
    assert isinstance(attempts(web, tls, webhook(), host="stranger.example")[0], DeliveryDeferred)
    stranger = certificate(tmp_path, now_ms=now_ms())
    assert isinstance(attempts(web, stranger, webhook())[0], DeliveryDeferred)
    assert sandbox.deliveries == []


def test_connections_are_not_shared_between_names(receiver: tuple[WebhookSandbox, WebServer], tls: Tls) -> None:
    """The pool knows addresses: each request has a connection, and with it a check of the certificate, of its own."""
    sandbox, web = receiver

    async def run() -> list[str]:
        http = HttpClient(HttpOptions(ca_file=tls.certificate, keep_alive_s=0, connect_s=2.0))
        found = []
        for host in ("hooks.example", "stranger.example"):
            endpoint = Endpoint(
                url=f"https://{host}:{web.port}/", keys=(KEY,), ports=frozenset({web.port}), allowed=LOCAL
            )
            provider = WebhookProvider(endpoint, http, resolve=Dns(["127.0.0.1"]), now_ms=now_ms)
            try:
                found.append((await provider.send(webhook())).status)
            except DeliveryDeferred:
                found.append("refused")
        await http.close()
        return found

    assert asyncio.run(run()) == ["204", "refused"]
    assert len(sandbox.deliveries) == 1
