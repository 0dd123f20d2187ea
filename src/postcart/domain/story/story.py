"""The whole story about an id: who, the state now, what comes next, and the timeline.

Owns: the choice of what belongs to the id, and the sentences at the top. Must not: fetch records.
"""

from collections.abc import Iterable, Sequence
from typing import Final, Literal
from zoneinfo import ZoneInfo

from msgspec import Struct

from postcart.domain.story.moment import Moment, Recorded
from postcart.domain.story.moments import in_order, moments_of
from postcart.domain.story.parcels import ParcelState, parcels_of
from postcart.domain.story.state import EpisodeState, StepState, episodes_of, job_state
from postcart.domain.story.words import because, listed, reminders
from postcart.domain.zones import named
from postcart.events.decisions import AbandonmentDecided, EpisodeTold, Judged
from postcart.events.jobs import Claim, Job, Receipt
from postcart.events.milestones import ParcelDecision

Subject = Literal["job", "episode", "abandonment", "person", "visitor", "order", "parcel", "event"]


_ARRIVED: Final = frozenset({"delivered", "returned", "expired"})


class Zone(Struct, frozen=True, kw_only=True):
    """The recipient's time zone, and what it is known from: profile, country or shop.

    ``others``: where the country spans several, all of which must allow.
    """

    name: str
    known_from: str
    others: tuple[str, ...] = ()

    @property
    def info(self) -> ZoneInfo:
        """For the conversion of times; UTC if this machine does not know the zone."""
        return named(self.name) or ZoneInfo("UTC")


class Next(Struct, frozen=True, kw_only=True):
    """What comes next, and when (ms); ``at_ms`` is None if nobody can say."""

    what: str
    at_ms: int | None


class Story(Struct, kw_only=True):
    """What is known about an id.

    Attributes:
        kind: What the id turned out to be.
        state: One of the states of a step, of parcels alone the last status, ``nothing`` if there is nothing to send;
            ``says`` puts it in words.
        job: Where it stands, if the id is a job's.
        moments: The timeline.
    """

    id: str
    kind: Subject
    state: str
    says: str
    person_ids: list[str]
    visitor_ids: list[str]
    zone: Zone | None
    next: Next | None
    job: StepState | None
    episodes: list[EpisodeState]
    parcels: list[ParcelState]
    moments: list[Moment]


def story_of(name: str, kind: Subject, records: Sequence[Recorded]) -> Story:
    """The story about the id ``name`` of ``kind``, from everything recorded about its persons and visitors."""
    records = in_order(records)
    wanted = episodes_named(name, kind, records)
    own = [one for one in records if wanted is None or episode_of(one, records) in wanted or _parcel_named(name, one)]
    episodes = [one for one in episodes_of(own) if wanted is None or one.episode_id in wanted]
    job = job_state(name, own) if kind == "job" else None
    parcels = parcels_of(own)
    state, says = _state(episodes, job, parcels)
    return Story(
        id=name,
        kind=kind,
        state=state,
        says=says,
        person_ids=_known(getattr(one.record, "person_id", None) for one in own),
        visitor_ids=_known(_visitor(one) for one in own),
        zone=_zone(own),
        next=_next(episodes, job, parcels),
        job=job,
        episodes=episodes,
        parcels=parcels,
        moments=moments_of(own),
    )


def episodes_named(name: str, kind: Subject, records: Sequence[Recorded]) -> set[str] | None:
    """The episodes that the id is about; None for all of them: a person's or a visitor's whole story."""
    if kind in {"person", "visitor"}:
        return None
    found = set()
    for one in records:
        record = one.record
        ids = {getattr(record, "job_id", None), getattr(record, "episode_id", None)}
        ids.add(getattr(record, "abandonment_id", None))
        if isinstance(record, EpisodeTold):
            ids |= set(record.by.values())
        if isinstance(record, Judged):
            ids |= {value for said in record.rules for value in said.inputs.values()}
        if name in ids and (episode := episode_of(one, records)):
            found.add(episode)
    return found


def episode_of(one: Recorded, records: Sequence[Recorded]) -> str | None:
    """The episode that a record is about; a report names only its job."""
    episode = getattr(one.record, "episode_id", None)
    if episode is not None:
        return str(episode)
    job_id = getattr(one.record, "job_id", None)
    return next(
        (
            other.record.episode_id
            for other in records
            if isinstance(other.record, Job | Claim | Receipt) and other.record.job_id == job_id
        ),
        None,
    )


def _parcel_named(name: str, one: Recorded) -> bool:
    """Whether the record is about the parcel, or a parcel of the order, that has this name."""
    record = one.record
    return isinstance(record, ParcelDecision) and name in {
        record.id,
        record.parcel_id,
        record.order_id,
        record.tracking_number,
    }


def _state(episodes: Sequence[EpisodeState], job: StepState | None, parcels: Sequence[ParcelState]) -> tuple[str, str]:
    if job is not None:
        return job.state, job.says
    if parcels and not episodes:
        told = "; ".join(
            f"{one.carrier} {one.tracking_number} {one.says}" + (", delayed" if one.delay else "") for one in parcels
        )
        return parcels[-1].status or "pending", told
    if not episodes:
        return "nothing", "nothing is sent: nobody is known who could be written to"
    last = episodes[-1]
    if not last.steps:
        return "waits", "waits: somebody is in the shop, nothing is planned before the last visit ends"
    return last.steps[_telling(last)].state, _summary(last)


def _telling(episode: EpisodeState) -> int:
    """The step that tells most about now: the first that is still to come, else the last one."""
    for number, step in enumerate(episode.steps):
        if step.state in {"waits", "in_line", "sending"}:
            return number
    return len(episode.steps) - 1


def _summary(episode: EpisodeState) -> str:
    """``reminders 1 and 2 sent; reminder 3 not sent, because the person ordered``."""
    groups: dict[str, list[int]] = {}
    for step in episode.steps:
        groups.setdefault(step.says, []).append(step.step)
    told = "; ".join(f"{reminders(numbers)} {says}" for says, numbers in groups.items())
    if episode.closed_ms is None:
        return told
    if episode.reason in {None, "completed"}:
        return told
    closed = f"the episode is closed, because {because(episode.reason)}"
    return told if f"because {because(episode.reason)}" in told else f"{told}; {closed}"


def _next(episodes: Sequence[EpisodeState], job: StepState | None, parcels: Sequence[ParcelState]) -> Next | None:
    if job is not None and job.state in {"waits", "in_line", "sending"}:
        return Next(what=job.says, at_ms=job.next_ms)
    coming = [step for episode in episodes for step in episode.steps if step.state in {"waits", "in_line", "sending"}]
    on_the_way = [one for one in parcels if one.expected_ms is not None and one.status not in _ARRIVED]
    if not coming and on_the_way:
        parcel = min(on_the_way, key=lambda one: one.expected_ms or 0)
        return Next(what=f"parcel {parcel.tracking_number} is expected", at_ms=parcel.expected_ms)
    if not coming:
        return None
    first = min(coming, key=lambda step: (step.next_ms is not None, step.next_ms or 0))
    return Next(what=f"reminder {listed([first.step])} {first.says}", at_ms=first.next_ms)


def _zone(records: Sequence[Recorded]) -> Zone | None:
    """As the rules saw it last."""
    found = None
    for one in records:
        record = one.record
        for said in record.rules if isinstance(record, Judged | EpisodeTold) else ():
            names = [name for name in said.inputs.get("zone", "").split(", ") if name]
            source = said.inputs.get("zone_from")  # a sender's gate does not say
            if names and (source or found is None):
                found = Zone(name=names[0], known_from=source or "unknown", others=tuple(names[1:]))
    return found


def _visitor(one: Recorded) -> str | None:
    record = one.record
    if isinstance(record, AbandonmentDecided):
        return record.visitor_id
    return record.by.get("visitor") if isinstance(record, EpisodeTold) else None


def _known(names: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(str(name) for name in names if name))
