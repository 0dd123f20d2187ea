"""Carriers that push nothing, on real Kafka: TRACK says when, a worker asks, what is answered becomes milestones."""

import signal
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from postcart.adapters.sandbox.carrier import PATH, SECRET, STORIES, CarrierSandbox, Step
from postcart.adapters.web_server import WebServer
from postcart.events.milestones import Milestone, MilestoneRecord
from postcart.events.shipments import ParcelRegistered, ParcelStatus
from postcart.events.signals import TaskClock
from stream.channel_rig import ChannelRig, channel_rig
from stream.sender_rig import now_ms
from waiting import wait_for

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
STORY = (Step("PRE_TRANSIT", "information_received", "as it was said"), *STORIES[""])


def carrier_sandbox() -> CarrierSandbox:
    """It knows a number from the third question on, and of ``SLOW`` nothing but the first scan."""
    sandbox = CarrierSandbox(now_ms=now_ms, stories={"": STORY, "SLOW": STORY[:1]})

    def reply(carrier: str, number: str) -> tuple[int, str, Mapping[str, str]] | None:
        first = {1: (404, "not found", {}), 2: (429, "busy", {"retry-after": "1"})}
        return first.get(sandbox.asked[carrier, number])

    sandbox.reply = reply
    return sandbox


def register(rig: ChannelRig, number: str, carrier: str, at_ms: int) -> None:
    event = ParcelRegistered(
        id=f"r/{number}", time=at_ms, carrier=carrier, tracking_number=number, order_id=f"o/{number}", person_id="p1"
    )
    rig.write(rig.settings.shop_topic("shipments"), event.parcel_key, event)


def told(rig: ChannelRig) -> Counter[tuple[str, str]]:
    """Milestones by number and status."""
    found: Counter[tuple[str, str]] = Counter()
    for _, value in rig.records("milestones"):
        record = msgspec.json.decode(value or b"", type=MilestoneRecord | TaskClock)
        if isinstance(record, Milestone):
            found[record.tracking_number, record.status] += 1
    return found


def polled(rig: ChannelRig) -> list[ParcelStatus]:
    """What the worker wrote as shipments."""
    name = rig.settings.shop_topic("shipments").removeprefix(rig.settings.topic_prefix)
    records = [value or b"" for _, value in rig.records(name)]
    return [msgspec.json.decode(value, type=ParcelStatus) for value in records if b'"type":"status"' in value]


def test_parcels_are_followed_by_asking(kafka: Any, tmp_path: Path) -> None:
    """Each milestone once, whatever is asked again; asked until delivered, and other carriers' parcels never."""
    start_ms = now_ms() - 60_000
    carrier = carrier_sandbox()
    with WebServer(carrier.app).running() as web:
        env = {
            "POSTCART_DISORDER_S": "1",
            "POSTCART_POLLING__CARRIERS": "usps=usps_ground, dpd",
            "POSTCART_POLLING__URL": f"{web.url}{PATH}",
            "POSTCART_POLLING__ANSWER": "shippo",
            "POSTCART_POLLING__SECRET": SECRET,
            "POSTCART_POLLING__INTERVAL_S": "1",
            "POSTCART_POLLING__LONGEST_S": "3",
            "POSTCART_POLLING__RATE_PER_S": "50",
        }
        with channel_rig(kafka, tmp_path, **env) as rig:
            rig.start("track", "worker", "track")
            rig.start("poll", "worker", "poll")
            register(rig, "USPS1", "usps", start_ms)
            register(rig, "SLOW1", "dpd", start_ms)
            register(rig, "DHL1", "dhl", start_ms)

            def logs() -> str:
                return f"{carrier.asked} {told(rig)} {rig.log_of('poll')[-2_000:]} {rig.log_of('track')[-500:]}"

            wait_for(lambda: told(rig)["USPS1", "delivered"], what=logs, seconds=180)
            rig.processes["poll"].kill()
            rig.processes["poll"].wait(30)
            done = carrier.asked["usps_ground", "USPS1"]
            rig.start("poll", "worker", "poll")
            before = carrier.asked["dpd", "SLOW1"]
            wait_for(lambda: carrier.asked["dpd", "SLOW1"] >= before + 2, what=logs)
            assert carrier.asked["usps_ground", "USPS1"] <= done + 1, "a question under way at the end, and no more"
            assert carrier.asked.keys() == {("usps_ground", "USPS1"), ("dpd", "SLOW1")}
            statuses = ("info_received", "picked_up", "in_transit", "out_for_delivery", "delivered")
            assert told(rig) == Counter({("USPS1", status): 1 for status in statuses} | {("SLOW1", "info_received"): 1})
            assert {scan.source for scan in polled(rig)} == {"polled"}
            assert Counter(scan.id for scan in polled(rig) if scan.tracking_number == "USPS1").total() <= len(STORY) + 5
            assert carrier.faults == []
            assert rig.records("dead") == []
            log = rig.log_of("poll")
            assert "poll_provider_busy" in log
            assert not any(secret in log for secret in ("USPS1", SECRET, "Las Vegas"))
            poll = rig.processes["poll"]
            poll.send_signal(signal.SIGTERM)
            assert poll.wait(30) == 0
