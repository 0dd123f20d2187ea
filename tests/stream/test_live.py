"""By the machine's own clock, all workers real: what people do while the channel is held back stops their reminders."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Producer

from conftest import Cluster
from postcart.adapters.mail_sink import SinkOptions, running_sink
from postcart.codecs.shop_events import ShopEventEncoder
from postcart.events.consents import ConsentRecorded
from postcart.events.shop import (
    CartCleared,
    CartLine,
    Consent,
    Identified,
    LineAdded,
    OrderPlaced,
    ProfileUpdated,
    SessionEnded,
    SessionStarted,
    ShopEvent,
    VariantUpdated,
)
from smtp_sink import wall_ms
from stream.shop import WORKERS, Shop
from waiting import wait_for

CAMPAIGN = """
name: cart-reminder
steps:
  - {after: 1m, template: cart-reminder}
quiet_hours: "off"
"""
LEFT_AGO_MS = 65_000
"""So long ago carts were left: their reminders are due at once."""
PROMISED_MS = 15_000


def leaves_a_cart(name: str, now_ms: int) -> list[ShopEvent]:
    """A known person's visit, which ended a minute ago."""
    left_ms = now_ms - LEFT_AGO_MS
    visit: dict[str, Any] = {"visitor_id": f"visitor-{name}", "session_id": f"visit-{name}"}
    line = CartLine(variant_id=f"v-{name}", quantity=1, unit_price=Decimal("20.00"), currency="EUR")
    return [
        ProfileUpdated(
            id=f"{name}-profile",
            time=left_ms - 60_000,
            person_id=name,
            email=f"{name}@example.com",
            consents=(Consent(channel="email", purpose="marketing", given=True),),
        ),
        Identified(id=f"{name}-1", time=left_ms - 50_000, person_id=name, **visit),
        SessionStarted(id=f"{name}-2", time=left_ms - 49_000, **visit),
        LineAdded(id=f"{name}-3", time=left_ms - 48_000, line=line, **visit),
        SessionEnded(id=f"{name}-4", time=left_ms, **visit),
    ]


class Feed:
    """The shop's producers."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._producer = Producer({"bootstrap.servers": shop.settings.bootstrap, "partitioner": "murmur2_random"})
        self._encode = ShopEventEncoder().encode

    def tell(self, events: Sequence[ShopEvent], *records: tuple[str, bytes, str]) -> int:
        """Append events, and records of Postcart's own; returns when they were there."""
        for event in events:
            subject, key, value = self._encode(event)
            self._producer.produce(self._shop.settings.shop_topic(subject.removeprefix("shop.")), value, key)
        for topic, value, key in records:
            self._producer.produce(self._shop.settings.topic(topic), value, key)
        assert self._producer.flush(30) == 0
        return wall_ms()


@pytest.mark.slow
def test_what_people_do_stops_reminders_that_are_held_back(kafka: Cluster, tmp_path: Path) -> None:
    """Bought (by a shop's clock that is an hour fast), opted out in either way, came back, emptied: 0 reminders."""
    refusing = {"now": True}

    def script(stage: str, _: str) -> str | None:
        return "451 4.3.2 not accepting messages" if stage == "mail" and refusing["now"] else None

    (tmp_path / "campaigns").mkdir()
    (tmp_path / "campaigns" / "cart-reminder.yaml").write_text(CAMPAIGN)
    people = ("stays", "buys", "optout", "profile", "returns", "empties", "soldout")
    with running_sink(SinkOptions(script=script), wall_ms) as sink:
        shop = Shop(
            kafka.bootstrap,
            kafka.prefix("live"),
            tmp_path,
            POSTCART_CLOCK="wall",
            POSTCART_DISORDER_S="2",
            POSTCART_CAMPAIGNS_DIR=str(tmp_path / "campaigns"),
            POSTCART_SMTP__PORT=str(sink.port),
        )
        with shop:
            feed = Feed(shop)
            feed.tell([event for name in people for event in leaves_a_cart(name, wall_ms())])
            for kind in WORKERS:
                shop.start(kind)
            wait_for(lambda: b"channel_paused" in (tmp_path / "email.log").read_bytes(), lambda: "a pause")
            wait_for(lambda: len(shop.read("jobs.email.marketing")) == len(people), lambda: "a job of everybody")
            now = wall_ms()
            visit = {name: {"visitor_id": f"visitor-{name}", "session_id": f"again-{name}"} for name in people}
            refused = ConsentRecorded(person_id="optout", channel="email", purpose="marketing", given=False, at_ms=now)
            told_ms = feed.tell(
                [
                    OrderPlaced(id="o", time=now + 3_600_000, person_id="buys", order_id="o"),
                    ProfileUpdated(
                        id="profile-2",
                        time=now,
                        person_id="profile",
                        email="profile@example.com",
                        consents=(Consent(channel="email", purpose="marketing", given=False),),
                    ),
                    SessionStarted(id="r", time=now, **visit["returns"]),
                    CartCleared(id="c", time=now, reason="emptied", **visit["empties"]),
                    VariantUpdated(id="s", time=now, variant_id="v-soldout", unit_price=Decimal(20), stock=0),
                ],
                ("consents", msgspec.json.encode(refused), "optout"),
            )
            wait_for(lambda: wall_ms() >= told_ms + PROMISED_MS, lambda: "the promised time")
            assert sink.received == []
            refusing["now"] = False
            wait_for(lambda: len(shop.receipts()) == len(people), lambda: f"{shop.receipts()}")
            assert {one.person_id: one.reason or one.outcome for one in shop.receipts()} == {
                "stays": "accepted",
                "buys": "ordered",
                "optout": "no_consent",
                "profile": "no_consent",
                "returns": "returned",
                "empties": "returned",  # to empty it: that comes first
                "soldout": "out_of_stock",
            }
            assert [mail.entry.recipient for mail in sink.received] == ["stays@example.com"]
            shop.assert_alive()
