"""Asking carriers over HTTP, against a local server that fails in every way: as settings wire it up."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from confluent_kafka import Message
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from postcart.adapters.http import HttpClient, HttpOptions
from postcart.adapters.providers.tracker import TrackerApi, TrackerClient
from postcart.adapters.web_server import WebServer
from postcart.codecs.dead_letters import DeadLetter
from postcart.errors import (
    ChannelUnavailable,
    CredentialsRejected,
    DeliveryUncertain,
    ProviderBusy,
    RecipientRejected,
    UnreadableRecord,
)
from postcart.events.polls import PollRequest
from postcart.events.shipments import ParcelStatus
from postcart.metrics.instruments import Instruments
from postcart.metrics.polling import PollFigures
from postcart.senders.poll_queue import Question
from postcart.settings import load_settings
from postcart.wiring.polling import answer_forms, poll_desk, tracker_client

SCAN = {"status": "TRANSIT", "status_date": "2026-11-27T10:00:00Z", "substatus": {"code": "package_accepted"}}
WHOLE = json.dumps({"tracking_history": [SCAN]}).encode()
NOW_MS = 1_795_870_000_000


class Carrier:
    """Answers each number as told; keeps what it was sent."""

    def __init__(self) -> None:
        self.replies: dict[str, tuple[int, bytes, Mapping[str, str]]] = {}
        self.silent: set[str] = set()
        self.seen: list[tuple[str, str, str]] = []
        self.app = Starlette(routes=[Route("/{path:path}", self._answer)])

    async def _answer(self, request: Request) -> Response:
        raw = request.scope["raw_path"].decode()
        self.seen.append((request.method, raw, request.headers.get("x-key", "")))
        number = raw.rpartition("/")[2]
        if number in self.silent:
            await asyncio.sleep(1.0)
        status, body, headers = self.replies.get(number, (200, WHOLE, {}))
        return Response(body, status, headers=dict(headers))


@pytest.fixture
def carrier() -> Iterator[tuple[Carrier, str]]:
    found = Carrier()
    with WebServer(found.app, drain_s=1).running() as web:
        yield found, web.url


def ask(url: str, number: str = "A1", *, read_s: float = 5.0) -> Any:
    """What came, or the error."""

    async def run() -> Any:
        api = TrackerApi(url=url, headers={"X-Key": "secret"}, names={"dhl-express": "dhl_express"}, most_bytes=10_000)
        http = HttpClient(HttpOptions(read_s=read_s, connect_s=2.0, most_bytes=10_000))
        client = TrackerClient(api, http, now_ms=lambda: NOW_MS)
        try:
            return await client.ask("dhl-express", number)
        except Exception as error:  # noqa: BLE001 -- what is looked at
            return error
        finally:
            await client.close()

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("status", "headers", "error"),
    [
        (429, {"retry-after": "90"}, ProviderBusy),
        (429, {}, ProviderBusy),
        (503, {"retry-after": "Sat, 28 Nov 2026 13:00:00 GMT"}, ProviderBusy),
        (503, {}, ChannelUnavailable),
        (500, {}, DeliveryUncertain),
        (502, {}, DeliveryUncertain),
        (401, {}, CredentialsRejected),
        (403, {}, CredentialsRejected),
        (302, {"location": "http://169.254.169.254/latest/meta-data"}, CredentialsRejected),
        (400, {}, RecipientRejected),
        (422, {}, RecipientRejected),
    ],
)
def test_what_a_status_means(
    carrier: tuple[Carrier, str], status: int, headers: Mapping[str, str], error: type[Exception]
) -> None:
    """No redirect is followed; no text of the server gets into a log."""
    server, url = carrier
    server.replies["A1"] = (status, b"somebody@example.com", headers)
    found = ask(f"{url}/t/{{tracking_number}}")
    assert type(found) is error
    assert "somebody" not in str(found)
    assert len(server.seen) == 1
    if headers.get("retry-after") == "90":
        assert found.retry_after_ms == 90_000


def test_answers_and_numbers_that_are_not_known_yet(carrier: tuple[Carrier, str]) -> None:
    """A body is handed on as it is; 404 is none."""
    server, url = carrier
    assert ask(f"{url}/t/{{tracking_number}}") == WHOLE
    server.replies["A1"] = (404, b"not found", {})
    assert ask(f"{url}/t/{{tracking_number}}") is None
    server.replies["A1"] = (200, b"x" * 20_000, {})
    assert isinstance(ask(f"{url}/t/{{tracking_number}}"), UnreadableRecord)


def test_a_carrier_that_says_nothing(carrier: tuple[Carrier, str]) -> None:
    """Within bounds; one that is not there either."""
    server, url = carrier
    server.silent.add("A1")
    assert isinstance(ask(f"{url}/t/{{tracking_number}}", read_s=0.2), DeliveryUncertain)
    assert isinstance(ask("http://127.0.0.1:9/{tracking_number}"), ChannelUnavailable)


@pytest.mark.parametrize("number", ["../../admin", "A1?x=1&y=2", "A1#b", "a b", "Ä1", "{carrier}", "%2e%2e"])
def test_a_number_stays_one_part_of_the_address(carrier: tuple[Carrier, str], number: str) -> None:
    """Whatever somebody registers: neither path nor host nor headers are changed by it."""
    server, url = carrier
    ask(f"{url}/tracks/{{carrier}}/{{tracking_number}}", number)
    ((method, path, key),) = server.seen
    assert (method, key) == ("GET", "secret")
    assert path.startswith("/tracks/dhl_express/")
    assert path.count("/") == 3
    assert "?" not in path


def test_all_of_it_as_settings_wire_it_up(carrier: tuple[Carrier, str]) -> None:
    """Each number meets another fate; good ones become shipments."""
    server, url = carrier
    server.replies |= {
        "UNKNOWN": (404, b"", {}),
        "GARBAGE": (200, b"<html>sorry</html>", {}),
        "OTHERS": (200, json.dumps({"tracking_number": "XY", "tracking_history": [SCAN]}).encode(), {}),
        "REFUSED": (400, b"", {}),
        "BROKEN": (500, b"", {}),
        "EMPTY": (200, b'{"tracking_history": [], "tracking_status": null}', {}),
    }
    numbers = ("GOOD", *server.replies)
    env = {
        "POSTCART_POLLING__CARRIERS": "*",
        "POSTCART_POLLING__URL": f"{url}/tracks/{{carrier}}/{{tracking_number}}",
        "POSTCART_POLLING__ANSWER": "shippo",
        "POSTCART_POLLING__HEADER": "X-Key",
        "POSTCART_POLLING__SECRET": "token",
        "POSTCART_POLLING__RATE_PER_S": "1000",
    }
    settings = load_settings(env)
    registry = CollectorRegistry()
    figures = PollFigures(Instruments(registry), providers=("carrier",), topic="polls")
    scans: list[ParcelStatus] = []
    letters: list[DeadLetter] = []

    def write(some: Any, dead: Any) -> None:
        scans.extend(some)
        letters.extend(dead)

    async def run() -> None:
        clients = {one.name: tracker_client(one) for one in settings.polling.sources}
        desk = poll_desk(settings, answer_forms(settings), clients, write=write, figures=figures)
        for offset, number in enumerate(numbers):
            request = PollRequest(parcel_id="p", carrier="dpd", tracking_number=number, at_ms=0)
            message = Message(topic="polls", partition=0, offset=offset, value=b"{}")
            desk.take(Question(request, message, ("polls", 0), offset, NOW_MS), NOW_MS)
        while len(desk.queue) > 1:  # the one that is tried again
            desk.start(NOW_MS)
            await desk.settle(0.1)
        for client in clients.values():
            await client.close()

    asyncio.run(run())
    ends = {
        sample.labels["outcome"]: sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name == "postcart_polls_total" and sample.value
    }
    assert ends == {"answered": 1, "unknown": 2, "unreadable": 2, "refused": 1, "failed": 1}
    (scan,) = scans
    assert (scan.parcel_key, scan.code, scan.vocabulary) == ("dpd:GOOD", "TRANSIT", "shippo")
    assert {dict(letter.headers)["answer"] for letter in letters} == {
        server.replies["GARBAGE"][1],
        server.replies["OTHERS"][1],
    }
    assert {key for _, _, key in server.seen} == {"token"}
