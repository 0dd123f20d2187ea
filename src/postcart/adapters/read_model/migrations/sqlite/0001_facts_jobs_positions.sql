-- One row per record of Postcart's own topics; forgotten by whole months (UTC) in which the broker took them. The key
-- is the record's place in Kafka, so applying it twice changes nothing.
CREATE TABLE facts (
    topic text NOT NULL,
    partition integer NOT NULL,
    position bigint NOT NULL,
    appended_ms bigint NOT NULL,
    kind text NOT NULL,
    at_ms bigint NOT NULL,
    person_id text,
    visitor_id text,
    episode_id text,
    abandonment_id text,
    job_id text,
    event_id text,
    order_id text,
    parcel_id text,
    tracking_number text,
    step integer,
    body text NOT NULL,
    PRIMARY KEY (topic, partition, position, appended_ms)
);
CREATE INDEX facts_person ON facts (person_id) WHERE person_id IS NOT NULL;
CREATE INDEX facts_visitor ON facts (visitor_id) WHERE visitor_id IS NOT NULL;
CREATE INDEX facts_episode ON facts (episode_id) WHERE episode_id IS NOT NULL;
CREATE INDEX facts_abandonment ON facts (abandonment_id) WHERE abandonment_id IS NOT NULL;
CREATE INDEX facts_job ON facts (job_id) WHERE job_id IS NOT NULL;
CREATE INDEX facts_event ON facts (event_id) WHERE event_id IS NOT NULL;
CREATE INDEX facts_order ON facts (order_id) WHERE order_id IS NOT NULL;
CREATE INDEX facts_parcel ON facts (parcel_id) WHERE parcel_id IS NOT NULL;
CREATE INDEX facts_tracking_number ON facts (tracking_number) WHERE tracking_number IS NOT NULL;

-- Where each job stands: what its topics said last. They are read in no particular order, so each group of columns
-- holds the latest word of one topic. Nothing in a job's id tells its month: old rows are deleted.
CREATE TABLE jobs (
    job_id text PRIMARY KEY,
    person_id text NOT NULL,
    seen_ms bigint NOT NULL,
    job_topic text,
    job_partition integer,
    job_position bigint,
    job_ms bigint,
    attempt integer,
    revision integer,
    claim_position bigint,
    claim_attempt integer,
    claim_state text,
    outcome text,
    outcome_position bigint,
    outcome_ms bigint,
    retry_position bigint,
    retry_attempt integer
);
CREATE INDEX jobs_without_end ON jobs (job_topic, job_partition, job_position) WHERE outcome IS NULL;
CREATE INDEX jobs_redriven ON jobs (job_id) WHERE revision > 0;
CREATE INDEX jobs_seen ON jobs (seen_ms);

-- Up to where each partition has been applied: written in the transaction that applies.
CREATE TABLE positions (
    topic text NOT NULL,
    partition integer NOT NULL,
    next bigint NOT NULL,
    applied_ms bigint NOT NULL,
    complete_ms bigint,
    PRIMARY KEY (topic, partition)
);

CREATE TABLE properties (
    name text PRIMARY KEY,
    value text NOT NULL
);
