"""From a job and a recipient to what an item of the in-app feed says.

Owns: the parts of such an item, and their bounds. Must not: seal or store it, or decide whether it is to be.

All texts are plain: whoever shows them escapes them, as every user interface library does by itself.
"""

from typing import Final

from postcart.content.context import Recipient, ShopIdentity, build_context
from postcart.content.languages import Languages
from postcart.content.templates import TemplateSet
from postcart.content.urls import web_url
from postcart.errors import RenderError
from postcart.events.feed import FeedContent
from postcart.events.jobs import Job

TITLE, BODY, LABEL, LINK = (f"inapp.{part}.txt.j2" for part in ("title", "body", "label", "link"))
_MOST: Final = {TITLE: 120, BODY: 500, LABEL: 40, LINK: 2_000}
"""Characters: what a list on a phone can show, and what an address may have."""


class InAppRenderer:
    """Renders jobs into items of the feed. Thread-safe: nothing is changed by rendering but caches.

    Args:
        templates: The template set; ``languages``: the catalogues.
        shop: Who sends.
    """

    def __init__(self, templates: TemplateSet, shop: ShopIdentity, *, languages: Languages) -> None:
        self._templates = templates
        self._shop = shop
        self._languages = languages

    def render(self, job: Job, recipient: Recipient, *, date_ms: int) -> FeedContent:
        """What the item says. The same job gives the same.

        Raises:
            RenderError: The template fails on this job, title or body are empty, a text is too long, or the link leads
                to no web page.
        """
        language = self._languages.resolve(recipient.locale)
        context = build_context(job, recipient, self._shop, date_ms=date_ms, unsubscribe_url=None)

        def part(name: str) -> str:
            if f"{job.template}/{name}" not in self._templates.sources and name in {LABEL, LINK}:
                return ""
            text = " ".join(self._templates.part(job.template, name, language, context).split())
            if len(text) > _MOST[name]:
                raise RenderError(f"{job.template}/{name}: {len(text)} characters, at most {_MOST[name]} are allowed")
            return text

        title, body, label, link = part(TITLE), part(BODY), part(LABEL), part(LINK)
        if not title or not body:
            raise RenderError(f"{job.template}/{TITLE if not title else BODY}: the text is empty")
        if link and web_url(link) is None:
            raise RenderError(f"{job.template}/{LINK}: {link!r} is no web address")
        about = context["cart"] or context["parcel"] or context["order"]
        pictures = (line.get("picture_url") for line in about["lines"])  # a parcel has none
        return FeedContent(
            title=title,
            body=body,
            language=language.tag,
            label=label or None,
            url=link or None,
            image_url=next((one for one in pictures if one), None),
        )
