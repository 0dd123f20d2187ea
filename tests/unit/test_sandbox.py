"""``postcart sandbox``: the settings that it prints lead every channel to a provider that takes what is sent."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from postcart.adapters.sandbox.slack import SlackSandbox
from postcart.adapters.vault import Vault
from postcart.adapters.web_server import WebServer
from postcart.content import sample
from postcart.domain.journey.contacts import push_text
from postcart.events.gate import GatePerson
from postcart.events.shop import PushSubscription
from postcart.settings import load_settings
from postcart.wiring.channels import channel

ROOT = Path(__file__).parents[2]
ENVIRON = dict(os.environ)  # noqa: TID251 -- what the command inherits


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
            told = [json.loads(process.stdout.readline()) for _ in range(7)]
            assert [one["server"] for one in told if not one["accepted"]] == []
            servers = {one["server"]: one["shown"] for one in told}
            assert servers.keys() == {"smtp", "sms", "webhook", "web push", "fcm", "apns", "slack"}
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
