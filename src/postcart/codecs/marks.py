"""What records of Postcart's own topics change in the read model besides being facts.

Owns: the marks; each keeps the latest word of one topic on a job, a feed's item or a key. Must not: read records (facts
does), or store anything.
"""

from typing import NamedTuple

from postcart.events.feed import FeedItem, FeedMark
from postcart.events.jobs import Outcome


class JobMark(NamedTuple):
    """The record ``position`` of a partition says that a job was handed to the senders."""

    job_id: str
    person_id: str
    topic: str
    partition: int
    position: int
    appended_ms: int
    attempt: int
    revision: int


class ClaimMark(NamedTuple):
    """The latest word of a sender on a job."""

    job_id: str
    person_id: str
    position: int
    appended_ms: int
    attempt: int
    state: str


class EndMark(NamedTuple):
    """A receipt that ends a job, or gives it back (``not_accepted``)."""

    job_id: str
    person_id: str
    position: int
    appended_ms: int
    attempt: int
    outcome: Outcome


class ItemMark(NamedTuple):
    """An item of a person's in-app feed; ``item`` has all but its place."""

    item: FeedItem
    partition: int
    position: int
    appended_ms: int


class StateMark(NamedTuple):
    """What a person did with items of its feed."""

    mark: FeedMark
    position: int


class KeyMark(NamedTuple):
    """The key that opens what is sealed for a person, wrapped; None: it was destroyed, and all of that with it."""

    person_id: str
    position: int
    wrapped: bytes | None


Mark = JobMark | ClaimMark | EndMark | ItemMark | StateMark | KeyMark
