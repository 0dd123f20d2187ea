"""When the gate lets a job wait, for what, and when it is too late for it."""

from datetime import time

import pytest

from gate_questions import FRESH, NOON, job, person, verdict
from postcart.domain.campaign import QuietHours
from postcart.events.times import DAY_MS, HOUR_MS, parse_iso
from postcart.senders.freshness import Freshness
from postcart.senders.gate import SEND, TOO_OLD_MS, GateRules, Known, Suppress, Wait, judge, moment


def test_an_unread_gate_proves_no_absence() -> None:
    """A person who is not there yet may still come."""
    known = Known(None, has_key=False, freshness=Freshness(7.0, 0))
    transactional = job(purpose="transactional")
    assert judge(transactional, known, moment_ms=NOON, rules=GateRules()).verdict == Wait("person_unknown")


def test_what_was_written_with_the_job_is_awaited() -> None:
    """Job and gate record may come of one transaction: until the gate is read past it, nothing proves an absence."""
    known = Known(None, has_key=False, freshness=FRESH, covers_job=False)
    for purpose in ("transactional", "marketing"):
        assert judge(job(purpose=purpose), known, moment_ms=NOON, rules=GateRules()).verdict == Wait("gate_behind")


def test_a_missing_key_means_wait() -> None:
    """Without an erasure the key is on its way."""
    assert verdict(has_key=False) == Wait("key_missing")


@pytest.mark.parametrize(
    ("freshness", "reason"),
    [
        (Freshness(None, 0), "gate_behind"),
        (Freshness(1.01, 0), "gate_behind"),
        (Freshness(1.0, 10_000), None),
        (Freshness(0.1, None), "orders_behind"),
        (Freshness(0.1, 10_001), "orders_behind"),
        (Freshness(0.1, -10_001), "orders_behind"),
        (Freshness(0.1, 0, 10_000, 10.0), None),
        (Freshness(0.1, 0, None), "carts_behind"),
        (Freshness(0.1, 0, 10_001), "carts_behind"),
        (Freshness(0.1, 0, -10_001), "carts_behind"),
        (Freshness(0.1, 0, 0, None), "tables_behind"),
        (Freshness(0.1, 0, 0, 10.1), "tables_behind"),
    ],
)
def test_marketing_needs_fresh_knowledge(freshness: Freshness, reason: str | None) -> None:
    """Gate within a second, the rest within ten; transactional mail needs only that all has been read once."""
    assert verdict(freshness=freshness) == (Wait(reason) if reason else SEND)  # type: ignore[arg-type]  # closed set
    shipping = verdict(job(purpose="transactional"), freshness=freshness)
    assert shipping == (SEND if freshness.read_once else Wait(reason))  # type: ignore[arg-type]  # closed set


def test_expiry_comes_before_freshness() -> None:
    """What can't be sent any more need not wait for anything."""
    stale = Freshness(None, None)
    assert verdict(at_ms=NOON + DAY_MS, freshness=FRESH) is SEND
    assert verdict(at_ms=NOON + DAY_MS + 1, freshness=stale) == Suppress("not_after")
    old = job(not_after_ms=NOON + 40 * DAY_MS)
    assert verdict(old, at_ms=NOON + TOO_OLD_MS + 1, freshness=stale) == Suppress("too_old")


def test_quiet_hours_by_the_recipients_zone() -> None:
    """12:00 UTC is 21:00 in Tokyo: wait until 08:00 there; an unknown zone falls back to the shop's."""
    wait = Wait("quiet_hours", NOON + 11 * HOUR_MS)
    at_eight = parse_iso("2026-03-11T00:00:00Z")  # 8:00 in Perth, the last of Australia's zones
    assert verdict(who=person(time_zone="Asia/Tokyo")) == wait
    assert verdict(who=person(time_zone="Nowhere/Land"), rules=GateRules(shop_country="AU")) == Wait(
        "quiet_hours", at_eight
    )
    assert verdict(job(purpose="transactional"), person(time_zone="Asia/Tokyo")) is SEND
    assert verdict(who=person(time_zone="Asia/Tokyo"), rules=GateRules(quiet_hours={"cart-reminder": None})) is SEND
    early = GateRules(quiet_hours={"cart-reminder": QuietHours(start=time(11), end=time(13))})
    assert verdict(rules=early) == Wait("quiet_hours", NOON + HOUR_MS)


def test_quiet_hours_past_not_after() -> None:
    """When they end too late, the job is suppressed at once."""
    soon = job(not_after_ms=NOON + HOUR_MS)
    assert verdict(soon, person(time_zone="Asia/Tokyo")) == Suppress("not_after")


def test_the_moment() -> None:
    """The clock in live operation, the due time in a replay."""
    assert moment(job(), now_ms=NOON + 7, is_replay=False) == NOON + 7
    assert moment(job(), now_ms=NOON + 7, is_replay=True) == NOON
    assert moment(job(), now_ms=None, is_replay=True) == NOON
    assert moment(job(), now_ms=None, is_replay=False) is None
