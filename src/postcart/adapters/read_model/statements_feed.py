"""SQL of the in-app feed, in the dialect that both databases speak.

Owns: the statements. Must not: run them. ``%s`` stands for a value; SQLite is told ``?`` instead.
"""

from typing import Final

from postcart.events.feed import FeedState

COLUMNS: Final = (
    "item_id, partition, position, changed, appended_ms, at_ms, kind, purpose, sealed, seen_ms, read_ms, archived_ms"
)
"""In the order of ``StoredItem``'s fields."""

ADD_ITEM: Final = """
INSERT INTO feed_items
    (item_id, person_id, partition, position, changed, appended_ms, at_ms, kind, purpose, sealed)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT DO NOTHING
"""

# By state what is set and of which rows. Parameters: the time (of "unread" and "unarchived" none), the position of the
# record, then what names the rows. Rows that are in that state already do not change.
_TAKES_TIME: Final[dict[FeedState, tuple[str, str]]] = {
    "seen": ("seen_ms = %s", "seen_ms IS NULL"),
    "read": ("read_ms = %s, seen_ms = COALESCE(seen_ms, %s)", "read_ms IS NULL"),
    "unread": ("read_ms = NULL", "read_ms IS NOT NULL"),
    "archived": (
        "archived_ms = %s, read_ms = COALESCE(read_ms, %s), seen_ms = COALESCE(seen_ms, %s)",
        "archived_ms IS NULL",
    ),
    "unarchived": ("archived_ms = NULL", "archived_ms IS NOT NULL"),
}
TIMES: Final[dict[FeedState, int]] = {state: sets.count("%s") for state, (sets, _) in _TAKES_TIME.items()}
"""How often the time is to be given."""
MARK_ONE: Final[dict[FeedState, str]] = {
    state: f"UPDATE feed_items SET {sets}, changed = %s WHERE person_id = %s AND item_id = %s AND {which}"  # noqa: S608 -- made of constants
    for state, (sets, which) in _TAKES_TIME.items()
}
MARK_UP_TO: Final[dict[FeedState, str]] = {
    state: f"UPDATE feed_items SET {sets}, changed = %s WHERE person_id = %s AND position <= %s AND archived_ms IS NULL"  # noqa: S608 -- made of constants
    f" AND {which}"
    for state, (sets, which) in _TAKES_TIME.items()
}
"""Of those that are not archived."""

SET_KEY: Final = """
INSERT INTO person_keys (person_id, position, wrapped) VALUES (%s, %s, %s)
ON CONFLICT (person_id) DO UPDATE SET position = excluded.position, wrapped = excluded.wrapped
WHERE excluded.position > person_keys.position
"""
DESTROY_KEY: Final = "DELETE FROM person_keys WHERE person_id = %s"
DESTROY_ITEMS: Final = "DELETE FROM feed_items WHERE person_id = %s"
FORGET_ITEMS: Final = """
DELETE FROM feed_items WHERE item_id IN (SELECT item_id FROM feed_items WHERE appended_ms < %s LIMIT %s)
"""

_VIEWS: Final = {
    "active": "archived_ms IS NULL",
    "unread": "archived_ms IS NULL AND read_ms IS NULL",
    "archived": "archived_ms IS NOT NULL",
}
PAGE: Final = {
    view: f"SELECT {COLUMNS} FROM feed_items WHERE person_id = %s AND {which} AND position < %s AND appended_ms >= %s"  # noqa: S608 -- made of constants
    " ORDER BY position DESC LIMIT %s"
    for view, which in _VIEWS.items()
}
"""Newest first."""
UNREAD: Final = """
SELECT count(*) FROM (
    SELECT 1 FROM feed_items
    WHERE person_id = %s AND archived_ms IS NULL AND read_ms IS NULL AND appended_ms >= %s LIMIT %s
) AS counted
"""
ITEM: Final = f"SELECT {COLUMNS} FROM feed_items WHERE item_id = %s AND person_id = %s AND appended_ms >= %s"  # noqa: S608 -- made of constants
UNSEEN: Final = f"""
SELECT {COLUMNS} FROM feed_items
WHERE person_id = %s AND archived_ms IS NULL AND read_ms IS NULL AND seen_ms IS NULL AND position <= %s LIMIT %s
"""  # noqa: S608 -- made of constants
CHANGED: Final = f"""
SELECT {COLUMNS} FROM feed_items WHERE person_id = %s AND changed >= %s AND changed < %s AND appended_ms >= %s
ORDER BY changed, position LIMIT %s
"""  # noqa: S608 -- made of constants
TOUCHED: Final = "SELECT DISTINCT person_id FROM feed_items WHERE partition = %s AND changed >= %s AND changed < %s"
KEY: Final = "SELECT wrapped FROM person_keys WHERE person_id = %s"
STANDINGS: Final = "SELECT partition, next FROM positions WHERE topic = %s"
