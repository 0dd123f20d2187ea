"""What operators see of real workers: metrics that mean what they say, true probes, logs without people."""

import itertools
import json
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest
from confluent_kafka import Producer
from msgspec.structs import replace
from prometheus_client import Metric

from conftest import Cluster
from postcart.adapters.mail_sink import Received, SinkOptions, running_sink
from postcart.adapters.mail_sink_protocol import Script
from postcart.adapters.mock_broker import MockBroker
from postcart.adapters.topics import commit_beginnings, topic_counts
from postcart.events.shop import CartEvents, OrderEvents, ProfileUpdated, ShopEvent
from postcart.metrics.table import METRICS, PREFIX
from stream.shop import Shop
from stream.test_pipeline import FILES, RUN_ON_MS, due_of, events_of, wanted_of
from stream.watched_shop import Figures, Watched, exporter, get
from waiting import wait_for

OF_OTHERS = {"lag exporter", "gateway", "read model", "feedback", "alerts", "poll"}
"""Sources of metrics that these workers don't set."""
ONLY_IN_TROUBLE = {"jobs_waited_total"}
"""Counters without a closed set of labels that a quiet run need not have."""


@pytest.mark.slow
def test_figures_and_logs_of_a_run(kafka: Cluster, tmp_path: Path) -> None:
    """A real history with bad records in it, through all workers; then a second worker takes partitions over.

    The mail server is full at first, and says so with addresses in it.
    """
    options = SinkOptions(folder=tmp_path / "mails", script=full_at_first(8))
    with running_sink(options, lambda: time.time_ns() // 1_000_000) as server:
        shop = Watched(kafka.bootstrap, kafka.prefix("watch"), tmp_path, POSTCART_SMTP__PORT=str(server.port))
        with shop:
            events = [named(event) for event in events_of(shop, FILES[2:])]
            wanted = wanted_of(shop, events)
            poison(shop)
            for kind in ("detect", "journey", "email"):
                shop.start(kind)
            with exporter(shop) as lag_port:
                shop.replay(events, run_on_ms=RUN_ON_MS)
                shop.decided(wanted)
                due = due_of(wanted)
                wait_for(lambda: len(server.received) >= due, lambda: f"{len(server.received)} of {due} mails")
                wait_for(lambda: accounted(shop, due), lambda: "the figures don't add up")
                check_meaning(shop, events, due)
                check_completeness(shop)
                check_lag(lag_port, shop)
            check_logs(shop, events, server.received)
            check_takeover(shop)


def full_at_first(times: int) -> Script:
    """So often a server refuses everybody, naming whom."""
    left = itertools.count(times, -1)

    def answer(stage: str, address: str) -> str | None:
        return f"421 4.3.2 too many for <{address}> now" if stage == "rcpt" and next(left) > 0 else None

    return answer


def named(event: ShopEvent) -> ShopEvent:
    """A profile with a name that occurs nowhere else."""
    return replace(event, name=f"Zerbinetta {event.person_id[:6]}") if isinstance(event, ProfileUpdated) else event


def poison(shop: Shop) -> None:
    """Three records that can't be read."""
    producer = Producer({"bootstrap.servers": shop.settings.bootstrap})
    for number in range(3):
        producer.produce(shop.settings.shop_topic("carts"), b"\xff\xfe", key=f"v{number}", partition=0)
    assert producer.flush(30) == 0


def accounted(shop: Watched, due: int) -> bool:
    """Whether every stage has accounted for all that it read, and the senders for every mail."""
    for name in ("detect", "journey", "email"):
        figures = shop.figures(name)
        for family in figures.families.get("postcart_records_received", Metric("none", "", "counter")).samples:
            processed = figures.total("records_processed_total", topic=family.labels["topic"])
            assert processed <= family.value
            if processed < family.value:
                return False
    return shop.figures("email").total("receipts_total", status="accepted") >= due


def check_meaning(shop: Watched, events: list[ShopEvent], due: int) -> None:
    """Figures against what is known of the history."""
    detect, journey, email = (shop.figures(name) for name in ("detect", "journey", "email"))
    settings = shop.settings
    carts, orders = settings.shop_topic("carts"), settings.shop_topic("orders")
    written = Counter(carts if isinstance(event, CartEvents) else type(event) for event in events)
    assert detect.total("records_received_total", topic=carts) == written[carts] + 3
    assert detect.total("records_processed_total", topic=carts, outcome="dead") == 3
    assert detect.total("dead_letters_total", topic=carts) == 3
    assert journey.total("records_received_total", topic=orders) == sum(isinstance(one, OrderEvents) for one in events)
    assert journey.total("jobs_accepted_total", channel="email") == due
    assert journey.total("decisions_total", outcome="due") == due
    assert email.total("jobs_finished_total", outcome="accepted") == due
    assert email.total("send_attempts_total", result="accepted") == due
    assert 5 <= email.total("send_attempts_total", result="unavailable") <= 8
    assert email.total("send_duration_seconds_count") == email.total("send_attempts_total")
    assert email.total("jobs_pending") == 0
    assert email.total("provider_circuit_state", state="closed") == 1
    assert email.total("provider_circuit_state") == 1
    for figures, stage in ((detect, "detect"), (journey, "journey"), (email, "email")):
        assert figures.total("worker_partitions", stage=stage, state="running") == settings.partitions
        assert figures.total("worker_partitions", stage=stage, state="restoring") == 0
        assert figures.total("rebalances_total", stage=stage) >= 1
        assert figures.total("transactions_total", stage=stage, outcome="committed") > 0
    for figures in (detect, journey):
        assert figures.total("state_rows") > 0
        assert figures.total("state_bytes") > 100 * figures.total("state_rows")
        assert figures.total("restore_remaining_records") == 0
        assert figures.total("deadlines_pending") == figures.total("state_rows")
        assert figures.total("deadlines_pending", kind="session_end") == 0, "the clock ran on for days"
        assert figures.total("event_delay_seconds_count") > 0
        assert figures.total("deadline_fire_delay_seconds_count") > 0
        assert len(figures.partitions("watermark_timestamp_seconds")) == settings.partitions
        clocks = [one.value for one in figures.samples if one.name == f"{PREFIX}watermark_timestamp_seconds"]
        assert max(clocks) - min(clocks) < 3_600
        assert abs(max(clocks) - latest_s(events) - RUN_ON_MS / 1_000) < 3_600


def latest_s(events: list[ShopEvent]) -> float:
    return max(event.time.timestamp() if hasattr(event.time, "timestamp") else event.time / 1_000 for event in events)


def check_completeness(shop: Watched) -> None:
    """Each metric that these workers are to set is there, with exactly the labels of the table."""
    seen: dict[str, set[frozenset[str]]] = {}
    for name in ("detect", "journey", "email"):
        for sample in shop.figures(name).samples:
            bare = sample.name.removeprefix(PREFIX)
            for ending in ("_bucket", "_sum", "_count"):
                bare = bare.removesuffix(ending) if bare.endswith(f"seconds{ending}") else bare
            seen.setdefault(bare, set()).add(frozenset(sample.labels) - {"le"})
    expected = {one.name: frozenset(one.labels) for one in METRICS if one.source not in OF_OTHERS}
    missing = expected.keys() - seen.keys() - ONLY_IN_TROUBLE
    assert not missing
    for name, labels in expected.items():
        assert seen.get(name, {labels}) == {labels}, name


def check_lag(port: int, shop: Watched) -> None:
    """The exporter comes to the same end: nothing is behind, three letters wait."""
    groups = {shop.settings.topic(stage) for stage in ("detect", "journey", "email")}

    def caught_up() -> bool:
        samples = [one for one in Figures(port).samples if one.name == f"{PREFIX}consumer_group_lag"]
        behind = [one for one in samples if one.labels["group"] in groups]
        return {one.labels["group"] for one in behind} == groups and sum(one.value for one in behind) == 0

    wait_for(caught_up, lambda: f"lag is not 0: {Figures(port).samples}")
    figures = Figures(port)
    assert get(port, "/live")[0] == get(port, "/ready")[0] == 200
    assert {figures.total("consumer_group_lag_seconds", group=group) for group in groups} == {0}
    assert {figures.total("consumer_group_members", group=group) for group in groups} == {1}
    carts = shop.settings.shop_topic("carts")  # dead letters are counted beside the lag, at their own pace
    wait_for(lambda: Figures(port).total("dead_letters_pending", topic=carts) == 3, lambda: "letters are not counted")
    assert abs(figures.total("lag_measured_timestamp_seconds") - time.time()) < 60  # noqa: TID251 -- a real exporter


def check_logs(shop: Watched, events: list[ShopEvent], received: list[Received]) -> None:
    """Debug logs of all workers are JSON lines, and in them is no address, no name, no subject, no line of a text."""
    mails = [item.data for item in received]
    personal = {item.entry.recipient.lower() for item in received}
    for profile in (event for event in events if isinstance(event, ProfileUpdated)):
        personal |= {str(one).lower() for one in (profile.email, profile.name) if one}
    assert any("zerbinetta" in one for one in personal)
    subjects = {str(message_from_bytes(data, policy=default)["Subject"]).lower() for data in mails}
    assert personal
    assert subjects
    products = {line.lower() for data in mails for line in body_lines(data)}
    for name in ("detect", "journey", "email"):
        text = (shop.folder / f"{name}.log").read_text()
        lines = text.splitlines()
        assert lines
        assert all(json.loads(line)["event"] for line in lines)
        lower = text.lower()
        for what in (personal, subjects, products):
            assert not [one for one in what if one in lower], name
        assert shop.settings.master_key.get_secret_value() not in text
        assert shop.settings.identity_key.get_secret_value() not in text
    assert "channel_paused" in text
    assert "too many for" in text, "what the server said, without the address in it"


def body_lines(data: bytes) -> list[str]:
    """Lines of the text part that say something."""
    part = message_from_bytes(data, policy=default).get_body(("plain",))
    assert part is not None
    return [line.strip() for line in part.get_content().splitlines() if len(line.strip()) > 12]


def check_takeover(shop: Watched) -> None:
    """A second worker: what it has the first one no longer shows, and both tell of the rebalance."""
    before = shop.figures("detect").total("rebalances_total")
    shop.start("detect", "detect-2")
    names = ("watermark_timestamp_seconds", "state_rows", "state_bytes", "restore_remaining_records")

    def shared() -> bool:
        if shop.probe("detect-2", "/ready") != 200:
            return False
        first, second = shop.figures("detect"), shop.figures("detect-2")
        halves = [figures.total("worker_partitions", state="running") for figures in (first, second)]
        return halves == [2, 2] and len(second.partitions("state_rows")) == 2

    wait_for(shared, lambda: "the second worker has no partitions")
    first, second = shop.figures("detect"), shop.figures("detect-2")
    for name in names:
        assert not first.partitions(name) & second.partitions(name), name
        assert len(first.partitions(name)) == 2, name
    assert first.total("deadlines_pending") == first.total("state_rows")
    assert first.total("rebalances_total") > before
    assert second.total("rebalances_total") > 0


@pytest.mark.slow
def test_an_outage_of_the_broker_does_not_end_a_living_worker(tmp_path: Path) -> None:
    """Live for longer than a probe waits, of a stage and of a sender; before they joined they were not ready."""
    with ExitStack() as workers:
        with MockBroker() as broker:
            shop = Watched(broker.bootstrap, "", tmp_path, POSTCART_SMTP__PORT="1")
            workers.push(shop)
            broker.create(topic_counts(shop.settings))
            commit_beginnings(shop.settings)
            for kind in ("detect", "email"):
                shop.start(kind)
            seen = watch(shop, until=lambda: all(shop.probe(name, "/ready") == 200 for name in shop.ports))
            assert 200 not in seen[0]
        gone = time.monotonic()
        while time.monotonic() - gone < 15:  # a loop that stands for 10 s is not alive any more
            assert {shop.probe(name, "/live") for name in shop.ports} == {200}
            time.sleep(0.5)


def watch(shop: Watched, *, until: Callable[[], bool]) -> list[set[int]]:
    """What ``/ready`` answers, round by round, until then."""
    rounds: list[set[int]] = []

    def reached() -> bool:
        rounds.append({shop.probe(name, "/ready") for name in shop.ports})
        return until()

    wait_for(reached, lambda: "not ready")
    return rounds
