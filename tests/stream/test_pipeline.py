"""The whole pipeline on real Kafka decides as simulate does, and sends what is due, once, whatever is killed."""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from conftest import Cluster
from histories import random_history
from postcart.adapters.mail_sink import Received
from postcart.codecs.rees46 import read_rees46
from postcart.domain.simulation import simulate
from postcart.events.shop import ShopEvent, time_ms
from postcart.events.times import DAY_MS, HOUR_MS, MINUTE_MS
from postcart.wiring.rules import active_campaign, decision_context, detect_rules
from side_by_side import typed
from stream.shop import ROOT, WORKERS, Shop, sink
from waiting import wait_for

FILES = [ROOT / "tests/fixtures/rees46" / f"data_2022_{month}.csv" for month in ("oct", "nov", "dec")]
RUN_ON_MS = 6 * DAY_MS
"""After the last event: 72 h, the night after it and a reserve."""

Mails = Callable[[], Sequence[Received]]


def events_of(shop: Shop, files: Sequence[Path] = FILES) -> list[ShopEvent]:
    """Real shop events: some visitors stay unknown, some persons have two devices."""
    settings = shop.settings
    key = settings.identity_key.get_secret_value().encode()
    return list(read_rees46(files, tenant=settings.tenant, identity_key=key, anonymous=0.2, devices=0.3))


def wanted_of(shop: Shop, events: Sequence[ShopEvent]) -> Counter[bytes]:
    """What simulate decides on them."""
    context = decision_context(shop.settings, active_campaign(shop.settings))
    return Counter(msgspec.json.encode(item) for item in simulate(events, context, detect_rules(shop.settings)))


def due_of(wanted: Counter[bytes]) -> int:
    """How many mails these decisions ask for."""
    return sum(count for line, count in wanted.items() if line.startswith(b'{"type":"due"'))


@contextmanager
def opened(kafka: Cluster, folder: Path, **variables: str) -> Iterator[tuple[Shop, Mails]]:
    """A shop with its topics and a mail server, no worker yet."""
    with sink(folder / "mails") as (port, mails):
        shop = Shop(kafka.bootstrap, kafka.prefix("pipeline"), folder, POSTCART_SMTP__PORT=str(port), **variables)
        with shop:
            yield shop, mails


def sent_once(mails: Mails) -> Counter[str]:
    """Message-IDs as the server saw them; none may be there twice."""
    seen = Counter(item.entry.message_id for item in mails())
    assert [name for name, count in seen.items() if count > 1] == []
    return seen


def arrivals(events: Sequence[ShopEvent], *, seed: int) -> list[ShopEvent]:
    """Every event three times, each up to five minutes late."""
    rng = random.Random(seed)
    late = [(time_ms(event) + rng.randrange(5 * MINUTE_MS), rng.random(), event) for event in events for _ in range(3)]
    return [event for _, _, event in sorted(late, key=lambda item: item[:2])]


def start_all(shop: Shop) -> None:
    """One worker of each kind."""
    for kind in WORKERS:
        shop.start(kind)


@pytest.mark.slow
def test_real_history_decided_and_sent_as_simulated(kafka: Cluster, tmp_path: Path) -> None:
    """The real files, tripled and shuffled within the allowed disorder, through three workers."""
    with opened(kafka, tmp_path) as (shop, mails):
        events = events_of(shop)
        wanted = wanted_of(shop, events)
        start_all(shop)
        shop.replay(arrivals(events, seed=1), run_on_ms=RUN_ON_MS)
        shop.decided(wanted)
        wait_for(lambda: len(mails()) >= due_of(wanted), lambda: f"{len(mails())} of {due_of(wanted)} mails")
        assert len(sent_once(mails)) == due_of(wanted)
        wait_for(lambda: len(shop.receipts()) >= due_of(wanted), lambda: f"{len(shop.receipts())} receipts")
        assert {receipt.outcome for receipt in shop.receipts()} == {"accepted"}


@pytest.mark.slow
@pytest.mark.parametrize("victim", list(WORKERS))
def test_killed_worker_changes_no_decision_and_no_mail(kafka: Cluster, tmp_path: Path, victim: str) -> None:
    """Kill -9 in the middle of the replay, three times: the same decisions; the same mails, less what is uncertain."""
    with opened(kafka, tmp_path) as (shop, mails):
        events = events_of(shop, FILES[2:])
        wanted = wanted_of(shop, events)
        last_ms = max(map(time_ms, events))
        kills = [last_ms - 10 * MINUTE_MS, last_ms + 2 * HOUR_MS, last_ms + 33 * HOUR_MS]
        start_all(shop)

        def on_clock(clock_ms: int) -> None:
            if kills and clock_ms >= kills[0]:
                kills.pop(0)
                shop.kill_and_restart(victim)

        shop.replay(events, run_on_ms=RUN_ON_MS, speed=20_000, on_clock=on_clock)
        assert not kills
        shop.decided(wanted)
        wait_for(lambda: len(finished(shop)) >= due_of(wanted), lambda: f"{len(finished(shop))} jobs ended")
        outcomes = Counter(finished(shop).values())
        uncertain = outcomes.pop("uncertain", 0)
        assert uncertain <= (3 * shop.settings.smtp.claimed_at_once if victim == "email" else 0)
        assert outcomes == {"accepted": due_of(wanted) - uncertain}
        unsent = set(finished(shop)) - {name.strip("<>").partition("@")[0] for name in sent_once(mails)}
        assert unsent <= {job for job, outcome in finished(shop).items() if outcome == "uncertain"}


def finished(shop: Shop) -> dict[str, str]:
    """Each job's final outcome; ``accepted`` overrides ``uncertain``."""
    outcomes: dict[str, str] = {}
    for receipt in shop.receipts():
        if receipt.outcome != "not_accepted" and outcomes.get(receipt.job_id) != "accepted":
            outcomes[receipt.job_id] = receipt.outcome
    return outcomes


def generated(count: int) -> list[dict[str, Any]]:
    """Generated histories that reach every rule at its edges, side by side: each with people of its own."""
    own = {"id", "visitor_id", "person_id", "session_id", "order_id"}
    return [
        {key: f"{seed}.{value}" if key in own and value else value for key, value in event.items()}
        for seed in range(count)
        for event in random_history(seed)
    ]


@pytest.mark.slow
def test_generated_histories_decided_as_simulated(kafka: Cluster, tmp_path: Path) -> None:
    """Several devices, exits, checkouts, logins, edges: tripled, shuffled, through real workers of two partitions."""
    with opened(kafka, tmp_path, POSTCART_PARTITIONS="2") as (shop, _):
        events = sorted(typed(generated(150)), key=time_ms)
        wanted = wanted_of(shop, events)
        for kind in ("detect", "journey"):
            shop.start(kind)
        shop.replay(arrivals(events, seed=2), run_on_ms=40 * DAY_MS)
        shop.decided(wanted)
