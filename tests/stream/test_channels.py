"""Other channels on real Kafka, started as operators do: webhooks, push messages, and a channel of one's own."""

import itertools
import json
import textwrap
from pathlib import Path
from typing import Any

import pytest

from postcart.adapters.sandbox import Arrival
from postcart.adapters.sandbox.certificate import certificate
from postcart.adapters.sandbox.webhook import WebhookSandbox
from postcart.adapters.web_server import WebServer
from postcart.events.ids import contact_id
from postcart.wiring.sandbox import running_sandbox
from stream.channel_rig import ROOT, channel_rig, write_campaign
from stream.sender_rig import now_ms
from waiting import wait_for

pytestmark = pytest.mark.kafka


def test_webhooks(kafka: Any, tmp_path: Path) -> None:
    """Signed, without anybody's contact point; a 410 is the end of it for everybody."""
    key = bytes(range(32))
    sandbox = WebhookSandbox(key, now_ms=now_ms)
    tls = certificate(tmp_path, now_ms=now_ms())
    with WebServer(sandbox.app, tls=tls).running() as web:
        env = {
            "POSTCART_CHANNELS": "email,webhook",
            "POSTCART_WEBHOOK__URL": f"https://localhost:{web.port}/hook",
            "POSTCART_WEBHOOK__SECRET": "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
            "POSTCART_WEBHOOK__PORTS": f"[{web.port}]",
            "POSTCART_WEBHOOK__ALLOWED_NETWORKS": '["127.0.0.0/8", "::1/128"]',
            "POSTCART_WEBHOOK__CA_FILE": str(tls.certificate),
        }
        with channel_rig(kafka, tmp_path, **env) as rig:
            rig.start("webhook", "worker", "send", "webhook")
            people = [rig.person(f"p{n}", "webhook", "") for n in range(4)]
            first = [rig.emit(one, "webhook") for one in people[:2]]
            wait_for(lambda: rig.outcomes()["accepted"] == 2, what=lambda: rig.log_of("webhook"))
            assert sandbox.faults == []
            assert {one.message_id for one in sandbox.deliveries} == {job.job_id for job in first}
            sandbox.reply = lambda _: (500, {"retry-after": "40"})
            rig.emit(people[2], "webhook")
            wait_for(lambda: rig.outcomes()["not_accepted"] == 1, what=lambda: rig.log_of("webhook"))
            back = next(one for one in rig.receipts() if one.outcome == "not_accepted")
            assert 38_000 <= back.not_before_ms - back.at_ms <= 40_000
            sandbox.reply = lambda _: (410, {})
            rig.emit(people[3], "webhook")
            wait_for(lambda: rig.outcomes()["rejected"] == 1, what=lambda: rig.log_of("webhook"))
            gone = next(one for one in rig.receipts() if one.outcome == "rejected")
            assert (gone.status, gone.contact_id is not None) == ("410 5.1.6", True)


def test_push(kafka: Any, tmp_path: Path) -> None:
    """Every browser and app gets it, what is over is named; who has none left gets none; one service pauses alone."""
    arrived: list[Arrival] = []
    with running_sandbox(tmp_path / "sandbox", tell=arrived.append) as sandbox:
        web, fcm, apns = (json.dumps(one) for one in sandbox.push)
        old = web.replace("/push/laptop", "/push/old")
        folders = {f"POSTCART_{name.upper()}_DIR": str(ROOT / name) for name in ("templates", "locales")}
        broken = {"POSTCART_FCM__BASE_URL": "http://127.0.0.1:9", "POSTCART_FCM__TIMEOUT_S": "1"}
        with channel_rig(kafka, tmp_path, **{**sandbox.settings, **folders, **broken}) as rig:
            rig.start("push", "worker", "send", "push")
            ids = {text: contact_id(rig.identity_key, "push", text) for text in (web, fcm, apns, old)}
            ana = rig.person("ana", "push", web, old, apns)
            bo = rig.person("bo", "push", old)
            cy = rig.person("cy", "push", fcm)
            for one in (cy, ana, bo):
                rig.emit(one, "push")
            wait_for(lambda: sum(rig.outcomes().values()) == 2, what=lambda: rig.log_of("push"))
            by = {one.person_id: one for one in rig.receipts()}
            assert (by[ana].outcome, by[ana].gone) == ("accepted", (ids[old],))
            assert (by[ana].contact_id, by[ana].provider) in {(ids[web], "web"), (ids[apns], "apns")}
            assert (by[bo].outcome, by[bo].gone, by[bo].contact_id) == ("rejected", (ids[old],), ids[old])
            assert cy not in by, "what a service that is down has to send waits for it"
            taken = [one for one in arrived if one.accepted]
            assert sorted(one.server for one in taken) == ["apns", "web push"]
            assert {one.shown["title"] for one in taken} == {"Your cart at Example Shop is waiting"}

            rig.suppress("push", ids[old])
            steps = itertools.count(2)

            def suppressed() -> bool:
                rig.emit(bo, "push", step=next(steps))
                return rig.outcomes()["suppressed"] > 0

            wait_for(suppressed, what="the sender to heed a suppression")
            rig.emit(ana, "push", step=99)
            wait_for(lambda: sum(one.accepted for one in arrived) == 4, what=lambda: rig.log_of("push"))
            wait_for(lambda: rig.outcomes()["accepted"] == 2, what=lambda: rig.log_of("push"))
            assert [one.gone for one in rig.receipts() if one.person_id == ana] == [(ids[old],), ()]
            assert "/push/" not in rig.log_of("push"), "an endpoint is told to nobody"


def letters(out: Path) -> str:
    """The module that docs/channels.md shows, with another folder to write into."""
    page = (ROOT / "docs" / "channels.md").read_text()
    block = page.partition("   ```python\n")[2].partition("   ```\n")[0]
    return textwrap.dedent(block).replace("/var/spool/letters", str(out))


def test_a_channel_of_ones_own(kafka: Any, tmp_path: Path) -> None:
    """As docs/channels.md says: one module, one template and one line; topics, group, lag and dead letters follow."""
    out, templates = tmp_path / "out", tmp_path / "templates" / "thanks"
    (tmp_path / "letters.py").write_text(letters(out))
    out.mkdir()
    templates.mkdir(parents=True)
    (templates / "letter.txt.j2").write_text("Dear customer, {{ cart.pieces }} thing is here. {{ shop.name }}")
    env = {
        "POSTCART_CHANNELS": "email,letter=letters",
        "POSTCART_TEMPLATES_DIR": str(tmp_path / "templates"),
        "POSTCART_CAMPAIGNS_DIR": str(tmp_path / "campaigns"),
        "PYTHONPATH": f"{tmp_path}:{ROOT / 'src'}",
    }
    write_campaign(tmp_path, "steps: [{after: 1h, template: thanks, channel: letter}]")
    with channel_rig(kafka, tmp_path, **env) as rig:
        rig.start("letter", "worker", "send", "letter")
        job = rig.emit(rig.person("p", "letter", ""), "letter", template="thanks")
        wait_for(lambda: rig.outcomes()["accepted"] == 1, what=lambda: rig.log_of("letter"))
        assert (out / job.job_id).read_text() == "Dear customer, 1 thing is here. Example Shop"
        assert [one.provider for one in rig.receipts()] == ["folder"]
        rig.start("lag", "lag", "--output", "json")
        rig.processes["lag"].wait(60)
        assert f"{rig.settings.topic_prefix}letter" in rig.log_of("lag")
        rig.emit(rig.person("p", "letter", ""), "letter", template="no such")
        wait_for(lambda: rig.outcomes()["rejected"] == 1, what=lambda: rig.log_of("letter"))
        assert len(rig.records("dead")) == 1
