"""Messages about a cart on their way: what counts as sent, and the rules of text messages.

Owns: that a cart gets one text message, within 48 hours; and which job a step stands for when its channel changes.
Must not: judge a step (steps does), or choose a channel.
"""

from collections.abc import Sequence
from typing import Final

from postcart.domain.caps import Reserved
from postcart.domain.journey.outcome import Decided
from postcart.domain.journey.person import Episode, Outstanding, Person, StepState
from postcart.events.jobs import Channel, Job, Purpose
from postcart.events.times import HOUR_MS

TEXT_WITHIN_MS: Final = 48 * HOUR_MS
"""A cart's text message goes out once, and within 48 hours after the abandonment (delivery rules, "SMS")."""


def text_until_ms(armed_ms: int, channel: Channel, purpose: Purpose, latest_ms: int) -> int:
    """The last moment at which a message about a cart may go out over that channel."""
    if (channel, purpose) == ("sms", "marketing"):
        return min(latest_ms, armed_ms + TEXT_WITHIN_MS)
    return latest_ms


def texts_once(episode: Episode | None, channels: Sequence[Channel]) -> tuple[Channel, ...]:
    """The channels that are left for this cart."""
    if episode is None or not episode.texted:
        return tuple(channels)
    return tuple(channel for channel in channels if channel != "sms")


def send_off(person: Person, job: Job, out: Decided, *, at_ms: int) -> None:
    """The job goes to its sender at ``at_ms``; it counts as sent, also for the caps, until a receipt says otherwise."""
    person.sent[job.job_id] = job.planned_ms
    if job.purpose == "marketing":
        person.reserved[job.job_id] = Reserved(job.channel, at_ms)
    person.outstanding[job.job_id] = Outstanding(job=job)
    out.jobs.append(job)
    episode = person.episode
    if job.channel == "sms" and episode is not None and episode.episode_id == job.episode_id:
        episode.texted = True


def step_of(person: Person, job: Job) -> StepState | None:
    """The step that the job is of, while its episode is open."""
    episode = person.episode
    if episode is None or episode.episode_id != job.episode_id or not 0 < job.step <= len(episode.steps):
        return None
    return episode.steps[job.step - 1]


def goes_on(person: Person, former: Job, *, told: bool) -> bool:
    """Whether a cart's message may have its turn on another channel now.

    Not if its step was planned anew meanwhile: then it comes anyway. ``told``: the former one went out.
    """
    state = step_of(person, former)
    return state is None or told or (not state.pending and state.job_id in {None, former.job_id})


def stands_for(person: Person, former: Job, job: Job, *, told: bool) -> None:
    """The step is that job's now, unless the former one went out: then it has been sent, whatever comes of this one."""
    state = step_of(person, former)
    if state is not None and not told:
        state.job_id, state.planned_ms, state.next_ms = job.job_id, job.planned_ms, job.due_ms
