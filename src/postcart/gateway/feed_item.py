"""An item of the in-app feed as it is shown.

Owns: its form, and opening what is sealed for its person. Must not: know where it is stored, or HTTP.
"""

from typing import Final

import msgspec

from postcart.adapters.read_model import StoredItem
from postcart.adapters.vault import KeyUnavailable, Vault
from postcart.events.feed import FeedContent
from postcart.events.times import iso

_content: Final = msgspec.json.Decoder(FeedContent).decode


class Action(msgspec.Struct, frozen=True):
    """A button."""

    label: str
    url: str


class ShownItem(msgspec.Struct, frozen=True, kw_only=True):
    """An item as it is shown; times in ISO 8601, UTC. All texts are plain, not markup."""

    id: str
    kind: str
    purpose: str
    title: str
    body: str
    language: str
    action: Action | None
    image_url: str | None
    created_at: str
    seen_at: str | None
    read_at: str | None
    archived_at: str | None


def opened(vault: Vault, person_id: str, key: bytes | None, row: StoredItem) -> ShownItem | None:
    """A stored item in clear; None: nothing opens it (any more)."""
    try:
        content = _content(vault.open(key or b"", person_id, row.sealed))
    except KeyUnavailable:
        return None
    return ShownItem(
        id=row.item_id,
        kind=row.kind,
        purpose=row.purpose,
        title=content.title,
        body=content.body,
        language=content.language,
        action=Action(content.label, content.url) if content.label and content.url else None,
        image_url=content.image_url,
        created_at=iso(row.at_ms),
        seen_at=_iso(row.seen_ms),
        read_at=_iso(row.read_ms),
        archived_at=_iso(row.archived_ms),
    )


def _iso(at_ms: int | None) -> str | None:
    return None if at_ms is None else iso(at_ms)
