"""The in-app feed on real Kafka, started as operators do: from a job to a page and an open stream, and back."""

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from postcart.codecs.feed_token import Holder
from postcart.wiring.feed import feed_token
from stream.channel_rig import ChannelRig, channel_rig
from stream.sender_rig import now_ms
from waiting import wait_for

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
SHOP = "https://shop.example"


class Client:
    """Somebody with a token."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self.token = f"{url}/v1/feed", token
        self.headers = {"authorization": f"Bearer {token}"}

    def get(self, path: str = "", **headers: str) -> httpx.Response:
        """Ask."""
        return httpx.get(f"{self.url}{path}", headers=self.headers | headers)

    def post(self, path: str) -> httpx.Response:
        """Do."""
        return httpx.post(f"{self.url}{path}", headers=self.headers)

    def titles(self, path: str = "") -> list[str]:
        """Kinds of what is listed, newest first."""
        return [one["kind"] for one in self.get(path).json()["items"]]


class Stream:
    """An open stream: what it has brought so far."""

    def __init__(self) -> None:
        self.events: list[tuple[str | None, str, Any]] = []
        self.beats = 0
        self.ended = threading.Event()

    def take(self, response: httpx.Response) -> None:
        """Read to its end."""
        event: dict[str, str] = {}
        try:
            for line in response.iter_lines():
                name, _, value = line.partition(": ")
                if line.startswith(":"):
                    self.beats += 1
                elif line:
                    event[name] = value
                elif "event" in event:
                    self.events.append((event.get("id"), event["event"], json.loads(event["data"])))
                    event = {}
                else:
                    event = {}
        except httpx.HTTPError:
            pass  # closed here
        finally:
            self.ended.set()

    def named(self, name: str) -> list[Any]:
        """Data of the events of a name."""
        return [data for _, event, data in self.events if event == name]


@contextmanager
def streaming(client: Client, query: str = "", **headers: str) -> Iterator[Stream]:
    """A stream as an EventSource opens it: the token in the address."""
    found = Stream()
    url = f"{client.url}/stream?token={client.token}{query}"
    with httpx.stream("GET", url, headers=headers, timeout=60) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        thread = threading.Thread(target=found.take, args=(response,), daemon=True)
        thread.start()
        try:
            yield found
        finally:
            response.close()
    thread.join(10)


def _url(rig: ChannelRig) -> str | None:
    for line in rig.log_of("gateway").splitlines():
        if "gateway_listens" in line:
            return str(json.loads(line)["url"])
    return None


@contextmanager
def feed_rig(kafka: Any, folder: Path, *, projected: bool = True, **more: str) -> Iterator[tuple[ChannelRig, str]]:
    """Sender, projection and gateway; and where the gateway answers."""
    env = {
        "POSTCART_CHANNELS": "email,inapp",
        "POSTCART_READ_MODEL_URL": f"sqlite:///{folder}/read-model.db",
        "POSTCART_GATEWAY__PORT": "0",
        "POSTCART_FEED__ORIGINS": json.dumps([SHOP]),
        "POSTCART_FEED__HEARTBEAT_S": "0.3",
        **more,
    }
    with channel_rig(kafka, folder, **env) as rig:
        rig.start("inapp", "worker", "send", "inapp")
        if projected:
            rig.start("project", "worker", "project")
        rig.start("gateway", "worker", "gateway")
        yield rig, wait_for(lambda: _url(rig), what=lambda: rig.log_of("gateway"))


def client_of(rig: ChannelRig, url: str, person_id: str) -> Client:
    holder = Holder(None, person_id, now_ms() + 600_000)
    return Client(url, feed_token(rig.settings, holder, now_ms=now_ms()))


def test_from_a_job_to_page_and_stream_and_back(kafka: Any, tmp_path: Path) -> None:
    """Listed, told live, marked on one device and seen on the other; once, whatever is repeated; and JOURNEY hears."""
    with ExitStack() as stack:
        rig, url = stack.enter_context(feed_rig(kafka, tmp_path))
        ann, bob = (rig.person(name, "inapp", "") for name in ("ann", "bob"))
        reader, other = client_of(rig, url, ann), client_of(rig, url, bob)
        first = rig.emit(ann, "inapp", purpose="marketing")
        wait_for(lambda: rig.outcomes()["accepted"] == 1, what=lambda: rig.log_of("inapp"))
        listed = wait_for(lambda: _found(reader), what=lambda: rig.log_of("project") + rig.log_of("gateway"))
        (item,) = listed["items"]
        assert (item["id"], item["kind"], item["read_at"], listed["unread"]) == (first.job_id, "cart-reminder", None, 1)
        assert (item["title"], item["action"]["url"]) == ("Your cart at Example Shop is waiting", f"{SHOP}/cart")
        assert other.get().json()["items"] == []

        live = stack.enter_context(streaming(reader, f"&since={listed['stream']}"))
        wait_for(lambda: live.named("ready"), what="ready")
        second = rig.emit(ann, "inapp", template="cart-reminder-2", step=2, purpose="marketing")
        (told,) = wait_for(lambda: live.named("item"), what=lambda: rig.log_of("gateway"))
        assert (told["item"]["id"], told["unread"]) == (second.job_id, 2)
        assert reader.titles() == ["cart-reminder-2", "cart-reminder"]
        assert reader.titles("?limit=1") == ["cart-reminder-2"]
        cursor = reader.get("?limit=1").json()["next"]
        assert reader.titles(f"?limit=1&cursor={cursor}") == ["cart-reminder"]

        marked = reader.post(f"/items/{first.job_id}/read")
        assert (marked.status_code, marked.json()["unread"]) == (200, 1)
        assert reader.titles("?view=unread") == ["cart-reminder-2"]
        wait_for(lambda: len(live.named("item")) == 2, what=lambda: live.events)
        assert live.named("item")[1]["item"]["read_at"] is not None
        assert other.post(f"/items/{first.job_id}/read").status_code == 404

        for _ in range(2):
            assert reader.post(f"/items/{second.job_id}/archive").json()["unread"] == 0
        assert (reader.titles(), reader.titles("?view=archived")) == (["cart-reminder"], ["cart-reminder-2"])
        delivered = [one for one in rig.receipts() if getattr(one, "kind", None) == "delivered"]
        assert sorted(one.job_id for one in delivered) == sorted([first.job_id, second.job_id])

        # Whoever was away gets what was missed, from the last event's id on; the same job once more is nothing new.
        last = next(at for at, name, _ in reversed(live.events) if name == "item")
        third = rig.emit(ann, "inapp", template="cart-reminder-incentive", step=3, purpose="marketing")
        rig.emit(ann, "inapp", template="cart-reminder-2", step=2, purpose="marketing")
        wait_for(lambda: _found(reader, 2), what=lambda: rig.log_of("inapp"))
        with streaming(reader, **{"last-event-id": str(int(last))}) as again:
            missed = wait_for(lambda: again.named("item"), what=lambda: again.events)
            wait_for(lambda: again.beats > 1, what="signs of life")
        assert [one["item"]["id"] for one in missed if one["item"]["kind"] != "cart-reminder-2"] == [third.job_id]
        assert reader.post("/read-all").json() == {"unread": 0}

        rig.processes["gateway"].send_signal(signal.SIGTERM)
        assert live.ended.wait(5), "an open stream holds the process up"
        assert rig.processes["gateway"].wait(20) == 0
        assert "cart at" not in (tmp_path / "read-model.db").read_bytes().decode("latin-1"), "it lies there in clear"
        assert b"cart at" not in b"".join(value or b"" for _, value in rig.records("feed"))


def _found(client: Client, least: int = 1) -> Any:
    answer = client.get()
    body = answer.json()
    return body if answer.status_code == 200 and len(body["items"]) >= least else None


def test_who_may_ask_and_how(kafka: Any, tmp_path: Path) -> None:
    """Every refusal says why, as a problem; only pages of the origins may read; a person has its rate."""
    rate = {"POSTCART_FEED__RATE_PER_S": "0.01", "POSTCART_FEED__BURST": "30"}
    with feed_rig(kafka, tmp_path, projected=False, **rate) as (rig, url):
        client = client_of(rig, url, rig.person("ann", "inapp", ""))
        assert (client.get().status_code, client.get().json()["code"]) == (503, "unavailable")
        assert client.get("/stream").headers["retry-after"] == "5"
        rig.start("project", "worker", "project")
        wait_for(lambda: client.get().status_code in {200, 429}, what=lambda: rig.log_of("gateway"))
        client = client_of(rig, url, rig.person("eve", "inapp", ""))

        def refused(answer: httpx.Response) -> tuple[int, str]:
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["status"] == answer.status_code
            return answer.status_code, answer.json()["code"]

        assert refused(httpx.get(f"{url}/v1/feed")) == (401, "token_missing")
        assert refused(httpx.get(f"{url}/v1/feed?token={client.token}")) == (401, "token_missing")
        forged = httpx.get(f"{url}/v1/feed", headers={"authorization": f"Bearer {client.token[:-3]}abc"})
        assert refused(forged) == (401, "token_forged")
        assert 'error="invalid_token"' in forged.headers["www-authenticate"]
        old = feed_token(rig.settings, Holder("7", None, now_ms() - 61_000), now_ms=now_ms())
        assert refused(httpx.get(f"{url}/v1/feed", headers={"authorization": f"Bearer {old}"})) == (
            401,
            "token_expired",
        )
        for path in ("?limit=0", "?limit=101", "?limit=x", "?view=all", "?cursor=-1", "?cursor=x", "/stream?since=x"):
            assert refused(client.get(path)) == (400, "parameter"), path
        assert refused(client.get("/nothing")) == (404, "not_found")
        assert refused(client.post("")) == (405, "method")
        assert refused(client.post("/items/unknown/read")) == (404, "no_such_item")
        assert client.post("/read-all").json() == {"unread": 0}

        allowed = client.get("", origin=SHOP).headers
        assert allowed["access-control-allow-origin"] == SHOP
        assert "access-control-allow-origin" not in client.get("", origin="https://evil.example").headers
        asks = {
            "origin": SHOP,
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization",
        }
        assert httpx.options(f"{url}/v1/feed/read-all", headers=asks).status_code == 200
        answers = [client.get("/unread") for _ in range(40)]
        assert refused(answers[-1]) == (429, "too_many_requests")
        assert answers[-1].headers["retry-after"] == "100"
