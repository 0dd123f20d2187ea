"""The gate: may this job go out now, and as what?

Owns: the last word before a claim, and which rules were asked for it. Must not: read a clock, a topic or a key: what is
known comes in as arguments.

All is judged at one *moment*: the wall clock in live operation; in a replay the job's own due time, so that the set of
messages is decided by event time alone and not by the machine's speed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from postcart.domain.campaign import QuietHours
from postcart.domain.quiet_hours import defer
from postcart.domain.zones import all_zones
from postcart.events.decisions import RuleSaid
from postcart.events.gate import GatePerson, Stop
from postcart.events.jobs import Job, SuppressReason
from postcart.events.times import DAY_MS, iso
from postcart.senders.freshness import Freshness
from postcart.senders.goods import Variant, look_again

WaitReason = Literal[
    "clock_unknown",
    "gate_behind",
    "orders_behind",
    "carts_behind",
    "tables_behind",
    "person_unknown",
    "return_unconfirmed",
    "key_missing",
    "quiet_hours",
]

TOO_OLD_MS = 25 * DAY_MS
"""Claims are kept for 30 days: a job older than this might have been sent by a claim that is gone."""


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


class Judgement(NamedTuple):
    """The verdict, the job as it may be sent, and what each rule said that was asked."""

    verdict: Verdict
    job: Job
    """Prices as they are now, without what is sold out."""
    rules: tuple[RuleSaid, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRules:
    """What the gate needs to know besides a person's record.

    Attributes:
        quiet_hours: By campaign; ``None`` switches them off; a campaign that is not named has the default ones.
        shop_country: Decides the zone where neither the recipient's nor its country is known.
        currency: Of prices that name none.
        personal: Whether messages go to a contact point of the person; else to the person itself, or to one endpoint
            of the installation, which ``endpoint`` then names by its opaque id.
        keyed: Whether the person's key is needed though no contact point is opened with it.
    """

    quiet_hours: Mapping[str, QuietHours | None] = field(default_factory=dict)
    shop_country: str | None = None
    currency: str = "USD"
    personal: bool = True
    keyed: bool = False
    endpoint: str | None = None


class Known(NamedTuple):
    """What is known of the recipient and of the goods."""

    person: GatePerson | None
    has_key: bool
    """The key that opens the contact points has been read."""
    freshness: Freshness
    covers_job: bool = True
    """The gate has been read to a watermark that was asked for after the job was read: JOURNEY writes a person's record
    before, or in one transaction with, the job, so what the job relies on is known then."""
    suppressed: str | None = None
    """Why the contact point is suppressed."""
    variants: Mapping[str, Variant] = {}
    """What the catalogue says of the job's lines."""
    zones: tuple[str, ...] = ()
    """IANA names of the zones in which the contact point may be, where it tells (a phone number)."""


def judge(job: Job, known: Known, *, moment_ms: int, rules: GateRules, is_replay: bool = False) -> Judgement:
    """Decide about a job at a moment. Pure and idempotent.

    Freshness comes before everything that newer knowledge could change, expiry before freshness. In live operation a
    stop counts also if its event time lies ahead of the moment: it is here, so it has happened, by whatever clock.
    """
    said: list[RuleSaid] = []
    verdict = _expired(job, moment_ms, said) or _unproven(job, known, said)
    if verdict is not None:
        return Judgement(verdict, job, tuple(said))
    person = known.person
    if person is None:
        said.append(RuleSaid("contact", "stop", {"person": "unknown"}))
        return Judgement(Suppress("no_contact"), job, tuple(said))
    reason = _stopped(job, person, moment_ms if is_replay else None, said)
    reason = reason or _refused(job, person, known, said, personal=rules.personal)
    if reason is None and job.purpose == "marketing":
        job, reason = _goods(job, known, rules, said)
    if reason is not None:
        return Judgement(Suppress(reason), job, tuple(said))
    wait = _hinted(job, person, moment_ms if is_replay else None, said) or _quiet(job, known, moment_ms, rules, said)
    needs_key = rules.personal or rules.keyed
    return Judgement(wait or (_keyed(known, said) if needs_key else SEND), job, tuple(said))


def moment(job: Job, *, now_ms: int | None, is_replay: bool) -> int | None:
    """The time by which a job is judged; ``None`` while the clock is unknown."""
    return job.due_ms if is_replay else now_ms


def _expired(job: Job, moment_ms: int, said: list[RuleSaid]) -> Suppress | None:
    if moment_ms - job.due_ms > TOO_OLD_MS:
        said.append(RuleSaid("expiry", "stop", {"due": iso(job.due_ms), "oldest": "25 days"}))
        return Suppress("too_old")
    late = moment_ms > job.not_after_ms
    said.append(RuleSaid("expiry", "stop" if late else "pass", {"not_after": iso(job.not_after_ms)}))
    return Suppress("not_after") if late else None


def _unproven(job: Job, known: Known, said: list[RuleSaid]) -> Wait | None:
    """Wait until what is known proves enough: marketing fresh knowledge, everything that it was read at all."""
    freshness = known.freshness
    lacking = freshness.lacking()
    reason: WaitReason | None = None
    if not known.covers_job:
        reason = "gate_behind"
    elif lacking is not None and (job.purpose == "marketing" or not freshness.read_once):
        reason = lacking
    elif known.person is None and lacking == "gate_behind":
        reason = "person_unknown"  # a gate that is behind proves no absence
    said.append(RuleSaid("freshness", "wait" if reason else "pass", freshness.told()))
    return Wait(reason) if reason else None


def _stopped(job: Job, person: GatePerson, until_ms: int | None, said: list[RuleSaid]) -> SuppressReason | None:
    """Of several stops the earliest counts. Stops of a cart say nothing about transactional messages."""
    cancelled = person.cancelled.get(job.job_id)
    if cancelled is not None and (until_ms is None or cancelled.at_ms <= until_ms):
        return _stopping(cancelled, job, said)
    if (first := _first(person.stops, job, until_ms)) is not None:
        return _stopping(first, job, said)
    said.append(RuleSaid("stops", "pass", _heeding(job)))
    return None


def _hinted(job: Job, person: GatePerson, until_ms: int | None, said: list[RuleSaid]) -> Wait | None:
    """A return or a clear that is not yet confirmed: it is soon a stop, or gone."""
    first = _first(person.hints, job, until_ms)
    if first is None:
        return None
    said.append(RuleSaid("stops", "wait", {**_heeding(job), f"{first.reason}_unconfirmed": iso(first.at_ms)}))
    return Wait("return_unconfirmed")


def _first(told: Iterable[Stop], job: Job, until_ms: int | None) -> Stop | None:
    """The earliest that concerns the job, up to ``until_ms``."""
    if job.purpose != "marketing":
        return None
    since_ms = job.heeds_from_ms
    counting = [stop for stop in told if since_ms < stop.at_ms and (until_ms is None or stop.at_ms <= until_ms)]
    return min(counting, key=lambda stop: (stop.at_ms, stop.reason), default=None)


def _stopping(stop: Stop, job: Job, said: list[RuleSaid]) -> SuppressReason:
    said.append(RuleSaid("stops", "stop", {**_heeding(job), stop.reason: iso(stop.at_ms)}))
    return stop.reason


def _heeding(job: Job) -> dict[str, str]:
    inputs = {"armed": iso(job.armed_ms)}
    if job.known_from_ms:
        inputs["known_from"] = iso(job.known_from_ms)
    return inputs


def _refused(
    job: Job, person: GatePerson, known: Known, said: list[RuleSaid], *, personal: bool
) -> SuppressReason | None:
    """Marketing needs consent; a transactional message passes unless its own purpose was refused.

    A complaint suppresses marketing only, every other suppression all that goes to this contact point.
    """
    given = None
    for consent in person.consents:
        if consent.channel == job.channel and consent.purpose == job.purpose:
            given = consent.given
    allowed = given is True if job.purpose == "marketing" else given is not False
    word = {None: "no record", True: "given", False: "refused"}[given]
    said.append(RuleSaid("consent", "pass" if allowed else "stop", {f"{job.channel}/{job.purpose}": word}))
    if not allowed:
        return "no_consent"
    if personal and job.channel not in person.contacts:
        said.append(RuleSaid("contact", "stop", {"channel": job.channel}))
        return "no_contact"
    said.append(RuleSaid("contact", "pass"))
    suppressed = known.suppressed
    if suppressed is None:
        said.append(RuleSaid("suppression", "pass"))
        return None
    stops = job.purpose == "marketing" or suppressed != "complaint"
    said.append(RuleSaid("suppression", "stop" if stops else "pass", {"reason": suppressed}))
    return "suppressed_address" if stops else None


def _goods(job: Job, known: Known, rules: GateRules, said: list[RuleSaid]) -> tuple[Job, SuppressReason | None]:
    """The reminder with the prices of now and without what is sold out; an empty one is not sent."""
    if not job.lines:
        # Its lines were forgotten since it was planned: there is nothing to remind of.
        said.append(RuleSaid("lines", "stop", {"lines": "0"}))
        return job, "emptied"
    goods = look_again(job, known.variants, currency=rules.currency)
    said.append(goods.stock)
    if not goods.job.lines:
        return goods.job, "out_of_stock"
    said.append(goods.price)
    return goods.job, None


def _quiet(job: Job, known: Known, moment_ms: int, rules: GateRules, said: list[RuleSaid]) -> Verdict | None:
    person = known.person
    if job.purpose != "marketing" or person is None:
        return None
    quiet = rules.quiet_hours.get(job.campaign, QuietHours())
    own = known.zones
    until_ms = defer(moment_ms, all_zones(own, person.time_zone, person.country, rules.shop_country), quiet)
    inputs = {"zone": person.time_zone or person.country or "the shop's"}
    if own:
        inputs["contact_zones"] = own[0] if len(own) == 1 else f"{own[0]} and {len(own) - 1} more"
    if until_ms == moment_ms:
        said.append(RuleSaid("quiet_hours", "pass", inputs))
        return None
    late = until_ms > job.not_after_ms
    inputs["until"] = iso(until_ms)
    said.append(RuleSaid("quiet_hours", "stop" if late else "wait", inputs))
    return Suppress("not_after") if late else Wait("quiet_hours", until_ms)


def _keyed(known: Known, said: list[RuleSaid]) -> Verdict:
    said.append(RuleSaid("key", "pass" if known.has_key else "wait"))
    return SEND if known.has_key else Wait("key_missing")
