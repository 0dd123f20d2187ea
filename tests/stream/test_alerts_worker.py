"""``postcart worker alerts`` on real Kafka: employees hear of troubles in a chat and by mail, also after a kill."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from postcart.adapters.mail_sink import SinkOptions, running_sink
from postcart.adapters.sandbox.slack import PATH, SlackSandbox
from postcart.adapters.web_server import WebServer
from postcart.events.alerts import Alert
from postcart.events.shop import VariantUpdated
from stream.channel_rig import ChannelRig, channel_rig
from stream.sender_rig import now_ms
from waiting import wait_for

pytestmark = pytest.mark.kafka
START = datetime(2026, 11, 27, 14, tzinfo=UTC)


def alert(rig: ChannelRig, parcel: str, minute: int = 0, **changes: Any) -> None:
    fields: dict[str, Any] = {
        "alert_id": f"{parcel}/{minute}",
        "kind": "delivery_trouble",
        "dedup_key": f"{parcel}/no_scan",
        "at": START + timedelta(minutes=minute),
        "cause": "no_scan",
        "carrier": "dhl",
        "tracking_number": parcel,
        "order_id": f"A-{parcel}",
    }
    rig.write("alerts", fields["dedup_key"], Alert(**(fields | changes)))


def stock(rig: ChannelRig, number: int, pieces: int) -> None:
    event = VariantUpdated(id=f"v{number}", time=now_ms(), variant_id="577", unit_price=Decimal(1), stock=pieces)
    rig.write(rig.settings.shop_topic("catalog"), "577", event)


def test_employees_hear_of_troubles(kafka: Any, tmp_path: Path) -> None:
    """Many at once in one message, each once; worse, over and stock too; a kill loses nothing and repeats nothing."""
    slack = SlackSandbox()
    with WebServer(slack.app).running() as web, running_sink(SinkOptions(), now_ms) as mails:
        env = {
            "POSTCART_ALERTS__SLACK_URL": f"{web.url}{PATH}",
            "POSTCART_ALERTS__EMAIL": '["ops@shop.example"]',
            "POSTCART_ALERTS__EMAIL_KINDS": '["stock"]',
            "POSTCART_ALERTS__GROUP_S": "1",
            "POSTCART_ALERTS__STOCK_BELOW": "5",
            "POSTCART_SMTP__HOST": "127.0.0.1",
            "POSTCART_SMTP__PORT": str(mails.port),
            "POSTCART_SMTP__TLS": "none",
        }

        def texts() -> str:
            return "\n".join(str(one["text"]) for one in slack.messages)

        with channel_rig(kafka, tmp_path, **env) as rig:
            rig.start("alerts", "worker", "alerts")
            for _ in range(2):
                for number in range(30):
                    alert(rig, f"JD{number}")
            stock(rig, 1, 50)
            stock(rig, 2, 3)
            wait_for(lambda: all(f"JD{n}" in texts() or "more" in texts() for n in range(3)), what=texts)
            wait_for(lambda: "variant 577" in texts() and mails.received, what=lambda: rig.log_of("alerts"))
            told = [int(text.split("*")[1].split()[0]) for text in texts().split("\n") if "have not moved" in text]
            assert sum(told) == 30, "each once, in however many messages"
            assert b"Subject: 1 variant runs short" in mails.received[0].data
            wait_for(lambda: rig.committed("alerting", "alerts") == 60, what="what was told to be committed")

            rig.processes["alerts"].kill()
            rig.processes["alerts"].wait(30)
            before = len(slack.messages)
            slack.reply = lambda _: (503, "", {})
            alert(rig, "JD7", 9, level=2)
            alert(rig, "JD8", 9, resolved=True)
            stock(rig, 3, 0)
            rig.start("alerts", "worker", "alerts")
            wait_for(lambda: "alerts_wait" in rig.log_of("alerts"), what=lambda: rig.log_of("alerts"))
            wait_for(lambda: len(mails.received) == 2, what="mail, which waits for no chat")
            slack.reply = lambda _: None
            wait_for(lambda: len(slack.messages) == before + 3, what=texts)
            assert slack.faults == []
            new = "\n".join(str(one["text"]) for one in slack.messages[before:])
            assert "order A-JD7, parcel dhl JD7, level 2" in new
            assert "Over: 1 parcel has not moved for days (dhl)" in new
            assert "variant 577 is sold out" in new
            assert "services/T0" not in rig.log_of("alerts"), "the webhook's address is secret"
