"""The demo's result as a whole.

Owns: whether all is well, and the sentences that say so. Must not: print.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from postcart.wiring.demo.expected import Expected
from postcart.wiring.demo.history import History
from postcart.wiring.demo.mails import Mail, read_mails
from postcart.wiring.demo.story import Difference, Row, compare, outcomes, rows
from postcart.wiring.demo.tally import Tally


@dataclass(frozen=True, slots=True)
class Result:
    """Everything that is said."""

    history: History
    tally: Tally
    table: list[Row]
    outcomes: dict[str, int]
    difference: Difference
    mails: list[Mail]
    due: int
    offsets: Mapping[int, int]
    broker: str

    @property
    def well(self) -> bool:
        """It decided as ``simulate`` does, and each mail that was due is there, once."""
        jobs = [mail.job_id for mail in self.mails]
        return self.difference.equal and len(jobs) == len(set(jobs)) == self.due

    @property
    def verdict(self) -> str:
        """How this run compares with ``simulate``."""
        found = self.difference
        if found.equal:
            return (
                f"Equal: all {self.tally.lines.total()} decisions are those of `postcart simulate` on the same events."
            )
        return (
            f"NOT equal to `postcart simulate` on the same events: {found.missing} of its decisions are missing here, "
            f"{found.extra} are only here."
        )

    @property
    def delivery(self) -> str:
        """What came of the mails."""
        jobs = [mail.job_id for mail in self.mails]
        twice = len(jobs) - len(set(jobs))
        answers = ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in self.outcomes.items())
        return (
            f"{self.due} mails were due; {len(jobs)} are in the mailbox, {twice or 'none'} twice; receipts: {answers}."
        )


def result_of(tally: Tally, *, history: History, expected: Expected, inbox: Path, broker: str) -> Result:
    """The result of a run, from what the pipeline wrote and the mail server has in ``inbox``."""
    return Result(
        history=history,
        tally=tally,
        table=rows(tally),
        outcomes=outcomes(tally),
        difference=compare(tally, expected.lines),
        mails=read_mails(inbox, tally, history.all),
        due=expected.due,
        offsets=expected.offsets,
        broker=broker,
    )
