"""A step whose time has come: deferred, cancelled, or due as a job.

Owns: quiet hours, expiry and consent of a step, and the job that it becomes. Must not: plan steps (episode does).
"""

from collections.abc import Collection

from postcart.domain.consent import counts
from postcart.domain.detect.abandonment import value_of
from postcart.domain.journey import reasons
from postcart.domain.journey.contacts import contact_points
from postcart.domain.journey.episode import close_if_used_up
from postcart.domain.journey.lines import united
from postcart.domain.journey.outcome import Context, Decided
from postcart.domain.journey.person import Episode, Outstanding, Person
from postcart.domain.quiet_hours import defer
from postcart.events.decisions import CancelReason, RuleSaid
from postcart.events.ids import job_id
from postcart.events.jobs import Channel, Job, Purpose
from postcart.events.shop import ProfileUpdated
from postcart.events.times import HOUR_MS

SMS_WITHIN_MS = 48 * HOUR_MS


def judge(person: Person, episode: Episode, number: int, context: Context, out: Decided) -> None:
    """Step ``number`` (from 0) has come to its time ``next_ms``."""
    state = episode.steps[number]
    at_ms = state.next_ms
    not_after = not_after_ms(episode, number)
    zones = context.zones(person.profile)
    deferred_ms = defer(at_ms, zones, episode.quiet_hours)
    said = [
        reasons.quiet_hours(at_ms, deferred_ms, zones, episode.quiet_hours, person.profile),
        reasons.not_after(deferred_ms, not_after),
    ]
    if deferred_ms > not_after:
        _cancel(person, episode, number, out, reason="not_after", rules=said)
    elif deferred_ms > at_ms:
        out.judged(person, episode, number, outcome="deferred", rules=tuple(said), until_ms=deferred_ms)
        state.next_ms = deferred_ms
    else:
        _judge_person(person, episode, number, context, out, said=said)
    if not state.pending:
        close_if_used_up(person, out, at_ms=at_ms)


def _judge_person(
    person: Person, episode: Episode, number: int, context: Context, out: Decided, *, said: list[RuleSaid]
) -> None:
    """Its time is right: may it, and can it, be sent to this person?"""
    step = episode.journey.steps[number]
    consented = has_consent(person, step.channel, step.purpose)
    said.append(reasons.consent(person, step.channel, step.purpose, given=consented))
    if not consented:
        _cancel(person, episode, number, out, reason="no_consent", rules=said)
        return
    reachable = has_contact(person.profile, step.channel, context.impersonal)
    said.append(reasons.contact(step.channel, known=reachable))
    if reachable:
        _emit(person, episode, number, context, out, rules=said)
    else:
        _cancel(person, episode, number, out, reason="no_contact", rules=said)


def not_after_ms(episode: Episode, number: int) -> int:
    """The last moment at which the step may go out: the next one's due time; for the last its own plus a day.

    A text message about a cart only within 48 hours after the abandonment (delivery rules, "SMS").
    """
    steps = episode.journey.steps
    if number + 1 < len(steps):
        latest_ms = episode.armed_ms + steps[number + 1].after_ms
    else:
        latest_ms = episode.steps[number].planned_ms + episode.last_step_ms
    if (steps[number].channel, steps[number].purpose) == ("sms", "marketing"):
        return min(latest_ms, episode.armed_ms + SMS_WITHIN_MS)
    return latest_ms


def has_consent(person: Person, channel: Channel, purpose: Purpose) -> bool:
    """Whether consent was given: by the consent record, or while there is none by the profile. No word is a no."""
    recorded = person.consents.get(f"{channel}/{purpose}")
    if recorded is not None:
        return recorded
    given = False
    for consent in person.profile.consents if person.profile else ():
        if consent.channel == channel and consent.purpose == purpose:
            given = counts(channel, purpose, given=consent.given)
    return given


def has_contact(profile: ProfileUpdated | None, channel: Channel, impersonal: Collection[Channel] = ()) -> bool:
    """Whether there is an address to send to; ``impersonal`` channels need none of the person."""
    if channel in impersonal:
        return True
    return profile is not None and channel in contact_points(profile)


def _cancel(
    person: Person, episode: Episode, number: int, out: Decided, *, reason: CancelReason, rules: list[RuleSaid]
) -> None:
    state = episode.steps[number]
    out.judged(person, episode, number, outcome="cancelled", rules=tuple(rules), reason=reason)
    out.cancelled(person, episode, number, state.next_ms, reason)
    state.planned_ms = state.next_ms = 0


def _emit(
    person: Person, episode: Episode, number: int, context: Context, out: Decided, *, rules: list[RuleSaid]
) -> None:
    state, step = episode.steps[number], episode.journey.steps[number]
    lines = united(person)
    value, currency = value_of(lines, context.currency)
    job = Job(
        job_id=job_id(episode.episode_id, number + 1, episode.armed_by, step.channel),
        person_id=person.person_id,
        episode_id=episode.episode_id,
        step=number + 1,
        channel=step.channel,
        purpose=step.purpose,
        campaign=episode.campaign,
        campaign_version=episode.version,
        journey=episode.journey.name,
        template=step.template,
        armed_ms=episode.armed_ms,
        planned_ms=state.planned_ms,
        due_ms=state.next_ms,
        not_after_ms=not_after_ms(episode, number),
        priority=episode.journey.priority,
        incentive=step.incentive,
        lines=lines,
        value=value,
        currency=currency,
    )
    state.job_id = job.job_id
    person.sent[job.job_id] = state.planned_ms
    person.outstanding[job.job_id] = Outstanding(job=job)
    out.judged(person, episode, number, outcome="due", rules=tuple(rules), job_id=job.job_id)
    out.due(person, episode, number, state.next_ms)
    out.jobs.append(job)
    if any(stop.at_ms > job.armed_ms for stop in person.stops.values()):
        out.gate[person.person_id] = person
