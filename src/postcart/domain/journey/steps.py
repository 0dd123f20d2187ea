"""A step whose time has come: deferred, cancelled, or due as a job.

Owns: quiet hours, expiry and consent of a step, and the job that it becomes. Must not: plan steps (episode does).
"""

from postcart.domain.caps import allowed_ms
from postcart.domain.detect.abandonment import value_of
from postcart.domain.journey import reasons
from postcart.domain.journey.carts import send_off, text_until_ms, texts_once
from postcart.domain.journey.channels import choose, has_consent, has_contact
from postcart.domain.journey.episode import close_if_used_up
from postcart.domain.journey.lines import united
from postcart.domain.journey.outcome import Context, Decided
from postcart.domain.journey.person import Episode, Person
from postcart.domain.journey.shipping import Errand
from postcart.domain.quiet_hours import defer
from postcart.events.decisions import CancelReason, RuleSaid
from postcart.events.ids import job_id
from postcart.events.jobs import Channel, Job


def judge(person: Person, episode: Episode, number: int, context: Context, out: Decided) -> None:
    """Step ``number`` (from 0) has come to its time ``next_ms``."""
    state = episode.steps[number]
    at_ms = state.next_ms
    not_after = not_after_ms(episode, number)
    deferred_ms, said = _deferred(person, episode, number, at_ms, context)
    said.append(reasons.not_after(deferred_ms, not_after))
    if deferred_ms > not_after:
        _cancel(person, episode, number, out, reason="not_after", rules=said)
    elif deferred_ms > at_ms:
        out.judged(person, episode, number, outcome="deferred", rules=tuple(said), until_ms=deferred_ms)
        state.next_ms = deferred_ms
    else:
        _judge_person(person, episode, number, context, out, said=said)
    if not state.pending:
        close_if_used_up(person, out, at_ms=at_ms)


def _deferred(
    person: Person, episode: Episode, number: int, at_ms: int, context: Context
) -> tuple[int, list[RuleSaid]]:
    """The first moment from ``at_ms`` on that quiet hours, then caps, allow: both are asked until it moves no more."""
    zones, channel = context.zones(person.profile), _likely_channel(person, episode, number, context)
    is_capped = episode.journey.steps[number].purpose == "marketing"
    sent = person.reserved.values() if is_capped else ()
    moved_ms = at_ms
    said: list[RuleSaid] = []
    while True:
        awake_ms = defer(moved_ms, zones, episode.quiet_hours)
        free_ms = allowed_ms(awake_ms, channel, sent, context.caps)
        if not said or awake_ms > moved_ms:
            said.append(reasons.quiet_hours(moved_ms, awake_ms, zones, episode.quiet_hours, person.profile))
        if is_capped and (len(said) == 1 or free_ms > awake_ms):
            said.append(reasons.frequency(awake_ms, free_ms, channel, sent))
        if free_ms == moved_ms:
            return moved_ms, said
        moved_ms = free_ms


def _likely_channel(person: Person, episode: Episode, number: int, context: Context) -> Channel:
    """Of several channels the one that would be taken now."""
    step = episode.journey.steps[number]
    if not step.fallback:
        return step.channel
    channels = texts_once(episode, (step.channel, *step.fallback))
    return next(iter(choose(person, channels, step.purpose, context.impersonal).channels), step.channel)


def _judge_person(
    person: Person, episode: Episode, number: int, context: Context, out: Decided, *, said: list[RuleSaid]
) -> None:
    """Its time is right: may it, and can it, be sent to this person?"""
    step = episode.journey.steps[number]
    if step.fallback:
        _judge_channels(person, episode, number, context, out, said=said)
        return
    consented = has_consent(person, step.channel, step.purpose)
    said.append(reasons.consent(person, step.channel, step.purpose, given=consented))
    if not consented:
        _cancel(person, episode, number, out, reason="no_consent", rules=said)
        return
    reachable = has_contact(person.profile, step.channel, context.impersonal)
    said.append(reasons.contact(step.channel, known=reachable))
    if reachable:
        _emit(person, episode, number, context, out, rules=said, channels=(step.channel,))
    else:
        _cancel(person, episode, number, out, reason="no_contact", rules=said)


def _judge_channels(
    person: Person, episode: Episode, number: int, context: Context, out: Decided, *, said: list[RuleSaid]
) -> None:
    """Over one of several channels, if any is possible."""
    step = episode.journey.steps[number]
    channels = texts_once(episode, (step.channel, *step.fallback))
    choice = choose(person, channels, step.purpose, context.impersonal)
    said.append(choice.said)
    if choice.channels:
        rest = tuple(channel for channel in channels if channel != choice.channels[0])
        _emit(person, episode, number, context, out, rules=said, channels=(choice.channels[0], *rest))
    else:
        reason: CancelReason = "no_consent" if choice.reason == "no_consent" else "no_contact"
        _cancel(person, episode, number, out, reason=reason, rules=said)


def not_after_ms(episode: Episode, number: int) -> int:
    """The last moment at which the step may go out: the next one's due time; for the last its own plus a day.

    A text message about a cart only within 48 hours after the abandonment (delivery rules, "SMS").
    """
    steps = episode.journey.steps
    if number + 1 < len(steps):
        latest_ms = episode.armed_ms + steps[number + 1].after_ms
    else:
        latest_ms = episode.steps[number].planned_ms + episode.last_step_ms
    if steps[number].fallback:
        return latest_ms  # by another channel it may still go out
    return text_until_ms(episode.armed_ms, steps[number].channel, steps[number].purpose, latest_ms)


def _cancel(
    person: Person, episode: Episode, number: int, out: Decided, *, reason: CancelReason, rules: list[RuleSaid]
) -> None:
    state = episode.steps[number]
    out.judged(person, episode, number, outcome="cancelled", rules=tuple(rules), reason=reason)
    out.cancelled(person, episode, number, state.next_ms, reason)
    state.planned_ms = state.next_ms = 0


def _emit(
    person: Person,
    episode: Episode,
    number: int,
    context: Context,
    out: Decided,
    *,
    rules: list[RuleSaid],
    channels: tuple[Channel, ...],
) -> None:
    """``channels``: the one that is taken, then those that may yet have their turn."""
    state = episode.steps[number]
    job = _job(person, episode, number, context, channels[0])
    _besides(person, episode, number, context, out, taken=job)
    state.job_id = job.job_id
    out.judged(person, episode, number, outcome="due", rules=tuple(rules), job_id=job.job_id)
    out.due(person, episode, number, state.next_ms)
    send_off(person, job, out, at_ms=job.due_ms)
    if channels[1:]:
        leave_ms = context.messages.leave_ms
        person.errands[f"{job.episode_id}/{job.job_id}"] = Errand(
            job=job,
            occurrence=episode.armed_by,
            rest=channels[1:],
            state="out",
            due_ms=max(job.due_ms, out.shipping_ms) + leave_ms if leave_ms else 0,
        )
    if person.hints or any(stop.at_ms > job.heeds_from_ms for stop in person.stops.values()):
        out.gate[person.person_id] = person


def _besides(person: Person, episode: Episode, number: int, context: Context, out: Decided, *, taken: Job) -> None:
    """The same message over one more channel, to whoever left by a mobile session that ended abruptly."""
    mobile, step = episode.mobile, episode.journey.steps[number]
    if mobile is None or number + 1 not in mobile.steps:
        return
    sent, caps = person.reserved.values(), context.caps
    others = (channel for channel in mobile.channels if channel != taken.channel)
    free = (channel for channel in others if allowed_ms(taken.due_ms, channel, sent, caps) == taken.due_ms)
    channels = texts_once(episode, tuple(free))
    choice = choose(person, channels, step.purpose, context.impersonal)
    if not choice.channels:
        return
    job = _job(person, episode, number, context, choice.channels[0])
    if job.due_ms > job.not_after_ms:
        return
    out.judged(person, episode, number, outcome="due", rules=(choice.said,), job_id=job.job_id)
    send_off(person, job, out, at_ms=job.due_ms)


def _job(person: Person, episode: Episode, number: int, context: Context, channel: Channel) -> Job:
    state, step = episode.steps[number], episode.journey.steps[number]
    lines = united(person)
    value, currency = value_of(lines, context.currency)
    return Job(
        job_id=job_id(episode.episode_id, number + 1, episode.armed_by, channel),
        person_id=person.person_id,
        episode_id=episode.episode_id,
        step=number + 1,
        channel=channel,
        purpose=step.purpose,
        campaign=episode.campaign,
        campaign_version=episode.version,
        journey=episode.journey.name,
        template=step.template,
        armed_ms=episode.armed_ms,
        known_from_ms=episode.known_from_ms,
        planned_ms=state.planned_ms,
        due_ms=state.next_ms,
        not_after_ms=text_until_ms(episode.armed_ms, channel, step.purpose, not_after_ms(episode, number)),
        priority=episode.journey.priority,
        incentive=step.incentive,
        lines=lines,
        value=value,
        currency=currency,
    )
