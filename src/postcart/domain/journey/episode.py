"""Episodes: opening, arming, merging, closing.

Owns: when an episode of a person opens, from when its steps count and why it closes. Must not: judge a step that
is due (steps does).
"""

from postcart.domain.journey import reasons
from postcart.domain.journey.lines import unite, united
from postcart.domain.journey.outcome import Context, Decided
from postcart.domain.journey.person import Episode, Person, StepState
from postcart.domain.journey.pinning import new_episode, pin
from postcart.events.decisions import CancelReason
from postcart.events.gate import Stop
from postcart.events.signals import Abandonment, AbandonmentRecovered, LineState, Signal
from postcart.events.times import MINUTE_MS, iso

GRACE_MS = 5 * MINUTE_MS
"""The last step missed before an identification is planned this long after it."""


def open_episode(person: Person, abandonment: Abandonment, context: Context, out: Decided, *, signal: Signal) -> None:
    """Open an episode; within the cool-off it closes at once, its steps cancelled."""
    episode, at_ms = new_episode(person, abandonment, context, signal=signal), signal.at_ms
    person.known = True
    out.episode(
        person,
        episode,
        "opened",
        at_ms=at_ms,
        by=_abandoned_by(abandonment),
        rules=(
            reasons.cool_off(person, context.campaign, at_ms),
            reasons.journey(person, episode, context),
            reasons.time_zone(person, context),
        ),
    )
    if person.sent and at_ms < max(person.sent.values()) + context.campaign.cool_off_ms:
        if episode.pinning:
            person.refused.append(episode)
        else:
            _refuse(person, episode, out, at_ms=at_ms)
        return
    person.episode = episode


def visit_told(person: Person, visitor_id: str, lines: tuple[LineState, ...], context: Context, out: Decided) -> None:
    """A visit's changes are there: episodes that waited for them pin their journey; refused ones are told then."""
    if person.episode is not None:
        _pin(person, person.episode, visitor_id, lines, context=context, out=out)
    waiting, person.refused = person.refused, []
    for episode in waiting:
        at_ms = episode.pinning.at_ms if episode.pinning else episode.opened_ms
        _pin(person, episode, visitor_id, lines, context=context, out=out)
        if episode.pinning:
            person.refused.append(episode)
        else:
            _refuse(person, episode, out, at_ms=at_ms)


def _pin(
    person: Person,
    episode: Episode,
    visitor_id: str,
    lines: tuple[LineState, ...],
    *,
    context: Context,
    out: Decided,
) -> None:
    pinning = episode.pinning
    pin(episode, visitor_id, lines, context)
    if pinning is not None and episode.pinning is None:
        said = reasons.journey(person, episode, context, unite(pinning.devices))
        out.episode(person, episode, "pinned", at_ms=out.now_ms, by={"visitor": visitor_id}, rules=(said,))


def _abandoned_by(abandonment: Abandonment) -> dict[str, str]:
    return {
        "abandonment": abandonment.abandonment_id,
        "visitor": abandonment.visitor_id,
        "trigger": abandonment.trigger,
    }


def _refuse(person: Person, episode: Episode, out: Decided, *, at_ms: int) -> None:
    out.episode(person, episode, "closed", at_ms=at_ms, reason="cool_off")
    for number, step in enumerate(episode.journey.steps):
        out.planned(person, episode, number, episode.opened_ms + step.after_ms)
        out.cancelled(person, episode, number, at_ms, "cool_off")


def arm(person: Person, episode: Episode, out: Decided, *, end_ms: int, end_id: str, by: dict[str, str]) -> None:
    """Plan every step that was not sent, counted from the end of the person's last open session; ``by`` tells of it."""
    episode.armed_ms, episode.armed_by, episode.known_from_ms = end_ms, end_id, 0
    out.episode(person, episode, "armed", at_ms=end_ms, by=by)
    for number, (step, state) in enumerate(zip(episode.journey.steps, episode.steps, strict=True)):
        if state.job_id is None:
            _plan(person, episode, number, end_ms + step.after_ms, out)


def arm_recovered(person: Person, episode: Episode, out: Decided, *, signal: AbandonmentRecovered) -> None:
    """Plan from an arming in the past: of the steps missed up to ``signal`` only the last still goes out."""
    at_ms = episode.known_from_ms = signal.at_ms
    by = {"end": episode.armed_by, "visitor": signal.visitor_id, "identified": iso(at_ms)}
    out.episode(person, episode, "armed", at_ms=episode.armed_ms, by=by)
    unsent = [number for number, state in enumerate(episode.steps) if state.job_id is None and not state.pending]
    missed = [number for number in unsent if episode.armed_ms + episode.journey.steps[number].after_ms <= at_ms]
    for number in unsent:
        planned_ms = episode.armed_ms + episode.journey.steps[number].after_ms
        if number in missed[:-1]:
            out.planned(person, episode, number, planned_ms)
            out.cancelled(person, episode, number, at_ms, "collapsed")
        else:
            _plan(person, episode, number, at_ms + GRACE_MS if number in missed else planned_ms, out)


def _plan(person: Person, episode: Episode, number: int, at_ms: int, out: Decided) -> None:
    state = episode.steps[number]
    state.planned_ms = state.next_ms = at_ms
    out.planned(person, episode, number, at_ms)


def interrupt(
    person: Person, episode: Episode, out: Decided, *, at_ms: int, reason: CancelReason, by: dict[str, str]
) -> None:
    """Cancel what is planned and not yet due, and say what brought that about."""
    if any(state.pending for state in episode.steps):
        out.episode(person, episode, "interrupted", at_ms=at_ms, by=by, reason=reason)
        cancel_pending(person, episode, out, at_ms=at_ms, reason=reason)


def cancel_pending(person: Person, episode: Episode, out: Decided, *, at_ms: int, reason: CancelReason) -> None:
    """Cancel what is planned and not yet due."""
    for number, state in enumerate(episode.steps):
        if state.pending:
            state.planned_ms = state.next_ms = 0
            out.cancelled(person, episode, number, at_ms, reason)


def close(person: Person, out: Decided, *, at_ms: int, reason: CancelReason, by: dict[str, str]) -> None:
    """Close the open episode; what is pending is cancelled, what is on its way is stopped at the gate."""
    episode = person.episode
    if episode is None:
        return
    out.episode(person, episode, "closed", at_ms=at_ms, by=by, reason=reason)
    cancel_pending(person, episode, out, at_ms=at_ms, reason=reason)
    person.episode = None
    if reason in {"ordered", "emptied"}:
        # By name: a late order may be older than the arming that the gate compares a stop with.
        own = [name for name, item in person.outstanding.items() if item.job.episode_id == episode.episode_id]
        for job_id in (*own, *person.rejected):  # whichever episode a rejected one was of: rather one redriven too few
            person.cancelled[job_id] = Stop(reason, at_ms)
            out.gate[person.person_id] = person


def close_if_used_up(person: Person, out: Decided, *, at_ms: int) -> None:
    """An episode without a pending step has told all that it had to tell."""
    episode = person.episode
    if episode is not None and not any(state.pending for state in episode.steps):
        out.episode(person, episode, "closed", at_ms=at_ms, reason="completed")
        person.episode = None


def merge_recovered(person: Person, signal: AbandonmentRecovered, context: Context, out: Decided) -> None:
    """A recovered abandonment meets an open episode: the one opened earlier stays, sent steps are united."""
    existing, abandonment, at_ms = person.episode, signal.abandonment, signal.at_ms
    if existing is None:
        raise AssertionError("there is no episode to merge with")
    recovered = new_episode(person, abandonment, context, signal=signal)
    first_armed_ms, first_armed_by = existing.armed_ms, existing.armed_by
    by = {**_abandoned_by(abandonment), "episode": recovered.episode_id, "identified": iso(at_ms)}
    if (recovered.opened_ms, recovered.episode_id) < (existing.opened_ms, existing.episode_id):
        by["episode"] = existing.episode_id
        out.episode(person, existing, "closed", at_ms=at_ms, by={"episode": recovered.episode_id}, reason="merged")
        cancel_pending(person, existing, out, at_ms=at_ms, reason="merged")
        if recovered.pinning:
            # It may yet turn out to have as many steps.
            recovered.steps += [StepState() for _ in existing.steps[len(recovered.steps) :]]
        for mine, other in zip(recovered.steps, existing.steps, strict=False):
            mine.planned_ms, mine.job_id = other.planned_ms, other.job_id
        person.episode = kept = recovered
    else:
        kept = existing
    out.episode(person, kept, "merged", at_ms=at_ms, by=by, rules=(reasons.journey(person, kept, context),))
    if person.in_session:
        return
    if not united(person):
        close(person, out, at_ms=at_ms, reason="emptied", by={"visitor": signal.visitor_id})
        return
    if abandonment.abandoned_ms > first_armed_ms:
        cancel_pending(person, kept, out, at_ms=at_ms, reason="merged")
        kept.armed_ms, kept.armed_by = abandonment.abandoned_ms, abandonment.abandonment_id
    elif kept is existing:
        return
    else:
        kept.armed_ms, kept.armed_by = first_armed_ms, first_armed_by
    arm_recovered(person, kept, out, signal=signal)
    close_if_used_up(person, out, at_ms=at_ms)
