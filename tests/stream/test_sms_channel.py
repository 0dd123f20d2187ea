"""Text messages on real Kafka, sent by workers as operators start them: several providers, and answers of people."""

import asyncio
import json
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from postcart.adapters.sandbox.sms import SECRET, Answer, SmsSandbox, sign
from postcart.adapters.web_server import WebServer
from postcart.events.consents import ConsentRecorded
from postcart.events.suppressions import Suppressed
from stream.channel_rig import ChannelRig, channel_rig
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
