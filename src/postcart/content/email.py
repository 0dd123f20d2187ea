"""From a job and a recipient to a signed mail.

Owns: the order of the steps, and what a mail says of itself (Message-ID, envelope sender, opt-out). Must not: send,
or decide whether to send.
"""

import re
from dataclasses import dataclass, field

from postcart.content.addresses import parse_address
from postcart.content.context import Recipient, ShopIdentity, build_context, one_line
from postcart.content.dkim import DkimSigner
from postcart.content.languages import Language, Languages
from postcart.content.mime import Heads, build_message
from postcart.content.templates import Content, TemplateSet
from postcart.content.tokens import EnvelopeSenders, OptOut, UnsubscribeLinks
from postcart.events.jobs import Job

__all__ = ["EmailRenderer", "OutgoingEmail", "Recipient", "ShopIdentity"]

_FEEDBACK_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, kw_only=True)
class OutgoingEmail:
    """A mail as it goes to the server.

    Attributes:
        message_id: With angle brackets.
        envelope_from: By VERP; ``recipient``: the one envelope recipient.
        data: The whole message, signed, with CRLF line ends.
    """

    message_id: str
    envelope_from: str
    recipient: str = field(repr=False)
    data: bytes = field(repr=False)
    subject: str = field(repr=False)


class EmailRenderer:
    """Renders jobs into mails. Thread-safe: nothing is changed by rendering but caches.

    Args:
        templates: The template set; ``languages``: the catalogues.
        shop: Who sends.
        signer: Signs by DKIM; None leaves mails unsigned, for local use.
        unsubscribe: Makes opt-out links; ``envelope``: envelope senders.
    """

    def __init__(
        self,
        templates: TemplateSet,
        shop: ShopIdentity,
        signer: DkimSigner | None,
        unsubscribe: UnsubscribeLinks,
        *,
        languages: Languages,
        envelope: EnvelopeSenders,
    ) -> None:
        self._templates = templates
        self._shop = shop
        self._signer = signer
        self._unsubscribe = unsubscribe
        self._languages = languages
        self._envelope = envelope

    def render(self, job: Job, recipient: Recipient, *, date_ms: int) -> OutgoingEmail:
        """The mail of ``job``. The same arguments give the same bytes. CPU only, some milliseconds.

        Args:
            job: What to render; its id becomes Message-ID.
            recipient: Whom to; the address in clear.
            date_ms: Becomes Date and the signature's time; fixed over retries by the caller.

        Raises:
            RecipientRejected: The address is not one valid address.
            RenderError: The template fails on this job.
        """
        address = parse_address(recipient.address)
        language = self._languages.resolve(recipient.locale)
        opt_out = OptOut(job.person_id, job.channel, job.purpose) if job.purpose == "marketing" else None
        content = self.content(job, recipient, date_ms=date_ms, language=language)
        heads = self._heads(job, recipient, date_ms=date_ms, address=address, language=language, opt_out=opt_out)
        data, relaxed_body = build_message(content, heads)
        if self._signer:
            data = self._signer.sign(data, at_s=date_ms // 1000, relaxed_body=relaxed_body)
        return OutgoingEmail(
            message_id=heads.message_id,
            envelope_from=self._envelope.of(job.job_id, job.person_id),
            recipient=address,
            data=data,
            subject=content.subject,
        )

    def content(self, job: Job, recipient: Recipient, *, date_ms: int, language: Language | None = None) -> Content:
        """What the mail of ``job`` says, before headers and signature. Raises RenderError."""
        language = language or self._languages.resolve(recipient.locale)
        link = (
            self._unsubscribe.url(OptOut(job.person_id, job.channel, job.purpose))
            if job.purpose == "marketing"
            else None
        )
        context = build_context(job, recipient, self._shop, date_ms=date_ms, unsubscribe_url=link)
        return self._templates.render(job.template, language, context)

    def _heads(
        self,
        job: Job,
        recipient: Recipient,
        *,
        date_ms: int,
        address: str,
        language: Language,
        opt_out: OptOut | None,
    ) -> Heads:
        parts = (
            job.campaign,
            f"{job.template}.{self._templates.version(job.template)}",
            job.purpose,
            self._shop.domain,
        )
        return Heads(
            message_id=f"<{job.job_id}@{self._shop.domain}>",
            date_ms=date_ms,
            from_name=self._shop.name,
            from_address=self._shop.from_address,
            to_name=one_line(recipient.name or ""),
            to_address=address,
            reply_to=self._shop.reply_to,
            language=language.tag,
            feedback_id=":".join(_FEEDBACK_UNSAFE.sub("-", part) for part in parts),
            unsubscribe=(self._unsubscribe.url(opt_out), self._unsubscribe.mailto(opt_out)) if opt_out else None,
        )
