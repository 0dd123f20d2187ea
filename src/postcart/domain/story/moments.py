"""Records become moments: what happened, in the order in which it did, with the rules that were asked.

Owns: the order, and which records are told together. Must not: word them (telling does), or judge states (state does).
"""

from collections.abc import Iterable, Sequence
from typing import Final

from postcart.domain.story import telling
from postcart.domain.story.moment import Kind, Moment, Planned, Recorded, Stopped
from postcart.domain.story.parcels import parcel_moment
from postcart.domain.story.words import because
from postcart.events.decisions import AbandonmentDecided, EpisodeTold, Judged, StepCancelled, StepDue, StepPlanned
from postcart.events.jobs import Claim, DeliveryReport, Job, Receipt
from postcart.events.milestones import Cleared, Delay, EstimateChanged, Milestone
from postcart.events.times import to_ms

_RANK: Final[dict[Kind, int]] = {"gate": 2, "claim": 3, "attempt": 4, "report": 5}
"""At one moment JOURNEY's words (0) come before those of the way out."""


def in_order(records: Iterable[Recorded]) -> list[Recorded]:
    """Records as their topics have them."""
    return sorted(records, key=lambda one: (one.topic, one.partition, one.position))


def moments_of(records: Sequence[Recorded]) -> list[Moment]:
    """All moments in order. Records of a topic must come in its order (``in_order``)."""
    told: list[Moment] = []
    for one in records:
        moment = _told(one, told)
        if moment is not None:
            told.append(moment)
    told += _on_the_way(records)
    _name_jobs(told, records)
    return [moment for _, moment in sorted(enumerate(told), key=lambda one: _place(*one))]


def _place(number: int, moment: Moment) -> tuple[int, int, int]:
    return moment.at_ms, _RANK.get(moment.kind, 0), number


def _told(one: Recorded, before: Sequence[Moment]) -> Moment | None:
    """The moment of a decision; None if it belongs to one that is told already, or is not a decision."""
    record, recorded_ms = one.record, one.appended_ms
    match record:
        case AbandonmentDecided():
            return telling.left(record, recorded_ms)
        case EpisodeTold():
            return telling.episode(record, recorded_ms)
        case Judged():
            return telling.judged(record, recorded_ms)
        case StepPlanned() | StepCancelled() | StepDue():
            return _step(record, recorded_ms, before)
        case Milestone() | EstimateChanged() | Delay() | Cleared():
            return parcel_moment(record, recorded_ms)
        case _:
            return None


def _step(record: StepPlanned | StepDue | StepCancelled, recorded_ms: int, before: Sequence[Moment]) -> Moment | None:
    """A decision on a step is told with what brought it about, if that is there."""
    at_ms, cause = to_ms(record.at), _cause(record, before)
    if isinstance(record, StepPlanned):
        planned = Planned(step=record.step, at_ms=at_ms)
        if cause is not None:
            cause.planned = [*cause.planned, planned]
            return None
        # Planned by what no record tells of: shown where it is to happen.
        return telling.plain(record, recorded_ms, "planned", f"Reminder {record.step} planned", planned=planned)
    if isinstance(record, StepDue):
        return None if cause else telling.plain(record, recorded_ms, "due", f"Reminder {record.step} is due")
    if cause is not None:
        if cause.kind == "episode":
            cause.stopped = [*cause.stopped, Stopped(step=record.step, reason=record.reason)]
        return None
    what = f"Reminder {record.step} is not sent, because {because(record.reason)}"
    return telling.plain(record, recorded_ms, "cancelled", what)


def _cause(record: StepPlanned | StepDue | StepCancelled, before: Sequence[Moment]) -> Moment | None:
    """JOURNEY writes a change of an episode, or what it judged, right before the decisions that follow from it."""
    for moment in reversed(before):
        if moment.kind == "gate" or moment.episode_id != record.episode_id:
            continue
        if moment.kind == "judged":
            fits = moment.step == record.step and not isinstance(record, StepPlanned)
            return moment if fits and moment.outcome != "deferred" else None
        if moment.kind == "episode":
            fits = isinstance(record, StepPlanned) or moment.reason is not None or moment.outcome == "armed"
            return moment if fits and not isinstance(record, StepDue) else None
        return None
    return None


def _on_the_way(records: Sequence[Recorded]) -> list[Moment]:
    """Claims without an answer, attempts with theirs, and what came back later."""
    answered = {(one.record.job_id, one.record.attempt) for one in records if isinstance(one.record, Receipt)}
    claims: dict[tuple[str, int], tuple[Claim, int]] = {}
    told = []
    for one in records:
        match one.record:
            case Claim() as claim:
                claims[claim.job_id, claim.attempt] = (claim, one.appended_ms)
            case Receipt() as receipt:
                told.append(telling.attempt(receipt, one.appended_ms))
            case DeliveryReport() as report:
                told.append(telling.reported(report, one.appended_ms))
            case _:
                pass
    for place, (said, recorded_ms) in claims.items():
        if place not in answered and said.state != "settled":
            told.append(telling.claimed(said, recorded_ms))
    return told


def _name_jobs(told: Sequence[Moment], records: Sequence[Recorded]) -> None:
    """What JOURNEY handed over, beside the moment at which it was due."""
    jobs = {one.record.job_id: one.record for one in records if isinstance(one.record, Job)}
    for moment in told:
        job = jobs.get(moment.job_id or "")
        if moment.kind == "judged" and job is not None:
            worth = f", cart of {job.value} {job.currency}" if job.value is not None else ""
            moment.details = [f"job {job.job_id}", f"{job.channel}, {job.purpose}, template {job.template}{worth}"]
        if moment.kind == "report" and job is not None:
            moment.step, moment.episode_id = job.step, job.episode_id
