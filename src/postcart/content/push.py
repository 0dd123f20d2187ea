"""From a job to a push message: title, text, link; the same for browsers and apps.

Owns: what a push message says and how long that may be. Must not: know a provider, or send.
"""

import base64
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Literal

from postcart.content.context import Recipient, ShopIdentity, build_context
from postcart.content.languages import Languages
from postcart.content.templates import PREVIEW, SUBJECT, TemplateSet
from postcart.content.urls import web_url
from postcart.errors import RenderError
from postcart.events.jobs import Job, Purpose
from postcart.events.shop import PushSubscription

TITLE, BODY, LINK = "push.title.txt.j2", "push.body.txt.j2", "push.link.txt.j2"
_OF_MAIL: Final = {TITLE: SUBJECT, BODY: PREVIEW}
LONGEST_TITLE: Final = 65
LONGEST_BODY: Final = 178
"""Characters that phones and browsers show at least; what is longer ends in an ellipsis."""
_LINK_MOST: Final = 1_000
_VALID_LEAST_S: Final = 60
_VALID_MOST_S: Final = 28 * 86_400
"""Push services keep a message for four weeks at most."""


@dataclass(frozen=True, slots=True)
class Target:
    """One browser or app. ``contact_id`` is its opaque id."""

    contact_id: str
    subscription: PushSubscription = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class OutgoingPush:
    """A push message for all browsers and apps of a person.

    Attributes:
        tag: What it is about: a later one about the same replaces it where it was not seen yet. 32 characters of
            base64url, which all push services take.
        valid_s: How long it may wait for a device.
        language: BCP 47.
    """

    job_id: str
    purpose: Purpose
    title: str = field(repr=False)
    body: str = field(repr=False)
    link: str = field(repr=False)
    tag: str
    valid_s: int
    language: str
    direction: Literal["ltr", "rtl"]
    targets: tuple[Target, ...] = ()


class PushRenderer:
    """Renders jobs into push messages. Thread-safe.

    Args:
        templates: The template set; ``languages``: the catalogues.
        shop: Who sends.
    """

    def __init__(self, templates: TemplateSet, shop: ShopIdentity, *, languages: Languages) -> None:
        self._templates = templates
        self._shop = shop
        self._languages = languages

    def render(self, job: Job, recipient: Recipient, targets: tuple[Target, ...], *, date_ms: int) -> OutgoingPush:
        """The message of ``job``. The same arguments give the same message.

        Raises:
            RenderError: The template fails on this job, says nothing, or links to no web page.
        """
        language = self._languages.resolve(recipient.locale)
        context = build_context(job, recipient, self._shop, date_ms=date_ms, unsubscribe_url=None)
        title, body, link = (
            " ".join(self._templates.part(job.template, self._part_for(job.template, part), language, context).split())
            for part in (TITLE, BODY, LINK)
        )
        for part, text in ((TITLE, title), (BODY, body)):
            if not text:
                raise RenderError(f"{job.template}/{part}: the text is empty")
        if web_url(link) is None or len(link.encode()) > _LINK_MOST:
            raise RenderError(f"{job.template}/{LINK}: no link of https with at most {_LINK_MOST} bytes")
        return OutgoingPush(
            job_id=job.job_id,
            purpose=job.purpose,
            title=shortened(title, LONGEST_TITLE),
            body=shortened(body, LONGEST_BODY),
            link=link,
            tag=base64.urlsafe_b64encode(sha256(job.episode_id.encode()).digest())[:32].decode(),
            valid_s=min(_VALID_MOST_S, max(_VALID_LEAST_S, (job.not_after_ms - date_ms) // 1_000)),
            language=language.tag,
            direction=language.direction,
            targets=targets,
        )

    def _part_for(self, template: str, part: str) -> str:
        """A mail's subject and preview say it where a push message has no words of its own."""
        return part if self._templates.has(template, part) else _OF_MAIL.get(part, part)


def shortened(text: str, most: int) -> str:
    """``text`` cut between words to at most ``most`` characters, an ellipsis included."""
    if len(text) <= most:
        return text
    cut = text[: most - 1]
    words = cut.rpartition(" ")[0] if not text[most - 1].isspace() else cut
    return f"{(words or cut).rstrip()}…"
