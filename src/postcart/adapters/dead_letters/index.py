"""Which dead letters there are and what became of them, for any number of them in bounded memory.

Owns: an index in a temporary SQLite file that goes with it. Must not: hold a letter's contents, or read Kafka.

A marker may be read before its letter (they are on different partitions in topics of earlier releases), so letters and
markers are kept apart until they are asked about. A million letters take about 100 MB on disk and 32 MB of memory.
"""

import sqlite3
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from postcart.codecs.dead_letters import Edited, LetterHead, Mark
from postcart.domain.revisions import Standing

State = Literal["waiting", "redriven", "edited"]
_STATES: Final[tuple[State, ...]] = ("waiting", "redriven", "edited")
_CACHE_KB: Final = 32_768
_PENDING: Final = 2_000
_SAMPLES: Final = 3
_UUID_CHARACTERS: Final = 36


class Place(NamedTuple):
    """Where a record of the topic of dead letters stands, and its append time."""

    partition: int
    offset: int
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadGroup:
    """Letters of one reason, topic and stage.

    Attributes:
        count: All of them; of these ``redriven`` were written again as they were, ``edited`` after a change.
        first_ms: When the first of them was set aside; ``last_ms`` the last one.
        samples: Ids of the last few that wait.
        waiting: What is left to do.
    """

    reason: str
    topic: str
    stage: str
    count: int
    redriven: int
    first_ms: int
    last_ms: int
    samples: list[str]
    edited: int
    waiting: int


class LetterIndex:
    """The index. Not for several threads."""

    def __init__(self) -> None:
        self._file = sqlite3.connect("", isolation_level=None)  # a file without a name, deleted when it is closed
        self._file.executescript(
            f"""
            PRAGMA cache_size = -{_CACHE_KB}; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
            CREATE TABLE letters (id BLOB PRIMARY KEY, kind INT, at_ms INT, partition INT, offset INT) WITHOUT ROWID;
            CREATE TABLE marks (id BLOB PRIMARY KEY, state INT) WITHOUT ROWID;
            CREATE TABLE jobs (id BLOB PRIMARY KEY, standing TEXT) WITHOUT ROWID;
            BEGIN
            """
        )
        self._kinds: dict[tuple[str, str, str], int] = {}
        self._letters: list[tuple[bytes | str, int, int, int, int]] = []

    def close(self) -> None:
        """Delete it."""
        self._file.close()

    def add(self, letter: LetterHead, place: Place) -> None:
        """Take note of a letter. The same id again changes nothing."""
        group = (letter.reason, letter.topic, letter.stage)
        kind = self._kinds.setdefault(group, len(self._kinds))
        self._letters.append((_compact(letter.id), kind, place.at_ms, place.partition, place.offset))
        if len(self._letters) >= _PENDING:
            self._flush()

    def mark(self, mark: Mark) -> None:
        """Take note of what became of a letter."""
        state = _STATES.index("edited" if isinstance(mark, Edited) else "redriven")
        self._file.execute("INSERT OR REPLACE INTO marks VALUES (?, ?)", (_compact(mark.id), state))

    def look(self, letter_id: str, place: Place) -> State | None:
        """What became of the letter that stands there; None if it is not in the index, or repeats an earlier one."""
        if self._letters:
            self._flush()
        found = self._file.execute(
            "SELECT partition, offset, coalesce(state, 0) FROM letters LEFT JOIN marks USING (id) WHERE id = ?",
            (_compact(letter_id),),
        ).fetchone()
        if found is None or found[0] != place.partition or found[1] != place.offset:
            return None
        state: State = _STATES[found[2]]
        return state

    def groups(self) -> list[DeadGroup]:
        """Groups by reason, topic and stage, the one with most letters to redrive first."""
        self._flush()
        rows = self._file.execute(
            "SELECT kind, count(*), sum(coalesce(state, 0) = 1), min(at_ms), max(at_ms), sum(coalesce(state, 0) = 2)"
            " FROM letters LEFT JOIN marks USING (id) GROUP BY kind"
        ).fetchall()
        names = {number: group for group, number in self._kinds.items()}
        groups = [
            DeadGroup(
                reason=names[kind][0],
                topic=names[kind][1],
                stage=names[kind][2],
                count=count,
                redriven=redriven,
                first_ms=first,
                last_ms=last,
                samples=self._samples(kind),
                edited=edited,
                waiting=count - redriven - edited,
            )
            for kind, count, redriven, first, last, edited in rows
        ]
        return sorted(groups, key=lambda group: (-group.waiting, group.reason, group.topic, group.stage))

    def want_job(self, job_id: str) -> None:
        """From now on the job's standing is kept."""
        self._file.execute("INSERT OR IGNORE INTO jobs VALUES (?, 'unheard')", (_compact(job_id),))

    def standing(self, job_id: str) -> Standing | None:
        """The job's standing so far; None if nobody wants it."""
        found = self._file.execute("SELECT standing FROM jobs WHERE id = ?", (_compact(job_id),)).fetchone()
        standing: Standing | None = found[0] if found else None
        return standing

    def set_standing(self, job_id: str, standing: Standing) -> None:
        """Keep what is known of a job now."""
        self._file.execute("UPDATE jobs SET standing = ? WHERE id = ?", (standing, _compact(job_id)))

    def _samples(self, kind: int) -> list[str]:
        rows = self._file.execute(
            "SELECT id FROM letters LEFT JOIN marks USING (id) WHERE kind = ? AND state IS NULL"
            " ORDER BY at_ms DESC, partition, offset DESC LIMIT ?",
            (kind, _SAMPLES),
        )
        return [_spelled(row[0]) for row in rows]

    def _flush(self) -> None:
        if self._letters:
            self._file.executemany("INSERT OR IGNORE INTO letters VALUES (?, ?, ?, ?, ?)", self._letters)
            self._letters.clear()


def _compact(letter_id: str) -> bytes | str:
    """16 bytes where the id is a UUID as we write it, as all of ours are; else its text."""
    if len(letter_id) == _UUID_CHARACTERS and letter_id[8] == "-" and letter_id == letter_id.lower():
        try:  # as uuid.UUID does, in a tenth of the time
            plain = bytes.fromhex(letter_id.replace("-", ""))
        except ValueError:
            return letter_id
        if _spelled(plain) == letter_id:
            return plain
    return letter_id


def _spelled(compact: bytes | str) -> str:
    if isinstance(compact, str):
        return compact
    text = compact.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
