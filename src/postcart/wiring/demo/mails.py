"""The mails of the demo: what the mail server has, and why each was sent.

Owns: the join of mail, receipt and decision. Must not: write pages.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from postcart.adapters.mail_sink import read_folder
from postcart.events.decisions import StepDue
from postcart.events.jobs import Job, Receipt
from postcart.events.shop import ProfileUpdated, ShopEvent
from postcart.events.times import from_ms
from postcart.wiring.demo.story import deferred
from postcart.wiring.demo.tally import Tally


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that the server accepted: a reminder that was ``due``, or a ``message`` about an order or a parcel."""

    data: bytes
    job_id: str
    receipt: Receipt | None
    due: StepDue | None
    message: Job | None
    waited: bool
    profile: ProfileUpdated | None

    @property
    def at(self) -> datetime | None:
        """When it was due; None where nothing asked for it."""
        if self.due is not None:
            return self.due.at
        return None if self.message is None else from_ms(self.message.due_ms)

    @property
    def facts(self) -> dict[str, object]:
        """What a page shows of it besides itself."""
        at = self.at
        if at is None or self.profile is None:
            return {"Job": self.job_id, "Why": "unknown to the receipts"}
        local = at.astimezone(ZoneInfo(self.profile.time_zone or "UTC"))
        about = {"About": self.message.journey.replace("_", " ")} if self.message else {}
        return {
            **({"Reminder": self.due.step} if self.due else about),
            "Language": self.profile.locale or "-",
            "There": f"{local:%a %H:%M}" + (", after the night" if self.waited else ""),
            "Zone": self.profile.time_zone or "-",
            "Job": self.job_id,
        }


def read_mails(inbox: Path, tally: Tally, events: Sequence[ShopEvent]) -> list[Mail]:
    """All mails in the inbox, in the order in which they were due."""
    profiles = {event.person_id: event for event in events if isinstance(event, ProfileUpdated)}
    due = {(one.episode_id, one.step): one for one in tally.decisions if isinstance(one, StepDue)}
    waited = {(one.episode_id, one.step) for one in deferred(tally.decisions)}
    mails = []
    for received in read_folder(inbox):
        job_id = received.entry.message_id.strip("<>").partition("@")[0]
        receipt = tally.receipts.get(job_id)
        step = (receipt.episode_id, receipt.step) if receipt else ("", 0)
        profile = profiles.get(receipt.person_id) if receipt else None
        message = tally.messages.get(job_id)
        mails.append(Mail(received.data, job_id, receipt, due.get(step), message, step in waited, profile))
    return sorted(mails, key=lambda mail: (mail.at is None, mail.at.timestamp() if mail.at else 0.0, mail.job_id))
