"""From a job and a recipient to a text message.

Owns: what a text message is: number, text, how long it is worth delivering. Must not: send, or decide whether to send.
"""

from dataclasses import dataclass, field

from postcart.content.context import Recipient, ShopIdentity, build_context
from postcart.content.languages import Languages
from postcart.content.phones import parse_phone
from postcart.content.sms_segments import Segments, plain, segments
from postcart.content.templates import TemplateSet
from postcart.errors import RenderError
from postcart.events.jobs import Job

PART = "sms.txt.j2"

_VALID_LEAST_S = 60
_VALID_MOST_S = 36_000
"""Networks keep a message they can't deliver for this long at most (10 hours at Twilio)."""


@dataclass(frozen=True, kw_only=True)
class OutgoingSms:
    """A text message as it goes to a provider.

    Attributes:
        job_id: Also the idempotency key.
        to: In E.164.
        valid_s: How long a network may try to deliver it.
    """

    job_id: str
    person_id: str
    to: str = field(repr=False)
    body: str = field(repr=False)
    segments: Segments
    valid_s: int


class SmsRenderer:
    """Renders jobs into text messages. Thread-safe: nothing is changed by rendering but caches.

    Args:
        templates: The template set; ``languages``: the catalogues.
        shop: Who sends.
        most_segments: A longer text is an error of its template: it would cost more than anybody has agreed to.
    """

    def __init__(
        self, templates: TemplateSet, shop: ShopIdentity, *, languages: Languages, most_segments: int = 3
    ) -> None:
        self._templates = templates
        self._shop = shop
        self._languages = languages
        self._most = most_segments

    def render(self, job: Job, recipient: Recipient, *, date_ms: int) -> OutgoingSms:
        """The message of ``job``. The same arguments give the same text.

        Args:
            job: What to render.
            recipient: Whom to; the number in clear.
            date_ms: When it is said; fixed over retries by the caller.

        Raises:
            RecipientRejected: The number is not valid.
            RenderError: The template fails on this job, or the text is too long.
        """
        to = parse_phone(recipient.address)
        body = self.text(job, recipient, date_ms=date_ms)
        counted = segments(body)
        if counted.messages > self._most:
            raise RenderError(
                f"{job.template}/{PART}: {counted.messages} segments ({counted.units} units of {counted.coding}), "
                f"at most {self._most} are allowed"
            )
        return OutgoingSms(
            job_id=job.job_id,
            person_id=job.person_id,
            to=to,
            body=body,
            segments=counted,
            valid_s=min(_VALID_MOST_S, max(_VALID_LEAST_S, (job.not_after_ms - date_ms) // 1_000)),
        )

    def text(self, job: Job, recipient: Recipient, *, date_ms: int) -> str:
        """What the message says. Raises RenderError."""
        language = self._languages.resolve(recipient.locale)
        context = build_context(job, recipient, self._shop, date_ms=date_ms, unsubscribe_url=None)
        text = plain(" ".join(self._templates.part(job.template, PART, language, context).split()))
        if not text:
            raise RenderError(f"{job.template}/{PART}: the text is empty")
        return text
