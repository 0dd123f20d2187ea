"""Writes one mended letter to the topic that it came from, with its marker; and who has looked at contact data.

Owns: the last look before that: is it still waiting, may its job be sent again. Must not: change a record.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from postcart.adapters.dead_letters.index import LetterIndex
from postcart.adapters.dead_letters.preparing import headers
from postcart.adapters.dead_letters.reading import Case, find_letter
from postcart.adapters.dead_letters.standings import JobTopics, Standings
from postcart.adapters.dead_letters.writing import Output, Writer, write_plainly
from postcart.codecs.dead_letter_edit import Revision
from postcart.codecs.dead_letters import Edited, LetterHead, Unmasked, encode
from postcart.codecs.topic_contracts import TopicContract, job_of
from postcart.domain.revisions import Standing
from postcart.events.jobs import Job


def settled(case: Case) -> str | None:
    """What has become of a letter already, for people; None if it waits."""
    if case.state == "waiting":
        return None
    became = f"; what it became died as {case.became[-1]}" if case.became else ""
    return f"it was {case.state} before: it is not written twice{became}"


def standing_of(client: Mapping[str, Any], jobs: JobTopics, job: Job) -> Standing:
    """What became of a job, by claims and receipts as they are at this moment.

    Raises:
        BrokerUnavailable: Kafka can't be read.
        TopologyError: There are no such topics.
    """
    index = LetterIndex()
    try:
        standings = Standings(client, jobs, index)
        standings.want(job)
        standings.refresh()
        return standings.of(job.job_id)
    finally:
        index.close()


def write_revision(
    client: Mapping[str, Any],
    topic: str,
    revision: Revision,
    *,
    case: Case,
    original: bytes | None,
    contract: TopicContract,
    jobs: JobTopics | None,
    by: str,
    now_ms: int,
) -> str | Standing | None:
    """Write a revision, its marker and who made it, in one transaction. Idempotent: a letter is written once.

    Args:
        client: librdkafka's properties of a client.
        topic: Of the dead letters.
        revision: What to write.
        case: The letter, as it was found.
        original: Its whole original value.
        contract: Of the original topic.
        jobs: Where the words about jobs are.
        by: Who made it.
        now_ms: Real wall time.

    Returns:
        None if it was written; else why not: a sentence, or the standing of its job.

    Raises:
        BrokerUnavailable: Kafka did not take it, and whether it is written is not known; run it again.
        ConfigurationError: The topic refuses it.
    """
    writer = Writer(client, topic)  # from here on nobody else writes: a redrive that is running ends
    now = find_letter(client, topic, case.letter.id)
    if now is None:
        return "it is not on the topic of dead letters any more"
    if (told := settled(now)) is not None:
        return told
    job = job_of(revision.value) if contract.is_jobs else None
    if job is not None and jobs is not None:
        standing = standing_of(client, jobs, job)
        if standing not in {"unheard", "rejected", "suppressed"}:
            return standing
    edited = Edited(
        id=now.letter.id,
        at_ms=now_ms,
        by=by,
        revision=revision.number,
        fields=revision.fields,
        old_sha256=sha256(original or b"").hexdigest(),
        new_sha256=sha256(revision.value).hexdigest(),
    )
    writer.write(
        [
            Output(now.letter.topic, revision.key, revision.value, headers=headers(now.letter, revision.number)),
            Output(topic, *encode(edited), now.place.partition),
        ]
    )
    return None


def write_unmasked(
    client: Mapping[str, Any], topic: str, letter: LetterHead, *, partition: int, by: str, now_ms: int
) -> None:
    """Say that somebody looks at a letter's contact data; only then may it be shown.

    Raises:
        BrokerUnavailable: It could not be said.
    """
    record = Unmasked(id=letter.id, at_ms=now_ms, by=by)
    write_plainly(client, Output(topic, *encode(record), partition))
