"""Questions to the gate: a reminder that may go out, the person who wants it, and the verdict.

Owns: a job and a person as they are where a test does not say otherwise. Must not: know a rule.
"""

from decimal import Decimal
from typing import Any

from postcart.events.gate import GateConsent, GatePerson
from postcart.events.jobs import Channel, Job, Purpose
from postcart.events.signals import LineState
from postcart.events.times import DAY_MS, HOUR_MS, parse_iso
from postcart.senders.freshness import Freshness
from postcart.senders.gate import GateRules, Known, Verdict, judge

NOON = parse_iso("2026-03-10T12:00:00Z")
FRESH = Freshness(0.2, 1_000)


def consent(channel: Channel, purpose: Purpose, *, given: bool) -> GateConsent:
    """A word of the person."""
    return GateConsent(channel, purpose, given)


GIVEN = consent("email", "marketing", given=True)
REFUSED = consent("email", "marketing", given=False)
JOB_ID = "0b1f3a52-7c33-5f0e-9d1c-2f5f7f0f6a01"


def job(**changes: Any) -> Job:
    """A reminder, due at noon and armed an hour before."""
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
    """Somebody with a mail address who wants reminders."""
    fields: dict[str, Any] = {
        "person_id": "p",
        "contacts": {"email": "sealed"},
        "consents": (GIVEN,),
        "time_zone": "UTC",
    }
    return GatePerson(**(fields | changes))


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
    """What the gate says at noon, when all is known and fresh, unless the arguments say otherwise."""
    known = Known(who or person(), has_key, freshness, **more)
    return judge(of or job(), known, moment_ms=at_ms, rules=rules or GateRules(), is_replay=is_replay).verdict
