"""``python -m bench parcels``: from a scan in Kafka to the job for the sender, and to the mail that a server accepted.

Each parcel is registered and delivered at once: two records of ``shop.shipments``, one message. No disorder is allowed,
which would be waited for. TRACK, JOURNEY and a
sender are one process each, beside the broker, the generator and Postfix's smtp-sink. Delay: job (or receipt) visible
to ``read_committed`` less the moment before the scan was produced. The sustained rate is what comes through while more
than that goes in.
"""

import argparse
import os
import time
from collections.abc import Iterable
from typing import Any

import msgspec

from bench.common.cluster import cluster
from bench.common.mail_sink import running_sink
from bench.common.measure import ROOT
from bench.common.report import keep
from bench.common.traffic import Traffic, spread
from bench.common.workers import start_worker
from postcart.adapters.topics import create
from postcart.codecs.shop_events import ShopEventEncoder
from postcart.events.ids import POSTCART, uuid5
from postcart.events.jobs import Job, Receipt, ReceiptRecord
from postcart.events.shipments import ParcelRegistered, ParcelStatus, incarnation_id
from postcart.events.shop import ProfileUpdated, ShopEvent
from postcart.settings import Settings

PARTITIONS = 4
PEOPLE = 50_000
"""So many that each gets a few parcels in a run, not dozens: a row has all of a person's that may still matter."""
STAGES = ("track", "journey", "send email")
FIRST_RATE = 60
JOBS, RECEIPTS = "jobs.email.transactional", "receipts"


class Deliveries(Traffic):
    """Parcels that arrive; jobs to tell of it and accepted mails are awaited."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, watched=(JOBS, RECEIPTS), partitions=PARTITIONS)
        self._encode = ShopEventEncoder().encode
        self._decode = {JOBS: msgspec.json.Decoder(Job).decode, RECEIPTS: msgspec.json.Decoder(ReceiptRecord).decode}
        self._began: dict[str, tuple[int, float]] = {}

    def introduce(self) -> None:
        """The people to whom the parcels go."""
        for number in range(PEOPLE):
            person = _person(number)
            profile = ProfileUpdated(
                id=f"{person}-profile",
                time=time.time_ns() // 1_000_000,
                person_id=person,
                email=f"person{number}@example.com",
                time_zone="UTC",
            )
            self.produce(*self._record(profile))

    def records(self, number: int, now_ms: int) -> Iterable[tuple[str, str, str | bytes]]:
        """Registered, and delivered."""
        tracking = f"{os.getpid()}N{number}"
        common: dict[str, Any] = {"time": now_ms, "carrier": "bench", "tracking_number": tracking}
        registration = ParcelRegistered(
            id=f"{tracking}-r", order_id=f"order-{number}", person_id=_person(number % PEOPLE), **common
        )
        self._began[incarnation_id(registration.parcel_key, registration.id)] = number, now_ms / 1000
        yield self._record(registration)
        yield self._record(ParcelStatus(id=f"{tracking}-d", code="delivered", vocabulary="postcart", **common))

    def outcome_of(self, topic: str, value: bytes) -> tuple[int, float] | None:
        """Which parcel this job or receipt is about, and when it was delivered."""
        found = self._decode[topic](value)
        if isinstance(found, Receipt) and found.outcome != "accepted":
            raise AssertionError(f"not accepted: {value.decode()}")
        return self._began[found.episode_id] if isinstance(found, Job | Receipt) else None

    def _record(self, event: ShopEvent) -> tuple[str, str, bytes]:
        subject, key, value = self._encode(event)
        return self.shop(subject.removeprefix("shop.")), key.decode(), value


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this measurement."""
    parser.add_argument("--seconds", type=float, default=30, help="at each load")


def main(given: argparse.Namespace) -> None:
    """Find the sustained rate, then measure at shares of it."""
    with cluster(PARTITIONS) as broker, running_sink() as port:
        shop = f"{broker.prefix}shop."
        more = {
            "POSTCART_DISORDER_S": "0",
            "POSTCART_MESSAGES_FILE": str(ROOT / "messages.yaml"),
            "POSTCART_SMTP__HOST": "127.0.0.1",
            "POSTCART_SMTP__PORT": str(port),
            "POSTCART_SMTP__TLS": "none",
        }
        settings = broker.settings("parcels", shop, **more)
        create(settings)
        variables = broker.variables("parcels", shop, **more)
        workers = [start_worker(stage, {**variables, "POSTCART_WORKER_NAME": stage.split()[0]}) for stage in STAGES]
        traffic = Deliveries(settings)
        traffic.introduce()
        traffic.start()
        try:
            traffic.warmed_up()
            mails = _measured(traffic, RECEIPTS, given.seconds)
            sender = workers.pop()
            sender.kill()
            sender.wait()
            jobs = _measured(traffic, JOBS, given.seconds)
        finally:
            traffic.close()
            for worker in workers:
                worker.kill()
                worker.wait()
    lines = [
        "| to | sustained, parcels/s | p50 ms at half of it | p99 ms | max ms |",
        "|---|---:|---:|---:|---:|",
        *(
            f"| {what} | {found['rate']:,} | {found['p50']:,} | {found['p99']:,} | {found['max']:,} |"
            for what, found in (("the job", jobs), ("the accepted mail", mails))
        ),
    ]
    keep("parcels", {"jobs": jobs, "mails": mails}, lines)


def _measured(traffic: Deliveries, topic: str, seconds: float) -> dict[str, int]:
    """What is sustained up to there, in parcels a second, and the delays at half of that."""
    rate = traffic.sustained(FIRST_RATE, seconds, topic)
    return {"rate": round(rate / traffic.records_each), **spread(traffic.during(rate / 2, seconds, topic).found)}


def _person(number: int) -> str:
    return uuid5(POSTCART, f"bench/{number}")
