"""The in-app feed: its items, and what persons did with them (topic ``feed``, key: person_id).

Owns: the records and the order in which they count: their place on the person's partition. Must not: hold a text that
is not sealed for its person.
"""

from typing import Final, Literal, get_args

from msgspec import Struct

from postcart.events.jobs import Purpose
from postcart.events.times import DAY_MS

KEPT_MS: Final = 30 * DAY_MS
"""An item is shown for so long after the broker took it (spec, 5.4); the topic keeps its records as long."""

FeedState = Literal["seen", "read", "unread", "archived", "unarchived"]
STATES: Final[tuple[FeedState, ...]] = get_args(FeedState)


class FeedItem(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag_field="type", tag="item"):
    """One message for a person's feed. Appended twice it is one: its id is its job's.

    Attributes:
        at_ms: What is shown as its time: when the job was due.
        kind: Name of its template.
        sealed: ``FeedContent`` as JSON, sealed for the person (adapters.vault).
    """

    item_id: str
    person_id: str
    at_ms: int
    kind: str
    purpose: Purpose
    sealed: str


class FeedMark(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag_field="type", tag="mark"):
    """A person did something with one item, or with all up to a place.

    Attributes:
        at_ms: When, by the gateway's clock.
        item_id: Which item; or None, and then ``up_to`` is the position of the newest that is meant.
    """

    person_id: str
    state: FeedState
    at_ms: int
    item_id: str | None = None
    up_to: int | None = None


FeedRecord = FeedItem | FeedMark
"""Everything on the topic ``feed``."""


class FeedContent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an item says: plain text, never markup.

    Attributes:
        language: BCP 47, of the texts.
        label: Of the button, which leads to ``url``.
    """

    title: str
    body: str
    language: str
    label: str | None = None
    url: str | None = None
    image_url: str | None = None
