"""Mails that come back, on real Kafka: from a server's bounce to the reminder that is not sent any more."""

import json
import os
import smtplib
import socket
import subprocess
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from uuid import NAMESPACE_DNS, uuid5

import msgspec
import pytest
from confluent_kafka import Consumer, TopicPartition

from conftest import Cluster
from ports import free_port
from postcart.adapters.mail_sink import Received
from postcart.adapters.rdkafka.settings import ClientSettings
from postcart.adapters.record_log import LogRecord, RecordLog
from postcart.adapters.topics import create
from postcart.adapters.topics.sampling import murmur2
from postcart.content.tokens import OptOut
from postcart.errors import BrokerUnavailable
from postcart.events.consents import ConsentRecorded
from postcart.events.jobs import DeliveryReport, Receipt, ReceiptRecord
from postcart.events.shop import (
    CartLine,
    Consent,
    Identified,
    LineAdded,
    ProfileUpdated,
    SessionEnded,
    SessionStarted,
    ShopEvent,
)
from postcart.events.suppressions import Suppressed
from postcart.events.times import DAY_MS, HOUR_MS, MINUTE_MS
from postcart.wiring.email import envelope_senders, unsubscribe_links
from stream.shop import Shop, read_all, sink
from waiting import wait_for

NOON_MS = 1_664_625_600_000
NAMES = ("bounces", "opts-out", "stays")
PERSONS = {name: str(uuid5(NAMESPACE_DNS, name)) for name in NAMES}


def history() -> list[ShopEvent]:
    """Three persons leave a cart at noon: reminders after 1, 24 and 72 hours."""
    events: list[ShopEvent] = []
    for name, person_id in PERSONS.items():
        consents = (Consent(channel="email", purpose="marketing", given=True),)
        visit = {"visitor_id": f"v-{name}", "session_id": f"s-{name}"}
        line = CartLine(variant_id="5773203", quantity=1, unit_price=Decimal("2.62"), currency="EUR")
        events += [
            ProfileUpdated(
                id=f"p-{name}",
                time=NOON_MS - 2,
                person_id=person_id,
                email=f"{name}@example.com",
                time_zone="UTC",
                consents=consents,
            ),
            Identified(id=f"i-{name}", time=NOON_MS - 1, person_id=person_id, **visit),
            LineAdded(id=f"l-{name}", time=NOON_MS, line=line, **visit),
            SessionEnded(id=f"e-{name}", time=NOON_MS + MINUTE_MS, **visit),
        ]
    return sorted(events, key=lambda event: event.time)


def dsn(status: str) -> bytes:
    """A server's report on a recipient of ours."""
    return (
        "From: MAILER-DAEMON@mx.example\r\nSubject: failure\r\n"
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n"
        f"Final-Recipient: rfc822; gone@example.com\r\nAction: failed\r\nStatus: {status}\r\n\r\n--b--\r\n"
    ).encode()


def to_worker(port: int, recipient: str, text: bytes) -> int:
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as server:
        server.ehlo()
        server.mail("")
        code = server.rcpt(recipient)[0]
        return server.data(text)[0] if code == 250 else code


def is_open(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            return True
    except OSError:
        return False


class Told:
    """What the shop's topics say."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def suppressed(self) -> list[Suppressed]:
        """Suppressions, repeats included."""
        return [msgspec.json.decode(value, type=Suppressed) for value in self._shop.read("suppressions")]

    def consents(self) -> list[ConsentRecorded]:
        """Consent records."""
        return [msgspec.json.decode(value, type=ConsentRecorded) for value in self._shop.read("consents")]

    def records(self) -> list[ReceiptRecord]:
        """All of receipts."""
        return [msgspec.json.decode(value, type=ReceiptRecord) for value in self._shop.read("receipts")]  # type: ignore[arg-type]

    def reports(self) -> list[DeliveryReport]:
        """Bounces."""
        return [one for one in self.records() if isinstance(one, DeliveryReport)]

    def outcomes(self) -> dict[tuple[str, int], str]:
        """The last receipt of each job."""
        by_id = {person_id: name for name, person_id in PERSONS.items()}
        return {
            (by_id[one.person_id], one.step): one.reason or one.outcome
            for one in self.records()
            if isinstance(one, Receipt)
        }


def mail_to(mails: Sequence[Received], name: str) -> Received:
    return next(one for one in mails if one.entry.recipient == f"{name}@example.com")


def opt_out_of(mail: Received) -> bytes:
    """What a mail program makes of the mail's List-Unsubscribe, folded as some do."""
    head = mail.data.decode().replace("\r\n ", " ")
    subject = head.partition("?subject=")[2].partition(">")[0].replace("%20", "\r\n ")
    return f"From: somebody@example.com\r\nSubject: {subject}\r\n\r\n".encode()


@pytest.mark.slow
def test_a_bounce_and_an_opt_out_stop_the_next_reminder(kafka: Cluster, tmp_path: Path) -> None:
    """Through the real listener, JOURNEY and the sender; the third person gets all three reminders."""
    port = free_port()
    with sink(tmp_path / "mails") as (smtp_port, mails):
        shop = Shop(
            kafka.bootstrap,
            kafka.prefix("feedback"),
            tmp_path,
            POSTCART_SMTP__PORT=str(smtp_port),
            POSTCART_FEEDBACK__PORT=str(port),
            POSTCART_FEEDBACK__DOMAIN="bounces.shop.example",
        )
        with shop:
            for kind in ("detect", "journey", "email", "feedback"):
                shop.start(kind)
            told = Told(shop)
            shop.replay(history(), run_on_ms=3 * HOUR_MS)
            wait_for(lambda: len(mails()) == 3, lambda: f"{len(mails())} mails")
            wait_for(lambda: is_open(port), lambda: (tmp_path / "feedback.log").read_text()[-2000:])
            sender = mail_to(mails(), "bounces").entry.envelope_from
            assert sender.endswith("@bounces.shop.example")
            assert [to_worker(port, sender, dsn("5.1.1")) for _ in range(2)] == [250, 250]
            assert to_worker(port, sender.replace("@", "x@"), dsn("5.1.1")) == 550
            assert to_worker(port, "unsubscribe@shop.example", opt_out_of(mail_to(mails(), "opts-out"))) == 250
            wait_for(lambda: bool(told.suppressed()), lambda: str(told.records()))
            later = SessionStarted(id="later", time=NOON_MS + 4 * HOUR_MS, visitor_id="v-other", session_id="s-other")
            shop.replay([later], run_on_ms=4 * DAY_MS)
            wait_for(lambda: len(told.outcomes()) == 3 + 2 + 2, lambda: str(told.outcomes()))
            assert told.outcomes() == {
                **{("stays", step): "accepted" for step in (1, 2, 3)},
                ("opts-out", 1): "accepted",
                ("bounces", 1): "accepted",
                ("bounces", 2): "suppressed_address",
                ("bounces", 3): "suppressed_address",
            }
            assert len(mails()) == 5
            [suppressed] = told.suppressed()
            assert (suppressed.reason, suppressed.status, suppressed.channel) == ("hard", "5.1.1", "email")
            assert len({report.report_id for report in told.reports()}) == 1
            [consent] = told.consents()
            assert (consent.person_id, consent.given) == (PERSONS["opts-out"], False)
            shop.workers["feedback"].terminate()
            assert shop.workers["feedback"].wait(30) == 0
            assert not is_open(port)
            assert "example.com" not in (tmp_path / "feedback.log").read_text()


def test_a_mailbox_is_fed_once(kafka: Cluster, tmp_path: Path) -> None:
    """Reports on the partition where JOURNEY reads that person, opt-outs compacted by their own key beside them."""
    shop = Shop(kafka.bootstrap, kafka.prefix("mailbox"), tmp_path)
    create(shop.settings)
    senders, links = envelope_senders(shop.settings), unsubscribe_links(shop.settings)
    for folder in ("new", "cur", "tmp"):
        (tmp_path / "Maildir" / folder).mkdir(parents=True)
    for number, person_id in enumerate(PERSONS.values()):
        job_id = str(uuid5(NAMESPACE_DNS, f"job {number}"))
        bounce = f"Delivered-To: {senders.of(job_id, person_id)}\n".encode() + dsn("4.4.7")
        token = links.token(OptOut(person_id, "email", "marketing"))
        opt_out = f"To: {shop.settings.unsubscribe.mailto}\nSubject: unsubscribe {token}\n\n".encode()
        (tmp_path / "Maildir/new" / f"{number}.a").write_bytes(bounce)
        (tmp_path / "Maildir/new" / f"{number}.b").write_bytes(opt_out)
    (tmp_path / "Maildir/new/strange").write_bytes(dsn("5.1.1"))
    arguments = ("bounces", "--feed", str(tmp_path / "Maildir"), "--output", "json")
    variables = shop.variables | {"POSTCART_CLOCK": "wall"}
    shown = postcart(*arguments, **variables)
    assert (shown.returncode, shown.stderr) == (0, "")
    results = [json.loads(line)["result"] for line in shown.stdout.splitlines()]
    assert results == ["report", "opt_out"] * 3 + ["unmatched"]
    assert {path.parent.name for path in (tmp_path / "Maildir").rglob("*:2,S")} == {"cur"}
    again = postcart(*arguments, **variables)
    assert (again.returncode, again.stdout) == (0, "")
    told = Told(shop)
    assert {(one.person_id, one.kind) for one in told.reports()} == {(person, "soft") for person in PERSONS.values()}
    assert {one.person_id for one in told.consents()} == set(PERSONS.values())
    for topic in ("receipts", "consents"):
        for key, partition in places(shop, topic):
            person_id = key.decode().partition("/")[0]
            assert partition == murmur2(person_id.encode()) % shop.settings.partitions
            assert key.decode() == person_id + ("/email/marketing" if topic == "consents" else "")


@pytest.mark.slow
def test_a_broker_that_does_not_answer_leaves_the_mailbox_alone(tmp_path: Path) -> None:
    """Exit code 3, and everything is still new."""
    for folder in ("new", "cur", "tmp"):
        (tmp_path / folder).mkdir()
    (tmp_path / "new/1").write_bytes(dsn("5.1.1"))
    shown = postcart("bounces", "--feed", str(tmp_path), POSTCART_BOOTSTRAP=f"127.0.0.1:{free_port()}")
    assert shown.returncode == 3
    assert "Kafka does not answer" in shown.stderr
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["1"]


def test_records_that_do_not_arrive_are_told(kafka: Cluster) -> None:
    """The broker is away: nobody is told that a mail was taken. A topic that refuses is told as soon."""
    away = RecordLog(ClientSettings(bootstrap=f"127.0.0.1:{free_port()}"), "away", {"t": 1}, answer_s=1.0)
    with pytest.raises(BrokerUnavailable):
        away.append([LogRecord("t", key=b"k", value=b"v", partition_key=b"k")])
    topic = f"{kafka.prefix('small')}t"
    kafka.create({topic: 1}, {"max.message.bytes": "1000"})
    small = RecordLog(ClientSettings(bootstrap=kafka.bootstrap), "small", {topic: 1})
    with pytest.raises(BrokerUnavailable):
        small.append([LogRecord(topic, key=b"k", value=os.urandom(10_000), partition_key=b"k")])
    small.append([LogRecord(topic, key=b"k", value=b"v", partition_key=b"k")])
    small.append([])
    assert list(read_all(kafka.bootstrap, topic)) == [b"v"]
    assert small.failed is None


def postcart(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command as its own process."""
    command = [sys.executable, "-m", "postcart", *arguments]
    environment = {**os.environ, **variables}  # noqa: TID251 -- tests are an outermost shell
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)  # noqa: S603 -- ours


def places(shop: Shop, topic: str) -> list[tuple[bytes, int]]:
    """Key and partition of each record."""
    consumer = Consumer(
        {"bootstrap.servers": shop.settings.bootstrap, "group.id": "places", "enable.partition.eof": True}
    )
    name, numbers = shop.settings.topic(topic), range(shop.settings.partitions)
    consumer.assign([TopicPartition(name, number, 0) for number in numbers])
    found: list[tuple[bytes, int]] = []
    ends: set[int] = set()
    while len(ends) < len(numbers):
        for message in consumer.consume(100, 1.0):
            if message.error() is not None:
                ends.add(message.partition())
            else:
                found.append((message.key(), message.partition()))
    consumer.close()
    return found
