-- Items of the in-app feed: one row each, in the order of a person's feed, which is their position on the person's
-- partition of the topic: nothing ever comes between two rows, so pages by position are stable. "changed" is the
-- position of the last record about the row: who has seen all up to a position asks for what changed since.
CREATE TABLE feed_items (
    item_id text PRIMARY KEY,
    person_id text NOT NULL,
    partition integer NOT NULL,
    position bigint NOT NULL,
    changed bigint NOT NULL,
    appended_ms bigint NOT NULL,
    at_ms bigint NOT NULL,
    kind text NOT NULL,
    purpose text NOT NULL,
    sealed text NOT NULL,
    seen_ms bigint,
    read_ms bigint,
    archived_ms bigint
);
CREATE INDEX feed_items_active ON feed_items (person_id, position) WHERE archived_ms IS NULL;
CREATE INDEX feed_items_unread ON feed_items (person_id, position) WHERE archived_ms IS NULL AND read_ms IS NULL;
CREATE INDEX feed_items_archived ON feed_items (person_id, position) WHERE archived_ms IS NOT NULL;
CREATE INDEX feed_items_of_person ON feed_items (person_id, changed);
CREATE INDEX feed_items_changed ON feed_items (partition, changed);
CREATE INDEX feed_items_appended ON feed_items (appended_ms);

-- What opens them, wrapped by the master key: a copy of the topic of keys. A key that is destroyed is gone from here.
CREATE TABLE person_keys (
    person_id text PRIMARY KEY,
    position bigint NOT NULL,
    wrapped bytea NOT NULL
);
