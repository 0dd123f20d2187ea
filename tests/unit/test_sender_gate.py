"""The gate's verdicts, each rule by itself and as laws."""

from datetime import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postcart.domain.campaign import QuietHours
from postcart.events.decisions import RuleSaid
from postcart.events.gate import GateConsent, GatePerson, Stop, StopReason
from postcart.events.jobs import Channel, Job, Purpose
from postcart.events.signals import LineState
from postcart.events.times import DAY_MS, HOUR_MS, parse_iso
from postcart.senders.freshness import Freshness
from postcart.senders.gate import (
    SEND,
    TOO_OLD_MS,
    GateRules,
    Judgement,
    Known,
    Suppress,
    Verdict,
    Wait,
    judge,
    moment,
)
from postcart.senders.goods import Variant

NOON = parse_iso("2026-03-10T12:00:00Z")
FRESH = Freshness(0.2, 1_000)


def consent(channel: Channel, purpose: Purpose, *, given: bool) -> GateConsent:
    return GateConsent(channel, purpose, given)


GIVEN = consent("email", "marketing", given=True)
REFUSED = consent("email", "marketing", given=False)
JOB_ID = "0b1f3a52-7c33-5f0e-9d1c-2f5f7f0f6a01"


def job(**changes: Any) -> Job:
    fields: dict[str, Any] = {
        "job_id": JOB_ID,
        "person_id": "p",
        "episode_id": "e",
        "step": 1,
        "channel": "email",
        "purpose": "marketing",
        "campaign": "cart-reminder",
        "campaign_version": "1",
        "journey": "standard",
        "template": "cart-reminder",
        "armed_ms": NOON - HOUR_MS,
        "planned_ms": NOON,
        "due_ms": NOON,
        "not_after_ms": NOON + DAY_MS,
        "lines": (LineState(variant_id="v", quantity=1, changed_ms=0, unit_price=Decimal(1)),),
    }
    return Job(**(fields | changes))


def person(**changes: Any) -> GatePerson:
    fields: dict[str, Any] = {
        "person_id": "p",
        "contacts": {"email": "sealed"},
        "consents": (GIVEN,),
        "time_zone": "UTC",
    }
    return GatePerson(**(fields | changes))


def test_an_empty_cart_is_not_reminded_of() -> None:
    """Lines may have been forgotten between planning and sending; a parcel's message needs none."""
    assert verdict(job(lines=())) == Suppress("emptied")
    assert verdict(job(lines=(), purpose="transactional")) == SEND


def verdict(
    of: Job | None = None,
    who: GatePerson | None = None,
    *,
    at_ms: int = NOON,
    has_key: bool = True,
    freshness: Freshness = FRESH,
    rules: GateRules | None = None,
    is_replay: bool = False,
    **more: Any,
) -> Verdict:
    known = Known(who or person(), has_key, freshness, **more)
    return judge(of or job(), known, moment_ms=at_ms, rules=rules or GateRules(), is_replay=is_replay).verdict


def test_all_is_well() -> None:
    """Consent, contact, key, fresh knowledge, daytime: it goes out."""
    assert verdict() is SEND


@pytest.mark.parametrize(
    ("at_ms", "live", "replay"),
    [
        (NOON - HOUR_MS, False, False),  # at the arming itself: it is what the arming already knew
        (NOON - HOUR_MS + 1, True, True),
        (NOON, True, True),  # at the moment is included
        (NOON + 1, True, False),  # in a replay, what comes later does not count
        (NOON + 3 * HOUR_MS, True, False),  # of a shop whose clock goes fast
    ],
)
def test_a_stop_counts_after_the_arming(at_ms: int, *, live: bool, replay: bool) -> None:
    """In live operation also one whose event time lies ahead: it is here, so it has happened. In a replay not."""
    who = person(stops=(Stop("ordered", at_ms),))
    of = job(armed_ms=NOON - HOUR_MS)
    assert verdict(of, who) == (Suppress("ordered") if live else SEND)
    assert verdict(of, who, is_replay=True) == (Suppress("ordered") if replay else SEND)


def test_the_earliest_stop_is_the_reason() -> None:
    """Whichever order they were written in."""
    stops = (Stop("ordered", NOON - 5), Stop("returned", NOON - 9))
    assert verdict(who=person(stops=stops)) == Suppress("returned")


def test_a_single_job_is_cancelled() -> None:
    """Only that job, only from its time on, and before any general stop."""
    cancelled = {JOB_ID: Stop("merged", NOON)}
    assert verdict(who=person(cancelled=cancelled, stops=(Stop("ordered", NOON - 5),))) == Suppress("merged")
    assert verdict(who=person(cancelled=cancelled), at_ms=NOON - 1) == Suppress("merged")
    assert verdict(who=person(cancelled=cancelled), at_ms=NOON - 1, is_replay=True) is SEND
    assert verdict(job(job_id="another"), person(cancelled=cancelled)) is SEND


@pytest.mark.parametrize(
    ("purpose", "consents", "expected"),
    [
        ("marketing", (), Suppress("no_consent")),
        ("marketing", (REFUSED,), Suppress("no_consent")),
        ("marketing", (consent("sms", "marketing", given=True),), Suppress("no_consent")),
        ("marketing", (consent("email", "transactional", given=True),), Suppress("no_consent")),
        ("marketing", (GIVEN,), SEND),
        ("transactional", (), SEND),
        ("transactional", (REFUSED,), SEND),
        ("transactional", (consent("email", "transactional", given=False),), Suppress("no_consent")),
    ],
)
def test_consent(purpose: str, consents: tuple[GateConsent, ...], expected: Verdict) -> None:
    """Marketing needs it for this channel and purpose; shipping passes a marketing opt-out."""
    assert verdict(job(purpose=purpose), person(consents=consents)) == expected


def test_stops_of_a_cart_say_nothing_about_shipping() -> None:
    """An order is why there is a parcel."""
    assert verdict(job(purpose="transactional"), person(stops=(Stop("ordered", NOON),))) is SEND


def test_without_contact_or_person() -> None:
    """Nobody to write to."""
    assert verdict(who=person(contacts={"sms": "sealed"})) == Suppress("no_contact")
    known = Known(None, has_key=False, freshness=FRESH)
    assert judge(job(), known, moment_ms=NOON, rules=GateRules()).verdict == Suppress("no_contact")


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


@pytest.mark.parametrize(
    ("reason", "marketing", "transactional"),
    [
        (None, True, True),
        ("complaint", False, True),
        *[(reason, False, False) for reason in ("hard", "soft", "stop", "manual", "one of a later release")],
    ],
)
def test_suppressed_addresses(reason: str | None, *, marketing: bool, transactional: bool) -> None:
    """A complaint stops marketing only, everything else all that goes to this address."""
    for purpose, goes in (("marketing", marketing), ("transactional", transactional)):
        found = verdict(job(purpose=purpose), suppressed=reason)
        assert found == (SEND if goes else Suppress("suppressed_address"))


def test_goods_concern_reminders_only() -> None:
    """What was bought is on its way at the price that was paid; a reminder of what can't be bought is not sent."""
    gone = {"v": Variant(Decimal(1), None, 0)}
    assert verdict(variants=gone) == Suppress("out_of_stock")
    assert verdict(job(purpose="transactional"), variants=gone) == SEND


def judged(of: Job | None = None, who: GatePerson | None = None, **more: Any) -> Judgement:
    known = Known(who or person(), has_key=True, freshness=FRESH, **more)
    return judge(of or job(), known, moment_ms=NOON, rules=GateRules())


def test_the_job_that_goes_out_has_the_prices_of_now() -> None:
    """The job itself stays as it was planned."""
    planned = job(currency="USD", value=Decimal(1))
    found = judged(planned, variants={"v": Variant(Decimal("0.80"), "USD", 3)})
    assert (found.job.value, found.job.lines[0].unit_price) == (Decimal("0.80"), Decimal("0.80"))
    assert planned.lines[0].unit_price == Decimal(1)


def test_what_the_rules_said() -> None:
    """In the order in which they were asked, up to the one that stopped it; with inputs, and never a contact point."""
    names = (
        "expiry",
        "freshness",
        "stops",
        "consent",
        "contact",
        "suppression",
        "stock",
        "price",
        "quiet_hours",
        "key",
    )
    passed = judged()
    assert [rule.rule for rule in passed.rules] == list(names)
    assert {rule.verdict for rule in passed.rules} == {"pass"}
    stopped = judged(who=person(consents=(REFUSED,)))
    assert [rule.rule for rule in stopped.rules] == list(names[:4])
    assert stopped.rules[-1] == RuleSaid("consent", "stop", {"email/marketing": "refused"})
    changed = judged(variants={"v": Variant(Decimal("0.80"), None, 3)})
    assert {rule.rule for rule in changed.rules if rule.verdict == "change"} == {"price"}
    bought = judged(who=person(stops=(Stop("ordered", NOON - 1_000),)))
    assert bought.rules[-1].inputs == {"armed": "2026-03-10T11:00:00Z", "ordered": "2026-03-10T11:59:59Z"}
    assert passed.rules[1].inputs == {"gate_s": "0.2", "orders_s": "1.0", "carts_s": "0.0", "tables_s": "0.0"}
    assert "sealed" not in str([found.rules for found in (passed, stopped, changed, bought)])


REASONS: tuple[StopReason, ...] = ("ordered", "emptied", "returned", "merged", "expired")
stops = st.builds(Stop, st.sampled_from(REASONS), st.integers(NOON - 2 * HOUR_MS, NOON + HOUR_MS))


@given(st.lists(stops, max_size=5), st.booleans(), st.booleans(), st.integers(NOON - HOUR_MS, NOON + 2 * DAY_MS))
def test_nothing_goes_out_against_a_rule(found: list[Stop], agreed: bool, contact: bool, at_ms: int) -> None:  # noqa: FBT001 -- hypothesis passes by position
    """Law: SEND implies consent, contact, time left and no counting stop."""
    who = person(
        stops=tuple(found),
        consents=(GIVEN if agreed else REFUSED,),
        contacts={"email": "sealed"} if contact else {},
    )
    if verdict(who=who, at_ms=at_ms) is SEND:
        assert agreed
        assert contact
        assert at_ms <= job().not_after_ms
        assert not [stop for stop in found if job().armed_ms < stop.at_ms]


@given(st.lists(stops, max_size=5), st.randoms(use_true_random=False))
def test_order_of_stops_does_not_matter(found: list[Stop], random: Any) -> None:
    """Law: the same stops in another order give the same verdict."""
    shuffled = list(found)
    random.shuffle(shuffled)
    assert verdict(who=person(stops=tuple(found))) == verdict(who=person(stops=tuple(shuffled)))
