"""Orders and parcels on real Kafka: from the shop's events to mails, through TRACK, JOURNEY and the email sender."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from email import message_from_bytes
from email.policy import SMTP
from pathlib import Path
from typing import Any

import msgspec
import pytest

from conftest import Cluster
from faults.tail import Group
from postcart.adapters.mail_sink import Received
from postcart.events.alerts import Alert
from postcart.events.shipments import ParcelRegistered, ParcelStatus
from postcart.events.shop import OrderPaid, OrderPlaced, OrderRefunded, ProfileUpdated, ShopEvent, time_ms
from postcart.events.times import DAY_MS, HOUR_MS, MINUTE_MS
from stream.shop import ROOT, WORKERS, Shop, sink
from waiting import wait_for

MONDAY = 1_664_755_200_000
"""2022-10-03T00:00:00Z."""
PEOPLE = 12
ORDER = {
    "paid": ("Your order {order} at Example Shop", "Refund for your order {order}"),
    "unpaid": ("Your order {order} at Example Shop", "Your order {order} is waiting for your payment"),
    "unpacked": ("Your order {order} at Example Shop", "Your order {order} is delayed"),
}
"""What each kind of order comes to, in this order."""
PARCEL = ("Your order {order} is on its way", "Your parcel is out for delivery", "Your parcel was delivered")
"""What each parcel comes to, in this order; TRACK and what the shop says of orders do not wait for each other."""


def kind_of(number: int) -> str:
    return tuple(ORDER)[number % len(ORDER)]


def wanted(number: int) -> tuple[list[str], list[str]]:
    """What is told of one person's order and of its parcel."""
    parcel = PARCEL if kind_of(number) == "paid" else ()
    of_order, of_parcel = (
        [text.format(order=f"o{number}") for text in texts] for texts in (ORDER[kind_of(number)], parcel)
    )
    return of_order, of_parcel


def story(number: int) -> Iterator[ShopEvent]:
    """One person's order: paid and delivered, never paid, or paid and never packed."""
    person, order, at_ms = f"person-{number}", f"o{number}", MONDAY + number * 7 * MINUTE_MS
    who = {"person_id": person, "order_id": order}
    yield ProfileUpdated(id=f"{order}-p", time=MONDAY - DAY_MS, person_id=person, email=f"{person}@shop.example")
    yield OrderPlaced(id=f"{order}-placed", time=at_ms, **who)
    if kind_of(number) == "unpaid":
        return
    yield OrderPaid(id=f"{order}-paid", time=at_ms + HOUR_MS, **who)
    if kind_of(number) == "unpacked":
        return
    parcel: dict[str, Any] = {"carrier": "dhl", "tracking_number": f"JD {number}"}
    yield ParcelRegistered(id=f"{order}-r", time=at_ms + 5 * HOUR_MS, **parcel, **who)
    steps = (("info_received", 6), ("picked_up", 20), ("in_transit", 30), ("out_for_delivery", 50), ("delivered", 56))
    for code, hour in steps:
        time = at_ms + hour * HOUR_MS
        yield ParcelStatus(id=f"{order}-{code}", time=time, code=code, vocabulary="postcart", **parcel)
    yield OrderRefunded(id=f"{order}-refund", time=at_ms + 80 * HOUR_MS, **who)


def arrivals(*, seed: int) -> list[ShopEvent]:
    """Every event three times, each up to five minutes late."""
    rng = random.Random(seed)
    events = [event for number in range(PEOPLE) for event in story(number)]
    late = [(time_ms(event) + rng.randrange(5 * MINUTE_MS), rng.random(), event) for event in events for _ in range(3)]
    return [event for _, _, event in sorted(late, key=lambda item: item[:2])]


def split(events: Sequence[ShopEvent]) -> tuple[list[ShopEvent], list[ShopEvent]]:
    """Who people are, which in life is known long before; and all else."""
    profiles = [event for event in events if isinstance(event, ProfileUpdated)]
    return profiles, [event for event in events if not isinstance(event, ProfileUpdated)]


def await_read(shop: Shop, topic: str) -> None:
    """Wait until JOURNEY has read a topic of the shop: of whom it does not know yet it keeps only the latest news."""
    settings = shop.settings
    group = Group(settings.bootstrap, settings.topic("journey"), [settings.shop_topic(topic)], settings.partitions)
    with closing(group):
        wait_for(lambda: group.drained(seconds=5) == 0, f"{topic} are not read")


def subjects(received: Sequence[Received]) -> dict[str, list[str]]:
    """By recipient, in the order in which they came."""
    found: dict[str, list[str]] = {}
    for item in received:
        mail = message_from_bytes(item.data, policy=SMTP)
        found.setdefault(str(mail["To"]).partition("@")[0], []).append(str(mail["Subject"]))
    return found


@pytest.mark.slow
def test_what_happens_to_orders_and_parcels_is_told_once_and_in_order(kafka: Cluster, tmp_path: Path) -> None:
    """Tripled and shuffled, one worker killed on the way: each message once, each parcel's in order; employees too."""
    with sink(tmp_path / "mails") as (port, mails):
        variables = {"POSTCART_SMTP__PORT": str(port), "POSTCART_MESSAGES_FILE": str(ROOT / "messages.yaml")}
        shop = Shop(kafka.bootstrap, kafka.prefix("notices"), tmp_path, **variables)
        with shop:
            for worker in (*WORKERS, "track"):
                shop.start(worker)
            known, following = split(arrivals(seed=7))
            shop.replay(known, run_on_ms=0)
            await_read(shop, "profiles")
            shop.replay(following, run_on_ms=6 * DAY_MS)
            shop.kill_and_restart("journey")
            count = sum(len(texts) for number in range(PEOPLE) for texts in wanted(number))
            wait_for(lambda: len(mails()) >= count, lambda: f"{len(mails())} of {count}: {subjects(mails())}")
            shop.assert_alive()
            seen = Counter(item.entry.message_id for item in mails())
            told = subjects(mails())
            alerts = [msgspec.json.decode(value, type=Alert) for value in shop.read("alerts")]
    assert [name for name, times in seen.items() if times > 1] == []
    for number in range(PEOPLE):
        of_order, of_parcel = wanted(number)
        mine = told[f"person-{number}"]
        assert [subject for subject in mine if subject in of_order] == of_order
        assert [subject for subject in mine if subject not in of_order] == of_parcel
    assert {alert.order_id for alert in alerts} == {f"o{n}" for n in range(PEOPLE) if kind_of(n) == "unpacked"}
    assert {alert.cause for alert in alerts} == {"not_handed_over"}
