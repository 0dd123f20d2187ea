"""JOURNEY says why: each judged step with the rules that were asked, each change of an episode with its cause."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

from oracle import Campaign
from postcart.events.decisions import DecisionRecord, EpisodeTold, Judged, StepDecision
from told import PHONE, VISITOR, profile, told, visit

EVENING = "2026-06-01T18:30:00Z"
"""20:30 in Berlin: a cart left then is to be reminded of at 21:45, in the night."""
BUYS = {"type": "placed", "id": "order-event", "person_id": "person-1", "order_id": "order-7"}


def judged(records: list[DecisionRecord]) -> list[Judged]:
    return [one for one in records if isinstance(one, Judged)]


def changes(records: list[DecisionRecord]) -> list[tuple[str, str | None]]:
    return [(one.change, one.reason) for one in records if isinstance(one, EpisodeTold)]


def rules(one: Judged | EpisodeTold) -> dict[str, tuple[str, dict[str, str]]]:
    return {said.rule: (said.verdict, said.inputs) for said in one.rules}


def test_a_step_in_the_night_is_deferred_then_due() -> None:
    """With zone, where it is known from, window and until; then once more, with consent and contact."""
    deferred, due = judged(told([profile(), *visit(EVENING)]))[:2]
    assert (deferred.outcome, deferred.step) == ("deferred", 1)
    assert deferred.until == due.at == datetime(2026, 6, 2, 6, 0, tzinfo=UTC)
    verdict, inputs = rules(deferred)["quiet_hours"]
    assert verdict == "wait"
    assert inputs == {
        "at": "2026-06-01T19:45:00Z",
        "zone": "Europe/Berlin",
        "zone_from": "profile",
        "window": "21:00-08:00",
        "until": "2026-06-02T06:00:00Z",
    }
    assert due.outcome == "due"
    assert due.job_id
    assert [said.rule for said in due.rules] == ["quiet_hours", "frequency", "not_after", "consent", "contact"]
    assert rules(due)["consent"] == (
        "pass",
        {
            "channel": "email",
            "purpose": "marketing",
            "given": "yes",
            "source": "profile",
            "profile_event": "profile-1",
            "profile_time": "2026-06-01T00:00:00Z",
        },
    )


def test_no_consent_and_no_contact_are_told() -> None:
    """The rule that stopped it is the last one asked."""
    refused = judged(told([profile(consents=[]), *visit(EVENING)]))
    assert {one.reason for one in refused if one.outcome == "cancelled"} == {"no_consent"}
    last = refused[-1].rules[-1]
    assert (last.rule, last.verdict, last.inputs["source"]) == ("consent", "stop", "no record")
    unreachable = judged(told([profile(email=None), *visit(EVENING)]))
    assert unreachable[-1].rules[-1].inputs == {"channel": "email", "known": "no"}
    assert unreachable[-1].reason == "no_contact"


def test_every_judged_step_has_its_decision_behind_it() -> None:
    """A due or cancelled one is followed at once by the decision that `simulate` prints."""
    records = told([profile(), *visit(EVENING), BUYS | {"time": "2026-06-02T12:00:00Z"}])
    for one, following in pairwise(records):
        if isinstance(one, Judged) and one.outcome != "deferred":
            assert isinstance(following, StepDecision)
            assert (following.step, following.at, following.reason) == (one.step, one.at, one.reason)


def test_an_episode_says_what_opened_armed_and_closed_it() -> None:
    """The visitor's end, and the order with its event."""
    records = told([profile(), *visit(EVENING), BUYS | {"time": "2026-06-02T12:00:00Z"}])
    opened, armed, closed = [one for one in records if isinstance(one, EpisodeTold)]
    assert (opened.change, armed.change) == ("opened", "armed")
    assert opened.by == {"abandonment": armed.by["end"], "visitor": VISITOR, "trigger": "inactivity"}
    assert rules(opened)["cool_off"] == ("pass", {"last_sent": "never"})
    assert (closed.change, closed.reason) == ("closed", "ordered")
    assert closed.by == {"order": "order-7", "event": "order-event"}


def test_the_journey_is_pinned_with_value_threshold_and_season() -> None:
    """A cart above the threshold says so."""
    campaign = Campaign(high_value_from=Decimal(100), high_value_offsets=(1_800,))
    records = told([profile(), *visit(EVENING, price="120.50")], campaign)
    opened = next(one for one in records if isinstance(one, EpisodeTold))
    verdict, inputs = rules(opened)["journey"]
    assert verdict == "pass"
    assert inputs == {
        "campaign": "cart",
        "version": "1",
        "journey": "high",
        "value": "120.50 EUR",
        "high_value_from": "100 EUR",
    }


def test_a_journey_that_waits_for_another_device_is_pinned_later() -> None:
    """The phone is in a session when the laptop leaves its cart behind."""
    campaign = Campaign(high_value_from=Decimal(100), high_value_offsets=(1_800,))
    phone = visit("2026-06-01T18:40:00Z", visitor=PHONE, price="90")
    records = told([profile(), *visit(EVENING), *phone], campaign)
    opened = next(one for one in records if isinstance(one, EpisodeTold))
    assert rules(opened)["journey"][0] == "wait"
    assert [change for change, _ in changes(records)][:3] == ["opened", "pinned", "armed"]


def test_a_return_interrupts_and_a_second_cart_within_the_cool_off_is_refused() -> None:
    """Who came back is said; and until when the person is spared."""
    back: dict[str, Any] = {
        "type": "viewed",
        "id": "v",
        "visitor_id": VISITOR,
        "session_id": "later",
        "variant_id": "x",
    }
    records = told([profile(), *visit(EVENING), back | {"time": "2026-06-01T19:00:00Z"}])
    interrupted = next(one for one in records if isinstance(one, EpisodeTold) and one.change == "interrupted")
    assert (interrupted.reason, interrupted.by) == ("returned", {"visitor": VISITOR})
    records = told([profile(), *visit(EVENING), *visit("2026-06-06T12:00:00Z", number=2)])
    assert changes(records)[-2:] == [("opened", None), ("closed", "cool_off")]
    refused = [one for one in records if isinstance(one, EpisodeTold)][-2]
    verdict, inputs = rules(refused)["cool_off"]
    assert verdict == "stop"
    assert inputs["until"] == "2026-06-11T18:45:00Z"


def test_a_recovered_cart_says_when_its_visitor_was_identified() -> None:
    """Armed in the past, by the anonymous abandonment."""
    left, added = visit("2026-06-01T08:00:00Z")
    login = left | {"time": "2026-06-02T12:00:00Z", "session_id": None}
    records = told([profile(), added, login])
    armed = next(one for one in records if isinstance(one, EpisodeTold) and one.change == "armed")
    assert armed.at == datetime(2026, 6, 1, 8, 15, tzinfo=UTC)
    assert armed.by["identified"] == "2026-06-02T12:00:00Z"
