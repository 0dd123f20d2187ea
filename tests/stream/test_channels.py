"""Channels on real Kafka, started as operators do: several providers, answers of people, and a channel of one's own."""

import asyncio
import itertools
import json
import textwrap
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from postcart.adapters.sandbox import Arrival
from postcart.adapters.sandbox.certificate import certificate
from postcart.adapters.sandbox.sms import SECRET, Answer, SmsSandbox, sign
from postcart.adapters.sandbox.webhook import WebhookSandbox
from postcart.adapters.web_server import WebServer
from postcart.events.consents import ConsentRecorded
from postcart.events.ids import contact_id
from postcart.events.suppressions import Suppressed
from postcart.wiring.sandbox import running_sandbox
from stream.channel_rig import ROOT, ChannelRig, channel_rig, write_campaign
from stream.sender_rig import now_ms
from waiting import wait_for

pytestmark = pytest.mark.kafka


def number(n: int) -> str:
    return f"+4915112{345_000 + n}"


def sms_env(url: str, **more: str) -> dict[str, str]:
    return {
        "POSTCART_CHANNELS": "email,sms",
        "POSTCART_SMS__NAME": "first",
        "POSTCART_SMS__BASE_URL": url,
        "POSTCART_SMS__ACCOUNT": "ACsandbox",
        "POSTCART_SMS__SECRET": "sandbox",
        "POSTCART_SMS__SENDER": "+4930123456",
        "POSTCART_SMS__TIMEOUT_S": "1",
        **more,
    }


def provider(name: str, url: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name, "base_url": url, "account": "ACsandbox", "secret": "sandbox", "sender": "+4930123456", **more
    }  # fmt: skip


def test_several_providers(kafka: Any, tmp_path: Path) -> None:
    """One answers 429, one is out of order, one takes 30 s: all else goes out once, by whoever works.

    What the slow one may have is asked of no other: reminders end uncertain, order messages go to it once more under
    the same key. The one that asked for a pause gets it, and nobody waits for it.
    """
    busy, broken, slow, spare = (SmsSandbox() for _ in range(4))
    refused_s: list[float] = []

    def first_two(_: object) -> Answer | None:
        if len(refused_s) == 2:
            return None
        refused_s.append(asyncio.get_running_loop().time())
        return Answer(429, 20429, {"retry-after": "4"})

    busy.script = first_two
    broken.script = lambda _: Answer(503)
    slow.script = lambda _: Answer(201, wait_s=30.0, takes_it=True)
    with ExitStack() as stack:
        urls = [stack.enter_context(WebServer(one.app, drain_s=1).running()).url for one in (busy, broken, slow, spare)]
        more = [
            provider("broken", urls[1], timeout_s=1),
            provider("slow", urls[2], timeout_s=1, connections=3),
            provider("spare", urls[3], order=1, timeout_s=1, rate_per_s=20),
        ]
        env = sms_env(urls[0], POSTCART_SMS__MORE=json.dumps(more), POSTCART_SMS__PROBE_S="1")
        rig = stack.enter_context(channel_rig(kafka, tmp_path, **env))
        people = [rig.person(f"p{n}", "sms", number(n)) for n in range(60)]
        jobs = [rig.emit(one, "sms", purpose="transactional") for one in people[:30]]
        jobs += [rig.emit(one, "sms") for one in people[30:]]
        rig.start("sms", "worker", "send", "sms", POSTCART_METRICS_PORT="0")

        def ended() -> bool:
            return sum(rig.outcomes()[one] for one in ("accepted", "uncertain", "rejected")) == len(jobs)

        wait_for(ended, what=lambda: f"{rig.outcomes()} {rig.log_of('sms')[-3000:]}", seconds=120)
        taken: Counter[str] = Counter()
        for one in (busy, slow, spare):
            taken.update(text.key for text in one.taken)
            assert one.faults == []
        assert set(taken) == {job.job_id for job in jobs}
        assert set(taken.values()) == {1}, "two providers have the same message"
        assert broken.taken == []
        by = {one.job_id: (one.outcome, one.provider) for one in rig.receipts()}
        slow_has = {text.key for text in slow.taken}
        assert slow_has
        assert {by[key] for key in slow_has} == {("uncertain", "slow")}
        assert {by[job.job_id][0] for job in jobs if job.job_id not in slow_has} == {"accepted"}
        # What was on its way when it said so still comes.
        early = [at - refused_s[1] for at in busy.asked_s if refused_s[1] + 0.7 < at < refused_s[0] + 4.0]
        assert early == [], "asked while it wanted to be left alone"
        for at in spare.asked_s:  # tokens are taken at the claim: over a second or more their rate shows at the socket
            for seconds in (1.0, 2.0):
                within = sum(at <= other < at + seconds for other in spare.asked_s)
                assert within <= 20 * 1.1 * (seconds + 0.3) + 6
        repeats = len(slow.asked_s) - len(slow.taken)
        assert repeats <= sum(job.purpose == "transactional" for job in jobs)


def test_stop_start_and_status(kafka: Any, tmp_path: Path) -> None:
    """STOP ends in a suppression that the sender heeds; YES confirms; forgeries and large bodies bring nothing."""
    sandbox = SmsSandbox()
    public = "https://shop.example/hooks"
    with WebServer(sandbox.app).running() as web:
        env = sms_env(
            web.url,
            POSTCART_SMS__CALLBACK_URL=public,
            POSTCART_GATEWAY__PORT="0",
            POSTCART_SHOP__NAME="Lumen",
        )
        with channel_rig(kafka, tmp_path, **env) as rig:
            rig.start("sms", "worker", "send", "sms")
            rig.start("gateway", "worker", "gateway")
            stops, confirms = (
                rig.person("stops", "sms", number(1)),
                rig.person("confirms", "sms", number(2), given=False, unconfirmed=True),
            )
            first = rig.emit(stops, "sms")
            url = wait_for(lambda: _url(rig), what=lambda: rig.log_of("gateway"))

            def call(path: str, query: str = "", *, secret: str = SECRET, **form: str) -> httpx.Response:
                signed = sign(secret, f"{public}{path}{query}", form)
                return httpx.post(f"{url}{path}{query}", data=form, headers={"x-twilio-signature": signed})

            def says(n: int, body: str, **more: Any) -> httpx.Response:
                form = {"From": number(n), "To": "+4930123456", "Body": body, "MessageSid": "SM9"}

                def answer() -> httpx.Response | None:
                    found = call("/sms/twilio/incoming", **form, **more)
                    return None if found.status_code == 503 else found

                return wait_for(answer, what="the gateway to know numbers")

            wait_for(lambda: rig.outcomes()["accepted"] == 1, what=lambda: rig.log_of("sms"))
            callback = sandbox.taken[0].form["StatusCallback"]
            assert callback == f"{public}/sms/twilio/status?job={first.job_id}&person={stops}"
            query = callback.partition("/sms/twilio/status")[2]
            told = call("/sms/twilio/status", query, MessageStatus="undelivered", ErrorCode="30003", MessageSid="SM1")
            assert told.status_code == 204
            assert [(one.kind, one.status) for one in rig.receipts() if not hasattr(one, "outcome")] == [
                ("soft", "30003 4.2.1")
            ]

            forged = says(1, "STOP", secret="guessed")  # noqa: S106 -- made up
            assert forged.status_code == 403
            assert httpx.post(f"{url}/sms/twilio/incoming", content=b"x" * 300_000).status_code == 413
            assert rig.records("suppressions") == []

            stopped = says(1, "Stop, please")
            assert stopped.status_code == 200
            assert "<Message>Lumen: You get no more text messages" in stopped.text
            assert says(2, "YES").text.count("<Message>Lumen: You get order updates and at most one reminder") == 1
            written = [value for _, value in rig.records("suppressions") if value]
            suppressed = [msgspec.json.decode(value, type=Suppressed) for value in written]
            assert [(one.channel, one.reason) for one in suppressed] == [("sms", "stop")]
            consents = {
                one.person_id: (one.given, one.double_opt_in)
                for one in (msgspec.json.decode(value, type=ConsentRecorded) for _, value in rig.records("consents"))
            }
            assert consents == {stops: (False, False), confirms: (True, True)}

            # The sender looks at suppressions at most 10 s old; what comes after STOP is not sent.
            wait_for(lambda: says(1, "STOP").text.count("<Message>") == 0, what="the gateway to know of the STOP")
            rig.emit(stops, "sms", step=2)
            rig.emit(stops, "sms", step=3, purpose="transactional", due_ms=first.due_ms)
            wait_for(lambda: rig.outcomes()["suppressed"] == 2, what=lambda: f"{rig.outcomes()}")
            assert len(sandbox.taken) == 1

            assert "<Message>" in says(1, "START").text
            assert (rig.records("suppressions")[-1][1], len(rig.records("suppressions"))) == (None, 3)
            assert "+4915112" not in rig.log_of("gateway") + rig.log_of("sms")


def _url(rig: ChannelRig) -> str | None:
    for line in rig.log_of("gateway").splitlines():
        if "gateway_listens" in line:
            return str(json.loads(line)["url"])
    return None


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
