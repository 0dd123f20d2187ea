"""Whether the gate lets a job out: each rule by itself and as laws."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate_questions import FRESH, GIVEN, JOB_ID, NOON, REFUSED, consent, job, person, verdict
from postcart.events.decisions import RuleSaid
from postcart.events.gate import GateConsent, GatePerson, Stop, StopReason
from postcart.events.jobs import Job
from postcart.events.times import DAY_MS, HOUR_MS
from postcart.senders.gate import SEND, GateRules, Judgement, Known, Suppress, Verdict, judge
from postcart.senders.goods import Variant


def test_an_empty_cart_is_not_reminded_of() -> None:
    """Lines may have been forgotten between planning and sending; a parcel's message needs none."""
    assert verdict(job(lines=())) == Suppress("emptied")
    assert verdict(job(lines=(), purpose="transactional")) == SEND


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
