"""The judge finds what is wrong: each promise, broken once."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from faults.judge import Evidence, judge
from faults.load import Load, load_of
from faults.scenario import Allowed
from postcart.events.jobs import Claim, Job, Receipt
from postcart.events.signals import LineState
from receipts import receipt_of

PEOPLE = ("ann", "bob", "eve")
LINE = '{"person_id": "ann", "type": "due"}'


def job(person: str, number: int = 1, **changes: Any) -> Job:
    fields: dict[str, Any] = {
        "job_id": f"job-{person}-{number}",
        "person_id": person,
        "episode_id": f"episode-{person}",
        "step": number,
        "channel": "email",
        "purpose": "marketing",
        "campaign": "cart-reminder",
        "campaign_version": "1",
        "journey": "standard",
        "template": "cart-reminder",
        "armed_ms": 0,
        "planned_ms": 0,
        "due_ms": 0,
        "not_after_ms": 1,
    }
    return Job(**(fields | changes))


def receipt(of: Job, outcome: Any = "accepted", **changes: Any) -> Receipt:
    return receipt_of(of, outcome, at_ms=0, **changes)


def claim(of: Job, state: Any) -> Claim:
    return Claim(
        job_id=of.job_id,
        person_id=of.person_id,
        episode_id=of.episode_id,
        step=of.step,
        attempt=1,
        state=state,
        at_ms=0,
    )


CARTS = [job(person) for person in PEOPLE]
PARCEL = job("ann", 9, purpose="transactional")


def sound() -> Evidence:
    """A run in which everything went well."""
    addresses = {person: f"{person}@example.com" for person in PEOPLE}
    due = {(cart.episode_id, cart.step): cart.person_id for cart in CARTS}
    jobs = [*CARTS, PARCEL]
    return Evidence(
        load=Load((), Counter([LINE]), due, addresses),
        in_flight=2,
        parcels={PARCEL.job_id: "ann"},
        decisions=Counter([LINE]),
        jobs=jobs,
        receipts=[receipt(one) for one in jobs],
        claims=[claim(one, state) for one in jobs for state in ("claimed", "settled")],
        taken=[(one.job_id, addresses[one.person_id]) for one in jobs],
        lag={"email": 0},
    )


def test_a_sound_run_has_no_problem() -> None:
    """Nothing to say, and the books balance."""
    verdict = judge(sound(), Allowed())
    assert verdict.problems == []
    assert verdict.counts["in"] == verdict.counts["accepted"] == verdict.counts["taken"] == 4
    assert verdict.counts["lost"] == 0


def lose_mail(e: Evidence) -> None:
    del e.taken[0]


def lose_receipt(e: Evidence) -> None:
    del e.receipts[0]


def lose_job(e: Evidence) -> None:
    e.jobs.remove(CARTS[1])
    e.receipts = [r for r in e.receipts if r.job_id != CARTS[1].job_id]
    e.taken = [t for t in e.taken if t[0] != CARTS[1].job_id]


def lose_decision(e: Evidence) -> None:
    e.decisions.clear()


def decide_more(e: Evidence) -> None:
    e.decisions[LINE] += 1


def send_cart_twice(e: Evidence) -> None:
    e.taken.append(e.taken[0])


def send_step_twice(e: Evidence) -> None:
    other = replace(CARTS[0], job_id="another")
    e.jobs.append(other)
    e.receipts.append(receipt(other))
    e.taken.append((other.job_id, "ann@example.com"))


def send_parcel_twice(e: Evidence) -> None:
    e.taken.append((PARCEL.job_id, "ann@example.com"))


def send_unasked(e: Evidence) -> None:
    e.taken.append(("nobody's", "ann@example.com"))


def send_to_wrong_person(e: Evidence) -> None:
    e.taken[0] = (e.taken[0][0], "bob@example.com")


def say_two_words(e: Evidence) -> None:
    e.receipts.append(receipt(CARTS[0], "uncertain"))
    e.receipts.append(receipt(CARTS[0], "uncertain"))


def doubt(e: Evidence) -> None:
    e.receipts[0] = receipt(CARTS[0], "uncertain")


def suppress(e: Evidence) -> None:
    e.receipts[0] = receipt(CARTS[0], "suppressed", reason="ordered")
    del e.taken[0]


def reject(e: Evidence) -> None:
    e.receipts[0] = receipt(CARTS[0], "rejected", status="550 5.7.1")
    del e.taken[0]


def leave_claim(e: Evidence) -> None:
    e.claims = [c for c in e.claims if not (c.job_id == PARCEL.job_id and c.state == "settled")]


def lag(e: Evidence) -> None:
    e.lag["journey"] = 3


def not_know_lag(e: Evidence) -> None:
    e.lag["journey"] = None


def set_aside(e: Evidence) -> None:
    e.letters["decode"] += 1


def forget_letter(e: Evidence) -> None:
    e.letters_due["decode"] += 1


def end_by_a_bug(e: Evidence) -> None:
    e.codes[70] += 1


@pytest.mark.parametrize(
    "harm",
    [
        lose_mail,
        lose_receipt,
        lose_job,
        lose_decision,
        decide_more,
        send_cart_twice,
        send_step_twice,
        send_parcel_twice,
        send_unasked,
        send_to_wrong_person,
        say_two_words,
        doubt,
        suppress,
        reject,
        leave_claim,
        lag,
        not_know_lag,
        set_aside,
        forget_letter,
        end_by_a_bug,
    ],
)
def test_harm_is_found(harm: Callable[[Evidence], None]) -> None:
    """Each of these breaks a promise, and the judge says so."""
    evidence = sound()
    harm(evidence)
    assert judge(evidence, Allowed()).problems


def test_doubt_is_bounded() -> None:
    """What may be uncertain, or shipped twice, follows from deaths and unheard answers; carts never twice."""
    evidence = sound()
    doubt(evidence)
    send_parcel_twice(evidence)
    assert judge(evidence, Allowed(uncertain=True)).problems
    evidence.deaths = 1
    assert judge(evidence, Allowed(uncertain=True)).problems == []
    send_cart_twice(evidence)
    assert len(judge(evidence, Allowed(uncertain=True)).problems) == 1


def test_accepted_overrides_uncertain() -> None:
    """An answer that was found later is the last word."""
    evidence = sound()
    evidence.receipts.insert(0, receipt(CARTS[0], "uncertain"))
    assert judge(evidence, Allowed()).problems == []


def test_load_is_reproducible_and_dense() -> None:
    """The same seed makes the same history; it has real and generated people, and mails to send."""
    load = load_of(3, 600)
    assert load == load_of(3, 600)
    assert len(load.events) == 600
    assert len({event["id"] for event in load.events}) == 600
    assert len(load.due) > 30
    assert any(address.startswith("user-") for address in load.addresses.values())
    assert load_of(4, 600).events != load.events


@pytest.mark.parametrize("lines", [True, False])
def test_a_reminder_of_nothing_may_be_stopped(*, lines: bool) -> None:
    """Its lines were forgotten since it was planned; one that has lines must go out."""
    found, cart = sound(), CARTS[0]
    line = LineState(variant_id="shirt", quantity=1, changed_ms=0)
    found.jobs[0] = replace(cart, lines=(line,) if lines else ())
    found.receipts[0] = receipt(cart, "suppressed", reason="emptied")
    found.taken = [one for one in found.taken if one[0] != cart.job_id]
    problems = judge(found, Allowed()).problems
    assert any("emptied" in one for one in problems) == lines
