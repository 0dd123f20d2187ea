"""From a letter to the record that is to be written, or why none is.

Owns: that step, one letter at a time, the same for a dry run and a real one. Must not: write.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import structs

from postcart.adapters.dead_letters.index import Place
from postcart.adapters.dead_letters.reading import REDRIVEN_HEADER, REVISION_HEADER, original_value
from postcart.adapters.dead_letters.standings import Standings
from postcart.adapters.dead_letters.writing import Headers, Output
from postcart.codecs.dead_letters import DeadLetter, LetterHead
from postcart.codecs.payload_forms import taken_apart
from postcart.codecs.topic_contracts import TopicContract, job_of
from postcart.domain.revisions import refusal

GONE: Final = "gone"
"""Too large to be kept whole, and no longer in its topic."""
TOO_LATE: Final = "too_late"
"""A job past its ``not_after``: it would only be suppressed."""
_encode: Final = msgspec.json.Encoder().encode


class Ready(NamedTuple):
    """A letter's record, ready to be written; ``revision`` is 0 for what is no job."""

    letter: DeadLetter
    place: Place
    output: Output
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """How letters are prepared.

    Attributes:
        contracts: By topic; letters of other topics are written as they are.
        standings: Of the jobs.
        check: Leave out what could not be read now, either.
        rekey: Write under the key that the record names.
        late_ms: With ``check``: a job whose ``not_after`` is before this is left out.
    """

    client: Mapping[str, Any]
    contracts: Mapping[str, TopicContract]
    standings: Standings | None = None
    check: bool = False
    rekey: bool = False
    late_ms: int = 0

    def prepare(self, letter: DeadLetter, place: Place) -> Ready | str:
        """The record, or why not: ``gone``, a standing of its job, ``too_late``, or ``unreadable:`` and the reason."""
        try:
            value = original_value(self.client, letter)
        except LookupError:
            return GONE
        contract = self.contracts.get(letter.topic)
        key, revision = letter.key, 0
        if self.rekey and contract is not None:
            key = contract.key_of(taken_apart(value, contract.subject, contract.registry).document) or key
        job = job_of(value) if contract is not None and contract.is_jobs else None
        if job is not None:
            standing = self.standings.of(job.job_id) if self.standings else "unheard"
            if refusal(standing):
                return standing
            if self.check and job.not_after_ms < self.late_ms:
                return TOO_LATE
            revision = job.revision + 1
            value = _encode(structs.replace(job, revision=revision))
        if self.check and contract is not None:
            verdict = contract.verdict(key, value)
            if verdict is not None:
                return f"unreadable:{verdict.reason}"
        return Ready(letter, place, Output(letter.topic, key, value, headers=headers(letter, revision)), revision)


def headers(letter: LetterHead, revision: int) -> Headers:
    """The original's headers, and whose record it is."""
    own = {REDRIVEN_HEADER, REVISION_HEADER}
    kept: Headers = [one for one in letter.headers if one[0] not in own]
    kept.append((REDRIVEN_HEADER, letter.id.encode()))
    if revision:
        kept.append((REVISION_HEADER, str(revision).encode()))
    return kept
