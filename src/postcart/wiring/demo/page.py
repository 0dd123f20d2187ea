"""The page at the end of the demo: what happened and why, some persons' stories, and the mails.

Owns: the page's files. Must not: count or choose (result, timelines); or fetch anything.
"""

from datetime import datetime
from importlib.resources import files
from zoneinfo import ZoneInfo

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from postcart.content.gallery import write_gallery
from postcart.events.decisions import AbandonmentDecided
from postcart.events.shop import time_ms
from postcart.events.times import DAY_MS, to_ms
from postcart.gateway.feed_item import ShownItem
from postcart.wiring.demo.parcel_story import CHANNEL_HEADS, CHANNELS, parcel_stories
from postcart.wiring.demo.result import Result
from postcart.wiring.demo.shop import Places
from postcart.wiring.demo.timelines import timelines

_FILES = files("postcart.wiring.demo") / "page_files"
_GALLERY_FILE = "mails/{number:06d}.html"
"""As ``postcart.content.gallery`` names them."""


def write_page(result: Result, places: Places, *, live: str | None = None) -> None:
    """Write the gallery of mails and, above it, the page of what happened. ``live``: where the feed is live now."""
    write_gallery(((mail.facts, mail.data) for mail in result.mails), places.gallery, title="Mails of the demo")
    jobs = {(mail.due.episode_id, mail.due.step): mail.job_id for mail in result.mails if mail.due}
    numbers = {mail.job_id: number for number, mail in enumerate(result.mails, 1)}

    def mail_of_job(job_id: str) -> str | None:
        number = numbers.get(job_id)
        return None if number is None else f"{places.gallery.name}/{_GALLERY_FILE.format(number=number)}"

    def mail_of(episode_id: str, step: int) -> str | None:
        return mail_of_job(jobs.get((episode_id, step), ""))

    pages = Environment(
        loader=DictLoader({"index.html.j2": (_FILES / "index.html.j2").read_text("utf-8")}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = Markup((_FILES / "style.css").read_text("utf-8"))  # noqa: S704 -- our own file
    told = timelines(result.history, result.tally.decisions, mail_of=mail_of, offsets=result.offsets)
    moved = parcel_stories(result.history, result.tally, mail_of=mail_of_job, texts=result.words)
    page = pages.get_template("index.html.j2").render(
        result=result,
        tally=result.tally,
        told=told,
        moved=moved,
        channels=[CHANNEL_HEADS[channel] for channel in CHANNELS],
        feed=[(item, _when(item, result)) for item in result.shown_feed],
        live=live,
        days=_days(result),
        style=style,
    )
    places.page.write_text(page, "utf-8")


def _when(item: ShownItem, result: Result) -> str:
    """When it came, where the person lives."""
    there = datetime.fromisoformat(item.created_at).astimezone(ZoneInfo(result.shown.time_zone or "UTC"))
    return f"{there:%a %d %b %H:%M}"


def _days(result: Result) -> int:
    """From the first event to the last decision, in whole days."""
    steps = [to_ms(one.at) for one in result.tally.decisions if not isinstance(one, AbandonmentDecided)]
    return round((max(steps, default=0) - time_ms(result.history.real[0])) / DAY_MS) if steps else 0
