"""A template as its recipients will see it, with made-up data.

Owns: previews of single templates. Must not: send, or use anybody's data.
"""

from dataclasses import dataclass, replace
from email import message_from_bytes
from email.policy import SMTP
from pathlib import Path

from postcart.content import sample
from postcart.content.context import Recipient, ShopIdentity
from postcart.content.email import EmailRenderer, OutgoingEmail
from postcart.content.languages import Languages
from postcart.content.templates import TemplateSet
from postcart.content.tokens import EnvelopeSenders, UnsubscribeLinks
from postcart.events.jobs import Job

_SECRET = b"previews are signed by nobody"


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """A mail taken apart. ``headers`` in their order, as they go out."""

    subject: str
    preview: str
    html: str
    text: str
    headers: dict[str, str]


def render_preview(
    template: str,
    locale: str,
    *,
    templates: Path,
    locales: Path,
    shop: ShopIdentity = sample.SHOP,
    job: Job | None = None,
) -> Rendered:
    """Template ``template`` in the language of ``locale`` (BCP 47).

    Args:
        template: Its folder's name.
        locale: The recipient's; the fallback chain applies.
        templates: The folder of templates.
        locales: The folder of catalogues.
        shop: Who sends.
        job: What to say; a sample if None.

    Raises:
        ConfigurationError: The folders are not as they must be.
        RenderError: The template fails, with file, line and the names that there are.
    """
    read = TemplateSet(templates)
    renderer = preview_renderer(read, Languages(locales, shop.locale), shop)
    shown = replace(sample.RECIPIENT, locale=locale)
    wanted = job or sample.usual_job(template, read.about(template))
    content = renderer.content(wanted, shown, date_ms=sample.DATE_MS)
    mail = message_from_bytes(renderer.render(wanted, shown, date_ms=sample.DATE_MS).data, policy=SMTP)
    return Rendered(
        subject=content.subject,
        preview=content.preview,
        html=content.html,
        text=content.text,
        headers={name: str(value) for name, value in mail.items()},
    )


def preview_renderer(templates: TemplateSet, languages: Languages, shop: ShopIdentity = sample.SHOP) -> EmailRenderer:
    """A renderer whose links lead nowhere and whose mails are not signed."""
    return EmailRenderer(
        templates,
        shop,
        None,
        UnsubscribeLinks(f"https://{shop.domain}/u", f"unsubscribe@{shop.domain}", _SECRET),
        languages=languages,
        envelope=EnvelopeSenders(f"bounce.{shop.domain}", _SECRET),
    )


def preview_message(template: str, locale: str, *, templates: TemplateSet, languages: Languages) -> OutgoingEmail:
    """The whole mail of a preview, for a gallery or a test send. Raises as ``render_preview``."""
    recipient = Recipient(sample.RECIPIENT.address, sample.RECIPIENT.name, locale, sample.RECIPIENT.time_zone)
    renderer = preview_renderer(templates, languages)
    job = sample.usual_job(template, templates.about(template))
    return renderer.render(job, recipient, date_ms=sample.DATE_MS)
