"""The gate: may this job go out now?

Owns: the last word before a claim. Must not: read a clock, a topic or a key: what is known comes in as arguments.

All is judged at one *moment*: the wall clock in live operation; in a replay the job's own due time, so that the set of
messages is decided by event time alone and not by the machine's speed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from postcart.domain.campaign import QuietHours
from postcart.domain.quiet_hours import defer
from postcart.domain.zones import zones_of
from postcart.events.jobs import GatePerson, Job, SuppressReason
from postcart.events.times import DAY_MS

WaitReason = Literal["clock_unknown", "gate_behind", "orders_behind", "person_unknown", "key_missing", "quiet_hours"]

TOO_OLD_MS = 25 * DAY_MS
"""Claims are kept for 30 days: a job older than this might have been sent by a claim that is gone."""

GATE_AGE_MAX_S = 1.0
"""A marketing job needs the gate read to a high watermark taken at most this long ago."""

ORDERS_AGE_MAX_MS = 10_000
"""A marketing job needs JOURNEY to have read shop.orders to its high watermark at most this long ago."""


class Send(NamedTuple):
    """It may be claimed."""


class Wait(NamedTuple):
    """Not now; no attempt is used up. ``until_ms`` is on the clock of the moment, if it is known."""

    reason: WaitReason
    until_ms: int | None = None


class Suppress(NamedTuple):
    """Never; the job's final outcome."""

    reason: SuppressReason


Verdict = Send | Wait | Suppress
SEND = Send()


class Freshness(NamedTuple):
    """How old the knowledge of a job's partition is, in real time; ``None``: nothing is known yet."""

    gate_age_s: float | None
    """Since the high watermark was asked for up to which the gate has been read."""
    orders_age_ms: int | None
    """Since JOURNEY had read shop.orders to its high watermark."""

    def lacking(self) -> WaitReason | None:
        """Why a marketing job can't be judged yet."""
        if self.gate_age_s is None or self.gate_age_s > GATE_AGE_MAX_S:
            return "gate_behind"
        # abs: where clocks were set back, a time that lies ahead proves nothing either
        if self.orders_age_ms is None or abs(self.orders_age_ms) > ORDERS_AGE_MAX_MS:
            return "orders_behind"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRules:
    """What the gate needs to know besides a person's record.

    Attributes:
        quiet_hours: By campaign; ``None`` switches them off; a campaign that is not named has the default ones.
        shop_country: Decides the zone where neither the recipient's nor its country is known.
    """

    quiet_hours: Mapping[str, QuietHours | None] = field(default_factory=dict)
    shop_country: str | None = None


class Known(NamedTuple):
    """What is known of the recipient."""

    person: GatePerson | None
    has_key: bool
    """The key that opens the contact points has been read."""
    freshness: Freshness
    covers_job: bool = True
    """The gate has been read to a watermark that was asked for after the job was read: JOURNEY writes a person's record
    before, or in one transaction with, the job, so what the job relies on is known then."""


def judge(job: Job, known: Known, *, moment_ms: int, rules: GateRules) -> Verdict:
    """Decide about a job at a moment. Pure and idempotent.

    Freshness comes before everything that newer knowledge could change, expiry before freshness.
    """
    expired = _expired(job, moment_ms)
    if expired is not None:
        return expired
    if not known.covers_job:
        return Wait("gate_behind")
    lacking = known.freshness.lacking()
    if lacking is not None and (job.purpose == "marketing" or known.freshness.gate_age_s is None):
        return Wait(lacking)
    person = known.person
    if person is None:
        return Wait("person_unknown") if lacking == "gate_behind" else Suppress("no_contact")
    reason = _stopped(job, person, moment_ms) or _refused(job, person)
    if reason is None and job.purpose == "marketing" and not job.lines:
        reason = "emptied"  # its lines were forgotten since it was planned: there is nothing to remind of
    if reason is not None:
        return Suppress(reason)
    return _quiet(job, person, moment_ms, rules) or (SEND if known.has_key else Wait("key_missing"))


def moment(job: Job, *, now_ms: int | None, is_replay: bool) -> int | None:
    """The time by which a job is judged; ``None`` while the clock is unknown."""
    return job.due_ms if is_replay else now_ms


def _expired(job: Job, moment_ms: int) -> Suppress | None:
    if moment_ms - job.due_ms > TOO_OLD_MS:
        return Suppress("too_old")
    return Suppress("not_after") if moment_ms > job.not_after_ms else None


def _stopped(job: Job, person: GatePerson, moment_ms: int) -> SuppressReason | None:
    """Of several stops the earliest counts. Stops of a cart say nothing about transactional messages."""
    cancelled = person.cancelled.get(job.job_id)
    if cancelled is not None and cancelled.at_ms <= moment_ms:
        return cancelled.reason
    if job.purpose != "marketing":
        return None
    counting = [(stop.at_ms, stop.reason) for stop in person.stops if job.armed_ms < stop.at_ms <= moment_ms]
    return min(counting)[1] if counting else None


def _refused(job: Job, person: GatePerson) -> SuppressReason | None:
    """Marketing needs consent; a transactional message passes unless its own purpose was refused."""
    given = None
    for consent in person.consents:
        if consent.channel == job.channel and consent.purpose == job.purpose:
            given = consent.given
    allowed = given is True if job.purpose == "marketing" else given is not False
    if not allowed:
        return "no_consent"
    return None if job.channel in person.contacts else "no_contact"


def _quiet(job: Job, person: GatePerson, moment_ms: int, rules: GateRules) -> Verdict | None:
    if job.purpose != "marketing":
        return None
    quiet = rules.quiet_hours.get(job.campaign, QuietHours())
    until_ms = defer(moment_ms, zones_of(person.time_zone, person.country, rules.shop_country), quiet)
    if until_ms == moment_ms:
        return None
    return Suppress("not_after") if until_ms > job.not_after_ms else Wait("quiet_hours", until_ms)
