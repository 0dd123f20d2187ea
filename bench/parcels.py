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
PEOPLE = 5_000
STAGES = ("track", "journey", "send email")
SHARES = (0.0, 0.5)
QUIET_RATE = 20
FIRST_RATE = 100
JOBS, RECEIPTS = "jobs.email.transactional", "receipts"


class Deliveries(Traffic):
    """Parcels that arrive; jobs to tell of it and accepted mails are awaited."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, watched=(JOBS, RECEIPTS), partitions=PARTITIONS)
        self._encode = ShopEventEncoder().encode
        self._decode = {JOBS: msgspec.json.Decoder(Job).decode, RECEIPTS: msgspec.json.Decoder(ReceiptRecord).decode}
        self._began: dict[str, int] = {}

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
        self._began[incarnation_id(registration.parcel_key, registration.id)] = now_ms
        yield self._record(registration)
        yield self._record(ParcelStatus(id=f"{tracking}-d", code="delivered", vocabulary="postcart", **common))

    def began_s(self, topic: str, value: bytes) -> float | None:
        """When the parcel of this job or receipt was delivered."""
        found = self._decode[topic](value)
        if isinstance(found, Receipt) and found.outcome != "accepted":
            raise AssertionError(f"not accepted: {value.decode()}")
        return self._began[found.episode_id] / 1000 if isinstance(found, Job | Receipt) else None

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
            traffic.warmed_up(QUIET_RATE)
            rate = traffic.sustained(FIRST_RATE, given.seconds / 2)
            lines, delays = _delays(traffic, rate, given.seconds)
        finally:
            traffic.close()
            for worker in workers:
                worker.kill()
                worker.wait()
    keep("parcels", {"sustained_records_per_s": round(rate), "delays_ms": delays}, lines)


def _delays(traffic: Deliveries, rate: float, seconds: float) -> tuple[list[str], dict[str, dict[str, dict[str, int]]]]:
    lines = [
        f"Sustained to the job: {rate:,.0f} records/s, two for each job, beside broker and generator.",
        "",
        "| load | to the job: p50 ms | p99 ms | max ms | to the accepted mail: p50 ms | p99 ms | max ms |",
        "|---:|---:|---:|---:|---:|---:|---:|",
    ]
    result = {}
    for share in SHARES:
        since = {topic: len(found) for topic, found in traffic.seen.items()}
        traffic.send(max(rate * share, QUIET_RATE), seconds)
        traffic.settled()
        each = result[f"{share:.0%}"] = {topic: spread(found[since[topic] :]) for topic, found in traffic.seen.items()}
        cells = [f"{each[topic][name]:,}" for topic in (JOBS, RECEIPTS) for name in ("p50", "p99", "max")]
        lines.append(f"| {share:.0%} | {' | '.join(cells)} |")
    return lines, result


def _person(number: int) -> str:
    return uuid5(POSTCART, f"bench/{number}")
