"""What is asked of a redrive, and what it reports.

Owns: these shapes. Must not: read or write letters.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from postcart.adapters.dead_letters.reading import ALL, LetterFilter
from postcart.codecs.dead_letters import LetterHead


@dataclass(frozen=True, slots=True, kw_only=True)
class RedriveOrder:
    """What is asked for.

    Attributes:
        only: Which letters.
        execute: False only counts.
        by: Who asks.
        check: Look at each record with its stage's decoder, and leave out what is still unusable.
        rekey: Write each record under the key that it names.
        limit: Most letters; None: all.
        per_second: Most letters a second; None: no limit.
        told: The filters, as they were typed, for the record of the run.
    """

    only: LetterFilter = ALL
    execute: bool = False
    by: str = "unknown"
    check: bool = False
    rekey: bool = False
    limit: int | None = None
    per_second: int | None = None
    told: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class RedriveReport:
    """What a redrive did, or would do.

    Attributes:
        executed: False for a dry run.
        matching: Letters that match and were not redriven before, by (reason, topic).
        redriven_before: Letters that match but were redriven, or edited, before.
        written: Letters written by this run; 0 in a dry run.
        ready: Letters that were found fit to be written; in a dry run only known with ``check`` or for jobs.
        refused: Letters that are not written, by why: see ``Preparation.prepare``.
        gone: Ids of the first 100 that hold only a reference, to records that are no longer there.
        samples: Some of the letters that match, without their values.
        stopped: Whether it ended before all were done, because it was asked to.
    """

    executed: bool
    matching: Counter[tuple[str, str]] = field(default_factory=Counter)
    redriven_before: int = 0
    written: int = 0
    ready: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    gone: list[str] = field(default_factory=list)
    samples: list[LetterHead] = field(default_factory=list)
    stopped: bool = False
    run: str | None = None

    @property
    def done(self) -> int:
        """Letters that were looked at."""
        return self.ready + self.refused.total()
