"""What a template says over the channels that carry plain texts, with made-up data.

Owns: previews of text messages, push messages and items of the feed. Must not: send, or use anybody's data.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

from postcart.content import sample
from postcart.content.context import ShopIdentity
from postcart.content.inapp import InAppRenderer
from postcart.content.languages import Languages
from postcart.content.push import PushRenderer
from postcart.content.sms import SmsRenderer
from postcart.content.templates import TemplateSet

TextChannel = Literal["sms", "push", "inapp"]


def preview_texts(
    template: str,
    locale: str,
    channel: TextChannel,
    *,
    templates: Path,
    locales: Path,
    shop: ShopIdentity = sample.SHOP,
    most_segments: int = 3,
) -> Mapping[str, str | int]:
    """Its texts by name, as recipients get them, and their ``language``; what there is none of is left out.

    Args:
        template: Its folder's name.
        locale: The recipient's (BCP 47); the fallback chain applies.
        channel: Over which.
        templates: The folder of templates.
        locales: The folder of catalogues.
        shop: Who sends.
        most_segments: Of a text message.

    Raises:
        ConfigurationError: The folders are not as they must be.
        RenderError: The template fails, says nothing for this channel, or too much.
    """
    read, languages = TemplateSet(templates), Languages(locales, shop.locale)
    job = sample.usual_job(template, read.about(template))
    whom = replace(sample.RECIPIENT, locale=locale)
    shown: dict[str, str | int | None]
    match channel:
        case "sms":
            renderer = SmsRenderer(read, shop, languages=languages, most_segments=most_segments)
            text = renderer.render(job, replace(whom, address=sample.PHONE), date_ms=sample.DATE_MS)
            counted = text.segments
            shown = {
                "text": text.body,
                "segments": counted.messages,
                "units": counted.units,
                "coding": counted.coding,
                "language": languages.resolve(locale).tag,
            }
        case "push":
            push = PushRenderer(read, shop, languages=languages).render(job, whom, (), date_ms=sample.DATE_MS)
            shown = {"title": push.title, "body": push.body, "link": push.link, "language": push.language}
        case "inapp":
            item = InAppRenderer(read, shop, languages=languages).render(job, whom, date_ms=sample.DATE_MS)
            shown = {
                "title": item.title,
                "body": item.body,
                "label": item.label,
                "link": item.url,
                "picture": item.image_url,
                "language": item.language,
            }
    return {name: value for name, value in shown.items() if value is not None}
