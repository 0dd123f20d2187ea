"""``postcart sandbox``: the settings that it prints lead every channel to a provider that takes what is sent."""

import asyncio
import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from postcart.adapters.sandbox import Arrival
from postcart.adapters.sandbox.carrier import PATH, SECRET, CarrierSandbox
from postcart.adapters.sandbox.slack import SlackSandbox
from postcart.adapters.vault import Vault
from postcart.adapters.web_server import WebServer
from postcart.content import sample
from postcart.domain.journey.contacts import push_text
from postcart.domain.track.answers import Answer, read_answer
from postcart.errors import CredentialsRejected, RecipientRejected
from postcart.events.gate import GatePerson
from postcart.events.polls import PollRequest
from postcart.events.shop import PushSubscription
from postcart.settings import Settings, load_settings
from postcart.wiring.channels import channel
from postcart.wiring.polling import answer_forms, tracker_client
from postcart.wiring.tracking import vocabularies

ROOT = Path(__file__).parents[2]
ENVIRON = dict(os.environ)  # noqa: TID251 -- what the command inherits


def asked(settings: Settings, number: str, *, carrier: str = "usps", times: int = 1) -> list[Answer]:
    """What a parcel's answers hold, as the worker that polls asks and reads them."""
    (source,), (form,) = settings.polling.sources, answer_forms(settings).values()
    request = PollRequest(parcel_id="p", carrier=carrier, tracking_number=number, at_ms=0)

    async def run() -> list[Answer]:
        client = tracker_client(source)
        try:
            bodies = [await client.ask(carrier, number) for _ in range(times)]
        finally:
            await client.close()
        return [read_answer(json.loads(body), form, request) if body else Answer() for body in bodies]

    return asyncio.run(run())


@pytest.mark.slow
def test_every_channel_finds_its_provider(tmp_path: Path) -> None:
    """Started as a developer does; mails, texts, webhooks and all kinds of push messages are taken and printed."""
    command = [sys.executable, "-m", "postcart", "sandbox", "--port", "0", "--folder", str(tmp_path), "-o", "json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRON, cwd=ROOT) as process:  # noqa: S603 -- our own
        assert process.stdout is not None
        try:
            begun = json.loads(process.stdout.readline())
            folders = {f"POSTCART_{name.upper()}_DIR": str(ROOT / name) for name in ("templates", "locales")}
            settings = load_settings({**begun["settings"], **folders})
            vault = Vault(settings.master_key_bytes, os.urandom)
            key = vault.new_key()
            push = [PushSubscription(**one) for one in begun["push"]]
            points = {"email": ["ana@example.com"], "sms": ["+4915112345678"], "push": [push_text(one) for one in push]}
            person = GatePerson(
                person_id="p",
                contacts={name: " ".join(vault.seal(key, "p", one) for one in found) for name, found in points.items()},
                contact_ids={name: " ".join(str(n) for n, _ in enumerate(found)) for name, found in points.items()},
            )

            async def send(name: str) -> Any:
                parts = channel(settings, name).build(settings)
                job = sample.sample_job("cart-reminder", channel=name, person_id="p")
                provider = parts.providers[0].name if parts.providers else parts.adapter.provider
                accepted = await parts.adapter.send(parts.adapter.prepare(job, person, key), provider)
                await parts.adapter.close()
                return accepted

            accepted = {name: asyncio.run(send(name)) for name in settings.channel_names}
            assert accepted["push"].detail == "3 of 3 devices"
            assert settings.alerts.slack_url is not None
            slack = httpx.post(settings.alerts.slack_url.get_secret_value(), json={"text": "hello"})
            assert slack.text == "ok"
            (answer,) = asked(settings, "9205590164917312751089")
            assert [scan.detail for scan in answer.scans] == ["package_accepted"]
            told = [json.loads(process.stdout.readline()) for _ in range(8)]
            assert [one["server"] for one in told if not one["accepted"]] == []
            servers = {one["server"]: one["shown"] for one in told}
            assert servers.keys() == {"smtp", "sms", "webhook", "web push", "fcm", "apns", "slack", "carrier"}
            assert servers["apns"]["title"] == servers["web push"]["title"] == "Your cart at Example Shop is waiting"
            assert len(list((tmp_path / "mails").glob("*.eml"))) == 1
            assert (tmp_path / "vapid.pem").stat().st_mode & 0o077 == 0
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0


def test_slack_complains_as_slack_does() -> None:
    """A message without text, too long a block, another path."""
    sandbox = SlackSandbox()
    with WebServer(sandbox.app).running() as web:
        url = f"{web.url}/services/T00000000/B00000000/sandbox"
        section = {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3_001}}
        assert httpx.post(url, json={"text": "hello"}).text == "ok"
        assert httpx.post(url, json={}).text == "invalid_payload"
        assert httpx.post(url, content=b"no JSON").status_code == 400
        assert httpx.post(url, json={"text": "hello", "blocks": [section]}).text == "invalid_blocks"
        assert httpx.post(f"{url}/other", json={"text": "hello"}).status_code == 404
    assert [one["text"] for one in sandbox.messages] == ["hello"]


def polled(url: str, **more: str) -> Settings:
    """Settings that lead to a carrier there."""
    env = {"CARRIERS": "*", "URL": f"{url}{PATH}", "ANSWER": "shippo"}
    return load_settings({f"POSTCART_POLLING__{name}": value for name, value in (env | more).items()})


@pytest.mark.parametrize(
    ("number", "statuses"),
    [
        ("9205590164917312751089", ["picked_up", "in_transit", "out_for_delivery", "delivered"]),
        ("attempt-1", ["picked_up", "in_transit", "out_for_delivery", "attempt_failed", "available_for_pickup"]),
        ("RETURN1", ["picked_up", "in_transit", "out_for_delivery", "attempt_failed", "returned"]),
        ("LOST1", ["picked_up", "in_transit", "exception"]),
        ("STUCK1", ["picked_up"]),
        ("UNKNOWN1", []),
    ],
)
def test_a_parcel_moves_with_each_question(number: str, statuses: list[str]) -> None:
    """Up to its story's end; every word has a meaning; the day of delivery is told with the first scan, and stays."""
    clock = itertools.count(1_795_870_000_000, 60_000)
    with WebServer(CarrierSandbox(now_ms=lambda: next(clock)).app).running() as web:
        settings = polled(web.url, SECRET=SECRET)
        answers = asked(settings, number, times=6)
    assert [len(one.scans) for one in answers] == [min(n, len(statuses)) for n in range(1, 7)]
    meanings = [vocabularies(settings).meaning(scan) for scan in answers[-1].scans]
    assert [meaning and meaning.status for meaning in meanings] == statuses
    assert len({one.estimate and one.estimate.estimated_at for one in answers}) == 1
    assert (answers[0].estimate is None) is (number == "UNKNOWN1")
    assert [one.faults for one in answers if one.faults] == []


def test_a_carrier_complains_as_shippo_does() -> None:
    """Another login, a carrier that is written otherwise, another address; what a test has it say instead."""
    arrived: list[Arrival] = []
    sandbox = CarrierSandbox(now_ms=lambda: 0, tell=arrived.append)
    with WebServer(sandbox.app).running() as web:
        with pytest.raises(CredentialsRejected):
            asked(polled(web.url, SECRET="Bearer other"), "A1")  # noqa: S106 -- that opens nothing
        right = polled(web.url, SECRET=SECRET)
        with pytest.raises(RecipientRejected):
            asked(right, "A1", carrier="dhl-express")
        assert httpx.get(f"{web.url}/trackers?tracking_code=A1").status_code == 404
        sandbox.reply = lambda _carrier, number: (410, "gone", {}) if number == "A1" else None
        assert asked(right, "A1") == [Answer()]
        assert len(asked(right, "B1")[0].scans) == 1
    assert [one.accepted for one in arrived] == [False, False, False, False, True]
    assert sandbox.asked == {("usps", "A1"): 2, ("dhl-express", "A1"): 1, ("usps", "B1"): 1}
    assert len(sandbox.faults) == 2
