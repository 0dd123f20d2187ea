"""The read model's SQL, in the dialect that both databases speak.

Owns: the statements. Must not: run them. ``%s`` stands for a value; SQLite is told ``?`` instead.
"""

from typing import Final

FACT_COLUMNS: Final = (
    "topic, partition, position, appended_ms, kind, at_ms, person_id, visitor_id, episode_id, abandonment_id, job_id, "
    "event_id, order_id, parcel_id, tracking_number, step, body"
)
"""In the order of ``Fact``'s fields."""

ADD_FACT: Final = f"""
INSERT INTO facts ({FACT_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT DO NOTHING
"""  # noqa: S608 -- made of constants

# Each of these keeps the latest word of one topic, whatever order the topics are read in. Their parameters are the
# fields of the marks in codecs.facts.
MARK_JOB: Final = """
INSERT INTO jobs (job_id, person_id, job_topic, job_partition, job_position, seen_ms, attempt, revision, job_ms)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (job_id) DO UPDATE SET
    job_topic = excluded.job_topic, job_partition = excluded.job_partition, job_position = excluded.job_position,
    job_ms = excluded.job_ms, attempt = excluded.attempt, revision = excluded.revision,
    seen_ms = CASE WHEN excluded.seen_ms > jobs.seen_ms THEN excluded.seen_ms ELSE jobs.seen_ms END
WHERE jobs.job_position IS NULL OR excluded.job_position > jobs.job_position
"""
MARK_CLAIM: Final = """
INSERT INTO jobs (job_id, person_id, claim_position, seen_ms, claim_attempt, claim_state)
VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (job_id) DO UPDATE SET
    claim_position = excluded.claim_position, claim_attempt = excluded.claim_attempt,
    claim_state = excluded.claim_state,
    seen_ms = CASE WHEN excluded.seen_ms > jobs.seen_ms THEN excluded.seen_ms ELSE jobs.seen_ms END
WHERE jobs.claim_position IS NULL OR excluded.claim_position > jobs.claim_position
"""
MARK_END: Final = """
INSERT INTO jobs (job_id, person_id, outcome_position, outcome_ms, outcome, seen_ms)
VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (job_id) DO UPDATE SET
    outcome_position = excluded.outcome_position, outcome_ms = excluded.outcome_ms, outcome = excluded.outcome,
    seen_ms = CASE WHEN excluded.seen_ms > jobs.seen_ms THEN excluded.seen_ms ELSE jobs.seen_ms END
WHERE jobs.outcome IS NULL OR (jobs.outcome <> 'accepted' AND excluded.outcome_position > jobs.outcome_position)
"""
MARK_RETRY: Final = """
INSERT INTO jobs (job_id, person_id, retry_position, seen_ms, retry_attempt)
VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (job_id) DO UPDATE SET
    retry_position = excluded.retry_position, retry_attempt = excluded.retry_attempt,
    seen_ms = CASE WHEN excluded.seen_ms > jobs.seen_ms THEN excluded.seen_ms ELSE jobs.seen_ms END
WHERE jobs.retry_position IS NULL OR excluded.retry_position > jobs.retry_position
"""

_OPEN: Final = """
SELECT job_id, job_topic, job_partition, job_position, COALESCE(claim_position, -1) FROM jobs
WHERE job_topic = %s AND job_partition = %s AND job_position < %s
    AND NOT (COALESCE(claim_state, '') = 'claimed' AND claim_attempt >= attempt)
    AND COALESCE(retry_attempt, 0) < attempt AND
"""
UNACCOUNTED: Final = f"{_OPEN} outcome IS NULL LIMIT %s"
UNACCOUNTED_REDRIVEN: Final = f"{_OPEN} outcome IS NOT NULL AND revision > 0 AND outcome_ms < job_ms LIMIT %s"
"""A final receipt from before the redrive does not end the redriven job."""

FIRST_MOVE: Final = """
INSERT INTO positions (topic, partition, next, applied_ms) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING
"""
MOVE: Final = """
UPDATE positions SET next = %s, applied_ms = %s WHERE topic = %s AND partition = %s AND next = %s
"""
COMPLETE: Final = """
UPDATE positions SET complete_ms = %s
WHERE topic = %s AND partition = %s AND (complete_ms IS NULL OR complete_ms < %s)
"""
STANDINGS: Final = "SELECT topic, partition, next, applied_ms, complete_ms FROM positions ORDER BY topic, partition"

FIND_COLUMNS: Final = (
    "job_id",
    "episode_id",
    "person_id",
    "visitor_id",
    "abandonment_id",
    "event_id",
    "order_id",
    "parcel_id",
    "tracking_number",
)
FIND: Final = {
    column: f"SELECT {FACT_COLUMNS} FROM facts WHERE {column} = %s ORDER BY appended_ms DESC, position DESC LIMIT %s"  # noqa: S608 -- made of constants
    for column in FIND_COLUMNS
}

SIZE: Final = """
SELECT (SELECT count(*) FROM facts), (SELECT count(*) FROM jobs), (SELECT count(*) FROM positions),
    (SELECT min(appended_ms) FROM facts)
"""
COUNT_BEFORE: Final = "SELECT count(*) FROM facts WHERE topic = %s AND partition = %s AND position < %s"
FORGET_FACTS: Final = "DELETE FROM facts WHERE appended_ms < %s"
FORGET_JOBS: Final = """
DELETE FROM jobs WHERE job_id IN (SELECT job_id FROM jobs WHERE seen_ms < %s LIMIT %s)
"""
PROPERTY: Final = "SELECT value FROM properties WHERE name = %s"
SET_PROPERTY: Final = "INSERT INTO properties (name, value) VALUES (%s, %s) ON CONFLICT DO NOTHING"
TABLES: Final = ("facts", "jobs", "positions", "properties", "feed_items", "person_keys")
