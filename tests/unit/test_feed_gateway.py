"""The gateway's in-app feed: what a client sees of pages, marks and streams."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from feed_gateway import FeedGateway, feed_gateway
from postcart.codecs.marks import KeyMark
from waiting import wait_for


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[FeedGateway]:
    with feed_gateway(tmp_path) as found:
        yield found


def client(gateway: FeedGateway, customer: str = "ann") -> httpx.Client:
    headers = {"authorization": f"Bearer {gateway.token(customer)}"}
    return httpx.Client(base_url=gateway.server.url, headers=headers)


class Stream:
    """An open stream, read as it comes."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.iter_lines()

    def event(self) -> tuple[str | None, str, Any]:
        """The next one: id, name, data; waits for it."""
        found: dict[str, str] = {}
        for line in self._lines:
            name, _, value = line.partition(": ")
            if line:
                found[name] = value
            elif "event" in found:
                return found.get("id"), found["event"], json.loads(found["data"])
            else:
                found = {}
        raise EOFError


def test_pages(gateway: FeedGateway) -> None:
    """Newest first; what comes between two pages stands before the first; next is null on the last."""
    for number in range(5):
        gateway.add("ann", f"n{number}")
    with client(gateway) as ann:
        first = ann.get("/v1/feed", params={"limit": 3}).json()
        gateway.add("ann", "late")
        second = ann.get("/v1/feed", params={"limit": 3, "cursor": first["next"]}).json()
    kinds = [one["kind"] for page in (first, second) for one in page["items"]]
    assert kinds == ["n4", "n3", "n2", "n1", "n0"]
    assert (second["next"], first["unread"], second["unread"]) == (None, 5, 6)


def test_texts_are_given_as_they_are(gateway: FeedGateway) -> None:
    """As data, in no page's markup; a button only whole."""
    gateway.add("ann", "x", title="<b>1 & 2</b>", body="مرحبا", language="ar", label="Go", url="https://shop.example/")
    with client(gateway) as ann:
        answer = ann.get("/v1/feed")
    (item,) = answer.json()["items"]
    assert (item["title"], item["body"], item["language"]) == ("<b>1 & 2</b>", "مرحبا", "ar")
    assert item["action"] == {"label": "Go", "url": "https://shop.example/"}
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"


def test_marks_and_the_reports_they_bring(gateway: FeedGateway) -> None:
    """Each item is reported delivered once: when it was first seen, by whatever mark."""
    a, b, c = (gateway.add("ann", name) for name in "abc")
    with client(gateway) as ann:
        assert ann.post(f"/v1/feed/items/{a}/read").json()["unread"] == 2
        assert ann.post(f"/v1/feed/items/{a}/unread").json()["item"]["read_at"] is None
        assert ann.post("/v1/feed/seen", params={"up_to": b}).json() == {"unread": 3}
        assert [one.job_id for one in gateway.records.reports] == [a, b]
        assert ann.post("/v1/feed/seen", params={"up_to": b}).json() == {"unread": 3}
        assert ann.post("/v1/feed/read-all", params={"up_to": b}).json() == {"unread": 1}
        assert ann.post(f"/v1/feed/items/{c}/archive").json()["unread"] == 0
        assert ann.post("/v1/feed/archive-all").json() == {"unread": 0}
        assert ann.get("/v1/feed").json()["items"] == []
        assert ann.post(f"/v1/feed/items/{b}/unarchive").json()["item"]["archived_at"] is None
        assert [one["id"] for one in ann.get("/v1/feed").json()["items"]] == [b]
        assert ann.post("/v1/feed/read-all", params={"up_to": "unknown"}).status_code == 404
    assert [(one.job_id, one.kind, one.source) for one in gateway.records.reports] == [
        (one, "delivered", "feed") for one in (a, b, c)
    ]
    assert len({one.report_id for one in gateway.records.reports}) == 3


def test_a_stream_misses_nothing(gateway: FeedGateway) -> None:
    """From a page on; cut off and opened again with the last id; items that changed together count as one place."""
    first, second = gateway.add("ann", "first"), gateway.add("ann", "second")
    with client(gateway) as ann:
        since = ann.get("/v1/feed").json()["stream"]
        with ann.stream("GET", "/v1/feed/stream", params={"since": since}) as response:
            stream = Stream(response)
            assert stream.event() == (since, "ready", {"unread": 2})
            gateway.add("bob", "not hers")
            third = gateway.add("ann", "third")
            _, name, data = stream.event()
            assert (name, data["item"]["id"], data["unread"]) == ("item", third, 3)
            ann.post("/v1/feed/read-all")
            told = [stream.event() for _ in range(3)]
        assert {data["item"]["id"] for _, _, data in told} == {first, second, third}
        assert [at is not None for at, _, _ in told] == [False, False, True]
        fourth = gateway.add("ann", "fourth")
        with ann.stream("GET", "/v1/feed/stream", headers={"last-event-id": str(told[-1][0])}) as response:
            stream = Stream(response)
            assert stream.event() == (None, "ready", {"unread": 1})
            assert stream.event()[2]["item"]["id"] == fourth


def test_who_missed_too_much_loads_anew(gateway: FeedGateway) -> None:
    """After more than 200 changes, and from a place that there is not, as after a rebuild."""
    for number in range(201):
        gateway.add("ann", str(number))
    with client(gateway) as ann:
        for since in ("0", "999999"):
            with ann.stream("GET", "/v1/feed/stream", params={"since": since}) as response:
                stream = Stream(response)
                stream.event()
                at, name, data = stream.event()
                assert (at, name, data) == (ann.get("/v1/feed").json()["stream"], "reset", {"unread": 201})


def test_streams_are_bounded_and_end(gateway: FeedGateway) -> None:
    """Two per person here; one that was left makes room; with the token it ends, by itself."""
    gateway.add("ann", "a")
    with client(gateway) as ann:
        with ann.stream("GET", "/v1/feed/stream") as one, ann.stream("GET", "/v1/feed/stream") as two:
            streams = [Stream(one), Stream(two)]  # httpx closes what nobody reads any more
            assert [stream.event()[1] for stream in streams] == ["ready", "ready"]
            wait_for(lambda: gateway.hub.open_streams == 2, "two streams are not open")
            refused = ann.get("/v1/feed/stream")
            assert (refused.status_code, refused.json()["code"]) == (429, "streams")
        wait_for(lambda: gateway.hub.open_streams == 0, "streams are still open")
    for left_s in (1, 4, 16):  # on a busy machine the first may be over before it is asked with
        brief = gateway.token("ann", seconds=left_s - 60)  # the allowance for other clocks is a minute
        ended = httpx.get(f"{gateway.server.url}/v1/feed/stream", params={"token": brief}, timeout=60)
        if ended.status_code == httpx.codes.OK:
            break
    assert "event: ready" in ended.text


def test_a_destroyed_key_empties_the_feed(gateway: FeedGateway) -> None:
    """Nothing is left to open."""
    gateway.add("ann", "a")
    gateway.records.apply(KeyMark("person of ann", 0, None))
    with client(gateway) as ann:
        assert ann.get("/v1/feed").json()["items"] == []
        assert ann.get("/v1/feed/unread").json() == {"unread": 0}


def test_the_page_loads_only_its_own(gateway: FeedGateway) -> None:
    """And says so to the browser."""
    page = httpx.get(f"{gateway.server.url}/feed")
    assert page.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
    for name, kind in (("page.js", "text/javascript"), ("page.css", "text/css"), ("postcart-feed.css", "text/css")):
        assert f'"/feed/{name}"' in page.text
        assert httpx.get(f"{gateway.server.url}/feed/{name}").headers["content-type"].startswith(kind)
    assert 'from "/feed/postcart-feed.js"' in httpx.get(f"{gateway.server.url}/feed/page.js").text
    assert (
        httpx.get(f"{gateway.server.url}/feed/postcart-feed-words.js")
        .headers["content-type"]
        .startswith("text/javascript")
    )
    assert "export function mountFeed" in httpx.get(f"{gateway.server.url}/feed/postcart-feed.js").text
