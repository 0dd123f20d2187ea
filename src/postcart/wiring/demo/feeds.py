"""The demo's in-app feeds: whose is shown, where it is live, and what all of them hold.

Owns: choosing that person, the address of their page, and reading feeds. Must not: serve them (worker gateway does).
"""

import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from secrets import token_bytes
from typing import Final

from postcart.adapters.read_model import View, open_feed
from postcart.adapters.vault import Vault
from postcart.codecs.feed_token import Holder
from postcart.events.shop import ProfileUpdated, time_ms
from postcart.events.times import DAY_MS
from postcart.gateway.feed_item import ShownItem, opened
from postcart.gateway.feed_page import PAGE
from postcart.settings import Settings
from postcart.wiring.demo.history import History
from postcart.wiring.demo.parcel_story import orders_of
from postcart.wiring.demo.parcels import ways
from postcart.wiring.feed import feed_token
from postcart.wiring.read_model import read_model_url

Feeds = Mapping[str, Sequence[ShownItem]]
"""Person → items, newest first."""

_VIEWS: Final[tuple[View, ...]] = ("active", "archived")
_MOST: Final = 1_000
_URL: Final = re.compile(r"https?://[\w.:\[\]]+")


def shown_person(history: History) -> ProfileUpdated:
    """Whose feed is shown: of those whose texts are in English, the one of whose parcels carriers tell most."""
    profiles = {event.person_id: event for event in history.all if isinstance(event, ProfileUpdated)}
    told = dict.fromkeys(profiles, 0)
    for order, way in ways(orders_of(history), after_ms=max(map(time_ms, history.real))):
        if order.person_id in told:
            told[order.person_id] += len({code for code, _ in way.scans})
    return max(profiles.values(), key=lambda one: ((one.locale or "en").startswith("en"), told[one.person_id]))


def live_page(settings: Settings, said: str, person_id: str, *, now_ms: int) -> str:
    """The address of a person's live page, for a day. ``said``: the gateway's line that tells where it listens."""
    found = _URL.search(said)
    token = feed_token(settings, Holder(None, person_id, now_ms + DAY_MS), now_ms=now_ms)
    return f"{found[0] if found else ''}{PAGE}#token={token}&open"


def read_feeds(settings: Settings, persons: Collection[str], *, now_ms: int) -> Feeds:
    """What their feeds hold now, archived items too. Raises ReadModelUnavailable."""
    vault = Vault(settings.master_key_bytes, token_bytes)
    found: dict[str, list[ShownItem]] = {}
    with closing(open_feed(read_model_url(settings))) as feed:
        for person in sorted(persons):
            rows = [row for view in _VIEWS for row in feed.page(person, view, before=None, most=_MOST, now_ms=now_ms)]
            key = feed.key(person)
            rows.sort(key=lambda row: row.position, reverse=True)
            found[person] = [one for row in rows if (one := opened(vault, person, key, row))]
    return found
