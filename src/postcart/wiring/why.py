"""An answer to "why": an id is found in the read model, and its story told.

Owns: what an id may look like, which facts are fetched for it, how fresh they are. Must not: tell (domain.story does).
"""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec
from msgspec import Struct

from postcart.adapters.read_model import ReadModel
from postcart.codecs.facts import Fact, record_of
from postcart.domain.story.moment import Recorded
from postcart.domain.story.story import Story, Subject, story_of
from postcart.events.milestones import ParcelDecision

MOST_FACTS = 5_000
"""Of one person; the newest. A hundred episodes have about so many."""

_MOST_PERSONS = 5
_KINDS: tuple[tuple[str, Subject], ...] = (
    ("job_id", "job"),
    ("episode_id", "episode"),
    ("abandonment_id", "abandonment"),
    ("person_id", "person"),
    ("visitor_id", "visitor"),
    ("order_id", "order"),
    ("parcel_id", "parcel"),
    ("tracking_number", "parcel"),
    ("event_id", "event"),
)


class Freshness(Struct, frozen=True, kw_only=True):
    """How far the read model is.

    Attributes:
        complete_ms: Everything that was in the topics at this moment, real time, is in it; None: that is not known yet.
        applied_ms: When the last record was added.
        partitions: Of how many partitions anything is known.
    """

    complete_ms: int | None
    applied_ms: int | None
    partitions: int


class Answer(NamedTuple):
    """``story`` is None if the id is not in the read model; ``truncated``: there is more, older, that is not shown."""

    story: Story | None
    freshness: Freshness
    truncated: bool = False


def ask(store: ReadModel, text: str) -> Answer:
    """Everything about an id of anything; a Message-ID; or a tracking number.

    Raises:
        ReadModelUnavailable: The database does not answer.
    """
    freshness = freshness_of(store)
    for name in names_of(text):
        found = store.named(name, most=MOST_FACTS)
        if found:
            kind = next(kind for column, kind in _KINDS if any(getattr(fact, column) == name for fact in found))
            facts = _around(store, found)
            story = story_of(name, kind, recorded(facts))
            return Answer(story, freshness, truncated=len(facts) >= MOST_FACTS)
    return Answer(None, freshness)


def names_of(text: str) -> list[str]:
    """What the id may be: as it was typed, and the job's id of a Message-ID (``<job@domain>``)."""
    plain = text.strip().strip("<>")
    job, at, _ = plain.partition("@")
    return list(dict.fromkeys(name for name in (text.strip(), plain, job if at else "") if name))


def freshness_of(store: ReadModel) -> Freshness:
    """How far the read model is."""
    standings = store.standings().values()
    complete = [one.complete_ms for one in standings]
    known = [moment for moment in complete if moment is not None]
    return Freshness(
        complete_ms=min(known) if known and len(known) == len(complete) else None,
        applied_ms=max((one.applied_ms for one in standings), default=None),
        partitions=len(complete),
    )


def recorded(facts: Iterable[Fact]) -> list[Recorded]:
    """Facts as records; what can't be read by this release is passed over."""
    found = []
    for fact in facts:
        try:
            record = record_of(fact)
        except msgspec.MsgspecError:
            continue
        if isinstance(record, ParcelDecision):
            continue  # told of a parcel; the story is that of a cart
        found.append(Recorded(fact.topic, fact.partition, fact.position, fact.appended_ms, record))
    return found


def _around(store: ReadModel, found: Iterable[Fact]) -> list[Fact]:
    """All facts about the persons of these facts; of unknown persons those about the visitors and episodes."""
    found = list(found)
    everything = dict.fromkeys(found)
    persons = list(dict.fromkeys(fact.person_id for fact in found if fact.person_id))
    for person_id in persons[:_MOST_PERSONS]:
        everything |= dict.fromkeys(store.about_person(person_id, most=MOST_FACTS))
    visitors = {fact.visitor_id for fact in everything if fact.visitor_id}
    for visitor_id in sorted(visitors):
        # Carts that this visitor left before anybody knew whose they were.
        anonymous = (one for one in store.about_visitor(visitor_id, most=MOST_FACTS) if one.person_id is None)
        everything |= dict.fromkeys(anonymous)
    return list(everything)
