"""The naive implementation itself: independent, consistent with itself, and right on hand-made timelines.

Each timeline counts minutes from noon. What is expected here was worked out by hand from docs/decisions.md.
"""

import ast
from collections import Counter
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings

from histories import CAMPAIGNS, history, moves, random_history, shuffled, tripled
from oracle import Campaign, decide
from oracle.basics import iso, milliseconds

ORACLE = Path(__file__).parents[1] / "oracle"
NOON = milliseconds("2022-10-03T12:00:00Z")
MINUTE = 60_000
HOUR, DAY = 60, 1440
ALWAYS = Campaign(quiet_from=24, quiet_to=0)
"""No quiet hours, so that times are easy to see."""

Json = dict[str, Any]


def at(minutes: float) -> str:
    return iso(NOON + int(minutes * MINUTE))


class Shop:
    """Writes events down, minute by minute."""

    def __init__(self) -> None:
        self.events: list[Json] = []
        self.profile(-HOUR)

    def say(self, kind: str, minutes: float, **fields: Any) -> "Shop":
        """One event."""
        number = len(self.events)
        event: Json = {"type": kind, "id": f"e{number}", "time": at(minutes), "sequence": number}
        if kind not in {"placed", "profile"}:
            event |= {"visitor_id": "laptop", "session_id": "s"}
        self.events.append(event | fields)
        return self

    def add(self, minutes: float, variant: str = "shirt", **fields: Any) -> "Shop":
        """A line of 20.00 added."""
        line = {"variant_id": variant, "quantity": 1, "unit_price": "20.00", "currency": "EUR"}
        return self.say("added", minutes, line=line, **fields)

    def login(self, minutes: float, person: str = "ann", **fields: Any) -> "Shop":
        """The laptop, or another visitor, turns out to be a person."""
        return self.say("identified", minutes, person_id=person, **fields)

    def order(self, minutes: float) -> "Shop":
        """Ann orders."""
        return self.say("placed", minutes, person_id="ann", order_id="o")

    def profile(self, minutes: float, *, given: bool = True, **fields: Any) -> "Shop":
        """Ann's profile, consenting unless said otherwise."""
        consents = [{"channel": "email", "purpose": "marketing", "given": given}]
        fields = {"email": "ann@example.com", "person_id": "ann"} | fields
        return self.say("profile", minutes, consents=consents, **fields)

    def ends(self, campaign: Campaign = ALWAYS) -> list[tuple[str, str]]:
        """When and by what sessions ended with lines."""
        lines = [line for line in decide(self.events, campaign) if line["type"] == "abandonment"]
        return sorted((line["abandoned_at"], line["trigger"]) for line in lines)

    def steps(self, campaign: Campaign = ALWAYS) -> list[tuple[str, str, int, str | None]]:
        """What became of the steps, by time."""
        lines = [line for line in decide(self.events, campaign) if line["type"] in {"due", "cancelled"}]
        steps = ((line["at"], line["type"], line["step"], line.get("reason")) for line in lines)
        return sorted(steps, key=lambda step: (milliseconds(step[0]), *step[1:3]))


def test_shares_no_code_with_the_product() -> None:
    """Nothing of the product, nor anything outside the standard library, is imported."""
    for module in ORACLE.glob("*.py"):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.split(".")[0] in {"postcart", "msgspec", "histories"}], module


@settings(max_examples=60, derandomize=True, deadline=None, database=None)
@given(moves())
def test_order_and_number_of_arrivals_do_not_matter(chosen: list[Any]) -> None:
    """The whole history is sorted and repeats are dropped."""
    events = history(chosen)
    arrived = tripled(shuffled(events, Random(1)), Random(2))
    assert counted(decide(arrived)) == counted(decide(events))


@pytest.mark.slow
def test_every_planned_step_comes_to_exactly_one_end() -> None:
    """Per episode and step as many are due or cancelled as were planned; a step is due at most once."""
    for seed in range(300):
        campaign = CAMPAIGNS[seed % len(CAMPAIGNS)]
        lines = decide(random_history(seed, campaign=campaign), campaign)
        steps = Counter((line["type"], line["episode_id"], line["step"]) for line in lines if "step" in line)
        for (kind, episode, step), count in steps.items():
            if kind == "planned":
                assert count == steps["due", episode, step] + steps["cancelled", episode, step]
            assert kind != "due" or count == 1


@pytest.mark.slow
def test_the_generator_reaches_every_reason_and_trigger() -> None:
    """A rule that no history reaches is not compared."""
    reached = set()
    for seed in range(600):
        campaign = CAMPAIGNS[seed % len(CAMPAIGNS)]
        for line in decide(random_history(seed, campaign=campaign), campaign):
            reached.add(line.get("reason") or line.get("trigger") or line["type"])
    reasons = {"ordered", "returned", "merged", "collapsed", "cool_off", "no_consent", "no_contact", "not_after"}
    assert reached == reasons | {"expired", "checkout", "ended", "exit", "inactivity", "planned", "due"}


def counted(lines: list[Json]) -> Counter[str]:
    return Counter(repr(line) for line in lines)


def test_inactivity_is_counted_from_the_last_event_and_the_end_itself_still_belongs_to_the_session() -> None:
    """14:59 and 15:00 join, 15:01 does not."""
    assert Shop().add(0).say("viewed", 15).ends() == [(at(30), "inactivity")]
    assert Shop().add(0).say("viewed", 15.001).ends() == [(at(15), "inactivity"), (at(30.001), "inactivity")]


@pytest.mark.parametrize(
    ("next_at", "ends"), [(6, [(21, "inactivity")]), (6.001, [(6, "exit"), (21.001, "inactivity")])]
)
def test_a_page_exit_stands_unless_something_follows_within_a_minute(
    next_at: float, ends: list[tuple[float, str]]
) -> None:
    """An event 60 s after the exit takes it back."""
    shop = Shop().add(0).say("exit", 5).say("viewed", next_at)
    assert shop.ends() == [(at(minutes), trigger) for minutes, trigger in ends]


def test_an_identification_takes_a_page_exit_back_but_is_no_activity() -> None:
    """The session then ends 15 minutes after the exit, not after the login."""
    assert Shop().add(0).say("exit", 5).login(5.5).ends() == [(at(20), "inactivity")]


def test_the_latest_end_of_several_session_ids_counts() -> None:
    """A tab that was closed does not end the session of the tab that is open."""
    shop = Shop().add(0, session_id="a").say("ended", 3, session_id="b", reason="explicit")
    assert shop.ends() == [(at(15), "inactivity")]
    assert shop.say("viewed", 4, session_id="b").ends() == [(at(19), "inactivity")]


def test_a_begun_checkout_is_the_only_end_until_cleared() -> None:
    """Other events neither move nor end it; behind it a new session has no checkout."""
    shop = Shop().add(0).say("checkout_step", 1).say("viewed", 9).say("ended", 10)
    assert shop.ends() == [(at(11), "checkout")]
    assert shop.say("viewed", 11.5).ends() == [(at(11), "checkout"), (at(26.5), "inactivity")]
    cleared = Shop().add(0).say("checkout_step", 1).say("cleared", 2, reason="emptied").add(3)
    assert cleared.ends() == [(at(18), "inactivity")]


def test_a_logout_ends_at_once_and_empties_the_cart() -> None:
    """Even in a checkout; what comes after it is a stranger's."""
    shop = Shop().login(0).add(0).say("checkout_step", 1).say("ended", 2, reason="logout").say("viewed", 3)
    assert shop.ends() == [(at(2), "ended")]
    assert [step[:3] for step in shop.steps()] == [(at(2 + h * HOUR), "due", n) for n, h in ((1, 1), (2, 24), (3, 72))]


def test_another_person_ends_the_session_with_the_lines_and_the_person_as_they_were() -> None:
    """The former person is reminded, the new one begins with an empty cart."""
    shop = Shop().login(0).add(1).login(2, "bob").say("viewed", 3)
    (abandonment,) = [line for line in decide(shop.events, ALWAYS) if line["type"] == "abandonment"]
    assert (abandonment["person_id"], abandonment["abandoned_at"]) == ("ann", at(2))


def test_a_return_cancels_and_the_end_of_the_visit_plans_anew() -> None:
    """Also without a line touched."""
    steps = Shop().login(0).add(0).say("viewed", 30).steps()
    assert steps[:3] == [(at(30), "cancelled", n, "returned") for n in (1, 2, 3)]
    assert steps[3:] == [(at(45 + h * HOUR), "due", n, None) for n, h in ((1, 1), (2, 24), (3, 72))]


def test_at_the_same_moment_a_return_precedes_an_order_and_both_precede_the_step() -> None:
    """The step would be due at 15 minutes and an hour."""
    assert Shop().login(0).add(0).say("viewed", 75).order(75).steps()[0] == (at(75), "cancelled", 1, "returned")
    assert Shop().login(0).add(0).order(75).steps()[0] == (at(75), "cancelled", 1, "ordered")
    assert Shop().login(0).add(0).order(75.001).steps()[0] == (at(75), "due", 1, None)


def test_an_order_takes_the_lines_of_all_devices() -> None:
    """The phone's later visit leaves only what was put in after the order."""
    shop = Shop().login(0).login(0, visitor_id="phone").add(1, visitor_id="phone").order(5)
    assert shop.steps() == []
    assert len(shop.add(6, "shoes", visitor_id="phone").steps()) == 3


def test_nothing_is_armed_while_another_device_is_in_a_session() -> None:
    """The episode is the laptop's; it is armed by the end of the phone's visit."""
    shop = Shop().login(0).add(0).login(10, visitor_id="phone").say("viewed", 10, visitor_id="phone")
    (abandonment,) = [line for line in decide(shop.events, ALWAYS) if line["type"] == "abandonment"]
    planned = [line for line in decide(shop.events, ALWAYS) if line["type"] == "planned"]
    assert [line["at"] for line in planned] == [at(25 + h * HOUR) for h in (1, 24, 72)]
    assert {line["episode_id"] for line in planned} == {abandonment["episode_id"]}


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        (30, [(15 + 1 * HOUR, "due", 1), (15 + 24 * HOUR, "due", 2), (15 + 72 * HOUR, "due", 3)]),
        (15 + 2 * HOUR, [(20 + 2 * HOUR, "due", 1), (15 + 24 * HOUR, "due", 2), (15 + 72 * HOUR, "due", 3)]),
        (
            15 + 72 * HOUR,
            [(15 + 72 * HOUR, "cancelled", 1), (15 + 72 * HOUR, "cancelled", 2), (20 + 72 * HOUR, "due", 3)],
        ),
        (15.001 + 72 * HOUR, []),
    ],
)
def test_an_anonymous_cart_is_recovered_within_72_hours(minutes: float, expected: list[tuple[float, str, int]]) -> None:
    """Of the steps that would have been due, the last comes 5 minutes after the login, the others collapse."""
    steps = Shop().add(0).login(minutes).steps()
    assert [step[:3] for step in steps] == [(at(when), kind, number) for when, kind, number in expected]


def test_within_the_cool_off_everything_planned_is_cancelled() -> None:
    """7 days after the last due step is allowed, a millisecond less is not."""
    last = 15 + 72 * HOUR
    allowed = Shop().login(0).add(0).add(last + 7 * DAY - 15)
    assert len([step for step in allowed.steps() if step[1] == "due"]) == 6
    early = Shop().login(0).add(0).add(last + 7 * DAY - 15.001)
    assert [step[3] for step in early.steps()[3:]] == ["cool_off"] * 3


def test_quiet_hours_defer_and_not_after_gives_up() -> None:
    """21:00 is quiet, 08:00 is not; a step pushed behind the next one's time is given up."""
    campaign = Campaign(offsets=(9 * 3600 - 900, 12 * 3600))
    steps = Shop().login(0).add(0).steps(campaign)
    assert steps == [(at(9 * HOUR), "cancelled", 1, "not_after"), (at(20 * HOUR), "due", 2, None)]
    assert Shop().login(0).add(0).steps(Campaign(offsets=(9 * 3600 - 901,)))[0][0] == at(9 * HOUR - 1 / 60)


def test_consent_is_judged_when_the_step_is_due() -> None:
    """A profile of that very moment counts."""
    shop = Shop().login(0).add(0).profile(75, given=False).profile(80)
    assert shop.steps()[:2] == [(at(75), "cancelled", 1, "no_consent"), (at(15 + 24 * HOUR), "due", 2, None)]
    assert Shop().login(0).add(0).profile(75, email=None).steps()[0][3] == "no_contact"


def test_the_cart_is_forgotten_31_days_after_the_last_event() -> None:
    """An event at that moment still finds the cart."""
    assert len(Shop().add(0).say("viewed", 31 * DAY).ends()) == 2
    assert len(Shop().add(0).say("viewed", 31 * DAY + 0.001).ends()) == 1


def test_high_value_wins_over_peak() -> None:
    """The journey is pinned at opening by the united lines."""
    campaign = Campaign(high_value_from=Decimal(20), high_value_offsets=(60,))
    assert Shop().login(0).add(0).steps(campaign) == [(at(16), "due", 1, None)]


def test_times_are_written_as_people_read_them() -> None:
    """Milliseconds only where there are any."""
    assert [iso(NOON), iso(NOON + 5)] == ["2022-10-03T12:00:00Z", "2022-10-03T12:00:00.005Z"]
