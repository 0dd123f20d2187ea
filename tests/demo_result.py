"""A result of the demo without running it: what `simulate` decides stands for what the workers would.

Owns: making one. Must not: start anything.
"""

from email.message import EmailMessage
from pathlib import Path

import msgspec

from postcart.adapters.mail_sink import Entry
from postcart.content.sample import sample_job
from postcart.events.decisions import StepDue
from postcart.events.ids import job_id
from postcart.events.jobs import Receipt
from postcart.events.times import to_ms
from postcart.gateway.feed_item import Action, ShownItem
from postcart.settings import Settings, load_settings
from postcart.wiring.demo.expected import history_and_expected
from postcart.wiring.demo.feeds import shown_person
from postcart.wiring.demo.result import Result, result_of
from postcart.wiring.demo.tally import Tally

ROOT = Path(__file__).parents[1]


def demo_settings() -> Settings:
    """With the campaigns and templates of this checkout."""
    folders = {f"POSTCART_{name.upper()}_DIR": str(ROOT / name) for name in ("campaigns", "templates", "locales")}
    return load_settings(folders)


def demo_result(inbox: Path, *, without: int = 0) -> Result:
    """A run that decided like `simulate`, less the first ``without`` decisions; its mails are written to ``inbox``.

    Of the messages about orders and parcels there are items in one person's feed alone, the newer one not read.
    """
    inbox.mkdir(parents=True)
    history, expected = history_and_expected(demo_settings())
    tally = Tally()
    for line in list(expected.lines.elements())[without:]:
        tally.add_decision(line)
    entries = []
    for number, due in enumerate((one for one in tally.decisions if isinstance(one, StepDue)), 1):
        job = job_id(due.episode_id, due.step, "end", "email")
        tally.add_receipt(msgspec.json.encode(_receipt(due, job)))
        mail = EmailMessage()
        name, to = f"<{job}@shop.example>", "a@shop.example"
        mail["Message-ID"], mail["Subject"], mail["To"] = name, "Your cart", to
        mail.set_content("Your cart is waiting.")
        (inbox / f"{number:06d}.eml").write_bytes(mail.as_bytes())
        entries.append(Entry(number=number, message_id=name, recipient=to, envelope_from="b@x.example", at_ms=0))
    (inbox / "ledger.jsonl").write_bytes(msgspec.json.Encoder().encode_lines(entries))
    shown = shown_person(history)
    items = [_item(tally, shown.person_id, number) for number in (2, 1)]
    return result_of(
        tally,
        history=history,
        expected=expected,
        inbox=inbox,
        texts=[],
        feeds={shown.person_id: items},
        shown=shown,
        broker="a broker",
    )


def _item(tally: Tally, person_id: str, number: int) -> ShownItem:
    """An item of the feed, and the message that it came by."""
    job = sample_job("shipped", job_id=f"item-{number}", person_id=person_id, channel="inapp", purpose="transactional")
    tally.add_message(msgspec.json.encode(job))
    read_at = "2022-11-04T09:00:00Z" if number == 1 else None
    return ShownItem(
        id=job.job_id,
        kind=job.template,
        purpose=job.purpose,
        title=f"Parcel {number} <is> on its way",
        body="It comes on Friday.",
        language="en",
        action=Action("Track your parcel", "https://shop.example/"),
        image_url=None,
        created_at=f"2022-11-0{number}T17:08:38Z",
        seen_at=read_at,
        read_at=read_at,
        archived_at=None,
    )


def _receipt(due: StepDue, job: str) -> Receipt:
    return Receipt(
        job_id=job,
        person_id=due.person_id,
        episode_id=due.episode_id,
        step=due.step,
        channel="email",
        purpose="marketing",
        attempt=1,
        outcome="accepted",
        at_ms=to_ms(due.at),
    )
