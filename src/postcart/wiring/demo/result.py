"""The demo's result as a whole.

Owns: whether all is well, and the sentences that say so. Must not: print.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from postcart.adapters.sandbox.sms import Text
from postcart.events.shop import ProfileUpdated
from postcart.gateway.feed_item import ShownItem
from postcart.wiring.demo.expected import Expected
from postcart.wiring.demo.feeds import Feeds
from postcart.wiring.demo.history import History
from postcart.wiring.demo.mails import Mail, read_mails
from postcart.wiring.demo.parcel_story import CHANNELS, ParcelRow, parcel_rows
from postcart.wiring.demo.story import Difference, Row, compare, outcomes, rows
from postcart.wiring.demo.tally import Tally


@dataclass(frozen=True, slots=True)
class Result:
    """Everything that is said.

    Attributes:
        texts: Job → the text message that the provider took; ``twice`` of them once more.
        feeds: What persons' in-app feeds hold; ``shown``: whose is shown.
        due: Reminders.
    """

    history: History
    tally: Tally
    table: list[Row]
    parcels: list[ParcelRow]
    difference: Difference
    mails: list[Mail]
    texts: Mapping[str, str]
    twice: int
    feeds: Feeds
    shown: ProfileUpdated
    due: int
    offsets: Mapping[int, int]
    broker: str

    @property
    def well(self) -> bool:
        """It decided as ``simulate`` does, and each message that was due is there, once."""
        jobs = [mail.job_id for mail in self.mails]
        mails = len(jobs) == len(set(jobs)) == self.due_over("email")
        texts = set(self.texts) == self._messages("sms") and not self.twice
        items = {item.id for item in self.items} == self._messages("inapp")
        return self.difference.equal and mails and texts and items

    @property
    def items(self) -> list[ShownItem]:
        """Of all feeds; an item can't be there twice, it is known by its id."""
        return [item for feed in self.feeds.values() for item in feed]

    @property
    def shown_feed(self) -> Sequence[ShownItem]:
        """The feed that is shown, newest first."""
        return self.feeds.get(self.shown.person_id, ())

    @property
    def words(self) -> Mapping[str, str]:
        """Job → what its text message or item says, in short."""
        return {**self.texts, **{item.id: item.title for item in self.items}}

    def due_over(self, channel: str) -> int:
        """How many messages were to go out: reminders, by mail, and those about orders and parcels."""
        return len(self._messages(channel)) + (self.due if channel == "email" else 0)

    def _messages(self, channel: str) -> set[str]:
        """Jobs of messages about orders and parcels, less those that the sender rightly held back."""
        held = {name for name, one in self.tally.receipts.items() if one.outcome == "suppressed"}
        return {name for name, job in self.tally.messages.items() if job.channel == channel} - held

    @property
    def verdict(self) -> str:
        """How this run compares with ``simulate``."""
        found = self.difference
        if found.equal:
            return f"Equal: all {self.tally.lines.total()} decisions are those of postcart simulate on the same events."
        return (
            f"NOT equal to postcart simulate on the same events: {found.missing} of its decisions are missing here, "
            f"{found.extra} are only here."
        )

    @property
    def delivery(self) -> str:
        """What came of the messages."""
        jobs = [mail.job_id for mail in self.mails]
        twice = len(jobs) - len(set(jobs))
        mails, texts, items = (
            ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in outcomes(self.tally, channel).items())
            for channel in CHANNELS
        )
        return (
            f"{self.due_over('email')} mails were due; {len(jobs)} are in the mailbox, {twice or 'none'} twice; "
            f"receipts: {mails}. {self.due_over('sms')} text messages were due; {len(self.texts)} were taken, "
            f"{self.twice or 'none'} twice; receipts: {texts}. {self.due_over('inapp')} items of in-app feeds were "
            f"due; {len(self.items)} are there; receipts: {items}."
        )


def result_of(
    tally: Tally,
    *,
    history: History,
    expected: Expected,
    inbox: Path,
    texts: Sequence[Text],
    feeds: Feeds,
    shown: ProfileUpdated,
    broker: str,
) -> Result:
    """The result of a run, from what the pipeline wrote, and what arrived: mails in ``inbox``, ``texts``, ``feeds``."""
    return Result(
        history=history,
        tally=tally,
        table=rows(tally),
        parcels=parcel_rows(history, tally),
        difference=compare(tally, expected.lines),
        mails=read_mails(inbox, tally, history.all),
        texts={one.key: one.body for one in texts},
        twice=len(texts) - len({one.key for one in texts}),
        feeds=feeds,
        shown=shown,
        due=expected.due,
        offsets=expected.offsets,
        broker=broker,
    )
