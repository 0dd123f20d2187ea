"""Where each step stands: sent, not sent because, waits until.

Owns: that verdict, from a step's records in their order. Must not: tell a timeline (moments does).
"""

from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct

from postcart.domain.story.moment import Recorded
from postcart.domain.story.telling import waits_for
from postcart.domain.story.words import REPORTS, because
from postcart.events.decisions import EpisodeTold, Judged, StepCancelled, StepDue, StepPlanned
from postcart.events.jobs import Claim, DeliveryReport, Job, Receipt
from postcart.events.times import to_ms

State = Literal["sent", "not_sent", "refused", "uncertain", "waits", "in_line", "sending"]


class StepState(Struct, kw_only=True, omit_defaults=True):
    """A step of an episode, or one of its jobs.

    Attributes:
        says: The state as a sentence.
        next_ms: When something happens next; None if nothing will, or it is not known.
        reason: Of ``not_sent``.
        planned_ms: Before deferral.
        sent_ms: When the provider accepted it, or when that became uncertain.
        reports: What came back after it was sent.
    """

    step: int
    state: State
    says: str
    episode_id: str
    reason: str | None = None
    next_ms: int | None = None
    planned_ms: int | None = None
    due_ms: int | None = None
    sent_ms: int | None = None
    job_id: str | None = None
    attempts: int = 0
    status: str | None = None
    reports: list[str] = []


class EpisodeState(Struct, kw_only=True, omit_defaults=True):
    """An episode with its steps. ``closed_ms`` is None while it is open."""

    episode_id: str
    person_id: str | None = None
    opened_ms: int | None = None
    closed_ms: int | None = None
    reason: str | None = None
    campaign: str | None = None
    journey: str | None = None
    steps: list[StepState] = []


def episodes_of(records: Sequence[Recorded]) -> list[EpisodeState]:
    """All episodes that JOURNEY told of, in the order in which they opened. Records in the order of their topics."""
    episodes: dict[str, EpisodeState] = {}
    steps: dict[tuple[str, int], StepState] = {}
    for one in records:
        record = one.record
        match record:
            case EpisodeTold():
                _change(episodes.setdefault(record.episode_id, _episode(record.episode_id)), record)
            case Judged(message=str()):
                pass  # about an order or a parcel: its jobs have no episode
            case StepPlanned() | StepDue() | StepCancelled() | Judged():
                episode = episodes.setdefault(record.episode_id, _episode(record.episode_id))
                episode.person_id = record.person_id
                state = steps.get((record.episode_id, record.step))
                if state is None:
                    state = steps[record.episode_id, record.step] = _step(record.episode_id, record.step)
                    episode.steps.append(state)
                _decide(state, record)
            case _:
                pass
    _send(steps.values(), records)
    for episode in episodes.values():
        episode.steps.sort(key=lambda state: state.step)
    return sorted(episodes.values(), key=lambda episode: (episode.opened_ms or 0, episode.episode_id))


def job_state(job_id: str, records: Sequence[Recorded]) -> StepState | None:
    """Where a single job stands: its step may have been planned again, as another job, since."""
    for one in records:
        record = one.record
        if isinstance(record, Job | Claim | Receipt) and record.job_id == job_id:
            state = _step(record.episode_id, record.step)
            state.job_id, state.state, state.says = job_id, "in_line", "in line to be sent"
            _send([state], records)
            return state
    return None


def _episode(episode_id: str) -> EpisodeState:
    return EpisodeState(episode_id=episode_id)


def _step(episode_id: str, step: int) -> StepState:
    return StepState(step=step, state="waits", says="planned", episode_id=episode_id)


def _change(episode: EpisodeState, record: EpisodeTold) -> None:
    at_ms = to_ms(record.at)
    episode.person_id = record.person_id
    if record.change == "opened":
        episode.opened_ms = at_ms
    elif record.change == "closed":
        episode.closed_ms, episode.reason = at_ms, record.reason
    for said in record.rules:
        if said.rule == "journey":
            episode.campaign, episode.journey = said.inputs.get("campaign"), said.inputs.get("journey")


def _decide(state: StepState, record: StepPlanned | StepDue | StepCancelled | Judged) -> None:
    at_ms = to_ms(record.at)
    match record:
        case StepPlanned():
            state.state, state.says, state.reason = "waits", "planned", None
            state.planned_ms = state.next_ms = at_ms
            state.due_ms = state.job_id = None
        case Judged(stage="journey", outcome="deferred", until=until) if until is not None:
            state.says, state.next_ms = f"waits, because {because(waits_for(record))}", to_ms(until)
        case Judged(stage="journey", outcome="due", job_id=job_id):
            state.job_id = job_id
        case StepDue():
            state.state, state.says, state.due_ms, state.next_ms = "in_line", "in line to be sent", at_ms, None
        case StepCancelled(reason=reason):
            state.state, state.reason, state.next_ms = "not_sent", reason, None
            state.says = f"not sent, because {because(reason)}"
        case _:
            pass  # the gate's word: claims and receipts say what came of it


def _send(states: Iterable[StepState], records: Sequence[Recorded]) -> None:
    """What senders say of the jobs that steps became."""
    by_job = {state.job_id: state for state in states if state.job_id is not None}
    claims: dict[str, Claim] = {}
    answered: dict[str, int] = {}
    for one in records:
        match one.record:
            case Claim() as claim:
                claims[claim.job_id] = claim
            case Receipt(job_id=job_id) as receipt if job_id in by_job:
                answered[job_id] = max(receipt.attempt, answered.get(job_id, 0))
                _receive(by_job[job_id], receipt)
            case _:
                pass
    for one in records:
        record = one.record
        if isinstance(record, Job) and (state := by_job.get(record.job_id)) is not None:
            state.due_ms = record.due_ms
            if record.attempt > state.attempts and state.state == "waits":
                state.state, state.says, state.next_ms = "in_line", "in line to be sent again", None
            state.attempts = max(state.attempts, record.attempt)
        elif isinstance(record, DeliveryReport) and (state := by_job.get(record.job_id)) is not None:
            state.reports = [*state.reports, record.kind]
            if state.state in {"sent", "uncertain"}:
                state.says += f"; then {REPORTS[record.kind]}"
    for job_id, state in by_job.items():
        last = claims.get(job_id)
        if last is not None and last.state == "claimed" and last.attempt > answered.get(job_id, 0):
            state.state, state.says, state.next_ms = "sending", "being sent: claimed, no answer yet", None


def _receive(state: StepState, receipt: Receipt) -> None:
    if state.state == "sent":
        return  # accepted overrides what comes later
    state.attempts = max(state.attempts, receipt.attempt)
    state.status, state.next_ms = receipt.status, None
    said = f" ({receipt.status})" if receipt.status else ""
    match receipt.outcome:
        case "accepted":
            state.state, state.says, state.sent_ms = "sent", "sent", receipt.at_ms
        case "uncertain":
            state.state, state.sent_ms = "uncertain", receipt.at_ms
            state.says = "uncertain: no answer came, it may have been sent or not; it is not sent again"
        case "rejected":
            state.state, state.says = "refused", f"not sent, because it was refused for good{said}"
        case "suppressed":
            state.state, state.reason = "not_sent", receipt.reason
            state.says = f"not sent, because {because(receipt.reason)}"
        case "not_accepted":
            state.state, state.says = "waits", f"waits, because it could not be sent yet{said}"
            state.next_ms = receipt.not_before_ms
