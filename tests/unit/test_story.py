"""What `why` tells: the state in a sentence, what comes next, and one timeline over all topics."""

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from postcart.domain.story.moment import Record, Recorded
from postcart.domain.story.story import Story, Subject, story_of
from postcart.events.decisions import DecisionRecord, Judged, RuleSaid, StepDue
from postcart.events.jobs import Claim, DeliveryReport, Job, Receipt
from postcart.events.times import HOUR_MS, to_ms
from told import PERSON, VISITOR, profile, told, visit

MORNING = "2026-06-01T08:00:00Z"
BUYS = {"type": "placed", "id": "order-event", "person_id": PERSON, "order_id": "order-7"}
AGAIN = {"type": "viewed", "id": "v", "visitor_id": VISITOR, "session_id": "later", "variant_id": "x"}


def recorded(decisions: Sequence[DecisionRecord], *others: Record) -> list[Recorded]:
    """Records as their topics hold them."""
    found = [Recorded("decisions", 0, number, number, one) for number, one in enumerate(decisions)]
    return found + [Recorded(type(one).__name__, 0, number, 100, one) for number, one in enumerate(others)]


def first_due(decisions: Sequence[DecisionRecord]) -> Judged:
    return next(one for one in decisions if isinstance(one, Judged) and one.outcome == "due")


def until_first_due(*events: dict[str, Any]) -> list[DecisionRecord]:
    """As far as JOURNEY has said anything when the first reminder goes out."""
    decisions = told([profile(), *visit(MORNING), *events])
    end = next(number for number, one in enumerate(decisions) if isinstance(one, StepDue))
    return decisions[: end + 1]


def job_of(due: Judged, **fields: Any) -> Job:
    at_ms = to_ms(due.at)
    base = {"job_id": due.job_id, "person_id": PERSON, "episode_id": due.episode_id, "step": due.step}
    base |= {"channel": "email", "purpose": "marketing", "campaign": "cart", "campaign_version": "1"}
    base |= {"journey": "standard", "template": "cart-reminder", "armed_ms": at_ms - HOUR_MS, "planned_ms": at_ms}
    return Job(**(base | {"due_ms": at_ms, "not_after_ms": at_ms + 23 * HOUR_MS} | fields))


def claim_of(due: Judged, state: str = "claimed", attempt: int = 1) -> Claim:
    ids: dict[str, Any] = {"job_id": due.job_id, "person_id": PERSON, "episode_id": due.episode_id, "step": due.step}
    return Claim(**ids, attempt=attempt, state=state, at_ms=to_ms(due.at) + 1_000)


def receipt_of(due: Judged, outcome: str, **fields: Any) -> Receipt:
    ids: dict[str, Any] = {"job_id": due.job_id, "person_id": PERSON, "episode_id": due.episode_id, "step": due.step}
    base = {"channel": "email", "purpose": "marketing", "attempt": 1, "at_ms": to_ms(due.at) + 2_000}
    return Receipt(**(ids | base | {"outcome": outcome, "provider": "smtp"} | fields))


def about_job(decisions: Sequence[DecisionRecord], *others: Record) -> Story:
    return story_of(first_due(decisions).job_id or "", "job", recorded(decisions, *others))


def test_a_reminder_that_waits_says_until_when() -> None:
    """The next thing is the first step that is not sent, at its planned time; in the recipient's zone."""
    decisions = told([profile(), *visit(MORNING)])
    armed = decisions[: next(number for number, one in enumerate(decisions) if isinstance(one, Judged))]
    story = story_of(VISITOR, "visitor", recorded(armed))
    assert (story.state, story.says) == ("waits", "reminders 1, 2 and 3 planned")
    assert story.next is not None
    assert story.next.at_ms == to_ms(first_due(decisions).at)
    assert story.zone is not None
    assert (story.zone.name, story.zone.known_from) == ("Europe/Berlin", "profile")
    assert story.person_ids == [PERSON]


def test_a_deferred_reminder_says_why_and_until_when() -> None:
    """At 21:45 in Berlin."""
    decisions = told([profile(), *visit("2026-06-01T18:30:00Z")])
    deferred = next(number for number, one in enumerate(decisions) if isinstance(one, Judged))
    story = story_of(PERSON, "person", recorded(decisions[: deferred + 1]))
    assert story.episodes[0].steps[0].says == "waits, because it is night where the person lives"
    assert story.next is not None
    assert story.next.at_ms == to_ms(first_due(decisions).at)
    assert story.moments[-1].what == "Reminder 1 waits: it is night where the person lives"
    assert story.moments[-1].until_ms == story.next.at_ms


@pytest.mark.parametrize(
    ("outcome", "fields", "state", "says"),
    [
        ("accepted", {"status": "250 2.0.0"}, "sent", "sent"),
        ("suppressed", {"reason": "ordered"}, "not_sent", "not sent, because the person ordered"),
        ("rejected", {"status": "550 5.1.1"}, "refused", "not sent, because it was refused for good (550 5.1.1)"),
        ("uncertain", {}, "uncertain", "uncertain: no answer came, it may have been sent or not; it is not sent again"),
        (
            "not_accepted",
            {"status": "451 4.3.0", "not_before_ms": 9},
            "waits",
            "waits, because it could not be sent yet (451 4.3.0)",
        ),
    ],
)
def test_the_state_of_a_job(outcome: str, fields: dict[str, Any], state: str, says: str) -> None:
    """As its receipt says; and the same in whatever order records are read."""
    decisions = until_first_due()
    due = first_due(decisions)
    records = recorded(decisions, job_of(due), claim_of(due), receipt_of(due, outcome, **fields))
    Random(outcome).shuffle(records)
    story = story_of(due.job_id or "", "job", records)
    assert (story.state, story.says) == (state, says)
    assert story.next is not None
    assert story.next.what == (says if outcome == "not_accepted" else "reminder 2 planned"), "what comes next"


def test_a_job_in_line_and_one_that_is_being_sent() -> None:
    """Before the claim, after it, and handed back to be sent again."""
    decisions = until_first_due()
    due = first_due(decisions)
    assert about_job(decisions, job_of(due)).state == "in_line"
    assert about_job(decisions, job_of(due), claim_of(due)).state == "sending"
    given_back = receipt_of(due, "not_accepted", not_before_ms=5)
    assert about_job(decisions, job_of(due), given_back).next is not None
    again = about_job(decisions, job_of(due), job_of(due, attempt=2), given_back)
    assert (again.state, again.says) == ("in_line", "in line to be sent again")


def test_accepted_overrides_uncertain_and_a_bounce_is_told_beside_it() -> None:
    """A receipt that comes later, and a report."""
    decisions = until_first_due()
    due = first_due(decisions)
    report = DeliveryReport(
        report_id="r",
        job_id=due.job_id or "",
        person_id=PERSON,
        channel="email",
        kind="hard",
        at_ms=to_ms(due.at) + 60_000,
        source="dsn",
        status="5.1.1",
        detail="no such user",
    )
    story = about_job(decisions, job_of(due), receipt_of(due, "uncertain"), receipt_of(due, "accepted"), report)
    assert story.says == "sent; then bounced for good"
    assert story.moments[-1].what == "dsn: bounced for good"
    assert story.moments[-1].details == ["5.1.1 no such user"]


def test_the_timeline_of_a_cart_that_was_bought_after_the_first_reminder() -> None:
    """One chain of causes: left, opened, armed with its plan, due with its rules, gate, answer, order."""
    decisions = told([profile(), *visit(MORNING), BUYS | {"time": "2026-06-01T14:00:00Z"}])
    due = first_due(decisions)
    gate = Judged(
        stage="email",
        person_id=PERSON,
        episode_id=due.episode_id,
        step=1,
        at=due.at,
        outcome="claimed",
        rules=(RuleSaid("stops", "pass"),),
        job_id=due.job_id,
    )
    answer = receipt_of(due, "accepted", status="250 2.0.0", detail="2.0.0 queued")
    story = story_of("order-7", "order", recorded([*decisions, gate], job_of(due), claim_of(due), answer))
    assert [moment.what for moment in story.moments] == [
        "Cart left behind: 1 item, 30 EUR (inactivity)",
        "Episode opened by this cart",
        "Armed by the end of the last open visit (inactivity)",
        "Reminder 1 is due",
        "Reminder 1: the gate lets it go out",
        "Reminder 1, attempt 1: accepted by smtp",
        "Episode closed, because the person ordered",
    ]
    armed, judged, gated, attempt, closed = story.moments[2:]
    assert [planned.step for planned in armed.planned] == [1, 2, 3]
    assert [said.rule for said in judged.rules] == ["quiet_hours", "frequency", "not_after", "consent", "contact"]
    assert judged.details[0] == f"job {due.job_id}"
    assert [said.rule for said in gated.rules] == ["stops"]
    assert attempt.details == ["smtp said: 250 2.0.0 queued"]
    assert [(stopped.step, stopped.reason) for stopped in closed.stopped] == [(2, "ordered"), (3, "ordered")]
    assert story.says == "reminder 1 sent; reminders 2 and 3 not sent, because the person ordered"
    assert story.next is None


def test_no_decision_is_lost_and_none_is_told_twice() -> None:
    """Every planned, due and cancelled step is in exactly one moment, whatever happened."""
    for events in (
        [*visit(MORNING), AGAIN | {"time": "2026-06-01T09:00:00Z"}],
        [*visit(MORNING), *visit("2026-06-07T12:00:00Z", number=2)],
        [visit(MORNING)[1], visit("2026-06-02T12:00:00Z")[0] | {"session_id": None}],
    ):
        decisions = told([profile(), *events])
        kinds = [one.__struct_config__.tag for one in decisions]
        moments = story_of(PERSON, "person", recorded(decisions)).moments
        assert sum(len(moment.planned) for moment in moments) == kinds.count("planned")
        outcomes = [moment.outcome for moment in moments]
        assert outcomes.count("due") == kinds.count("due")
        cancelled = sum(len(moment.stopped) for moment in moments) + outcomes.count("cancelled")
        assert cancelled == kinds.count("cancelled")


@pytest.mark.parametrize("kind", ["episode", "abandonment", "visitor", "person", "job"])
def test_any_id_leads_to_the_same_episode(kind: Subject) -> None:
    """And a person's story has all of them."""
    decisions = told([profile(), *visit(MORNING), *visit("2026-06-20T12:00:00Z", number=2)])
    due = first_due(decisions)
    left = next(one for one in decisions if one.__struct_config__.tag == "abandonment")
    name = {
        "episode": due.episode_id,
        "abandonment": left.abandonment_id,  # type: ignore[union-attr]  # by its tag
        "visitor": VISITOR,
        "person": PERSON,
        "job": due.job_id,
    }[kind]
    story = story_of(name or "", kind, recorded(decisions, job_of(due)))
    assert due.episode_id in [episode.episode_id for episode in story.episodes]
    assert len(story.episodes) == (2 if kind in {"visitor", "person"} else 1)
