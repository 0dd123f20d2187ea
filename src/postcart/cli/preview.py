"""``postcart preview``: a template as its recipients will see it.

Owns: the command. Must not: render (content.preview).
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from postcart.cli.failures import say
from postcart.cli.printing import binary_out, print_fields, print_json
from postcart.cli.setup import current_settings

if TYPE_CHECKING:
    from postcart.content.preview_texts import TextChannel
    from postcart.settings import Settings

_DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")


def preview(
    template: Annotated[str, typer.Argument(metavar="TEMPLATE", help="Its folder under templates/.")],
    locale: Annotated[str, typer.Option(metavar="TAG", help="BCP 47, for example de-DE.")] = "en",
    channel: Annotated[
        Literal["email", "sms", "push", "inapp"], typer.Option(help="What it looks like over this channel.")
    ] = "email",
    output: Annotated[
        Literal["html", "text", "json"] | None,
        typer.Option("--output", "-o", help="Of a mail html by default, else text; json has all of it."),
    ] = None,
    open_in_folder: Annotated[
        bool,
        typer.Option(
            "--open-in-folder", help="Write a page with all parts and languages to a new folder; print its path."
        ),
    ] = False,
) -> None:
    """Show a template over a channel, with made-up data.

    By default as a mail. Sender and links are those of the settings. Nothing is sent.
    """
    from postcart.content.preview import render_preview  # noqa: PLC0415
    from postcart.wiring.email import shop_identity  # noqa: PLC0415

    settings = current_settings()
    if channel != "email":
        if output == "html" or open_in_folder:
            raise typer.BadParameter(f"{channel} carries plain text: --output text or json", param_hint="--channel")
        _print_texts(settings, template, locale, channel, as_json=output == "json")
        return
    if open_in_folder:
        page = _write_page(settings, template, locale)
        typer.echo(str(page))
        if sys.stdout.isatty() and any(os.environ.get(name) for name in _DISPLAYS):
            typer.launch(str(page))
        return
    rendered = render_preview(
        template,
        locale,
        templates=settings.templates_dir,
        locales=settings.locales_dir,
        shop=shop_identity(settings),
    )
    _say_language(locale, rendered.headers.get("Content-Language", "en"))
    if output == "json":
        print_json(rendered)
    else:
        binary_out().write((rendered.text if output == "text" else rendered.html).encode())


def _print_texts(settings: "Settings", template: str, locale: str, channel: "TextChannel", *, as_json: bool) -> None:
    from postcart.content.preview_texts import preview_texts  # noqa: PLC0415
    from postcart.wiring.email import shop_identity  # noqa: PLC0415

    shown = preview_texts(
        template,
        locale,
        channel,
        templates=settings.templates_dir,
        locales=settings.locales_dir,
        shop=shop_identity(settings),
        most_segments=settings.sms.max_segments,
    )
    _say_language(locale, str(shown["language"]))
    if as_json:
        print_json(shown)
    else:
        print_fields(shown)


def _say_language(wanted: str, shown: str) -> None:
    if shown.partition("-")[0] != wanted.replace("_", "-").partition("-")[0].lower():
        say(f"note: there is no catalogue for {wanted}; this is {shown}")


def _write_page(settings: "Settings", template: str, locale: str) -> Path:
    """A page of the mail in ``locale``, then in all other languages, as the demo has it; returns its index.html."""
    from dataclasses import replace  # noqa: PLC0415

    from postcart.content import sample  # noqa: PLC0415
    from postcart.content.gallery import write_gallery  # noqa: PLC0415
    from postcart.content.languages import Languages  # noqa: PLC0415
    from postcart.content.preview import preview_renderer  # noqa: PLC0415
    from postcart.content.templates import TemplateSet  # noqa: PLC0415
    from postcart.wiring.email import shop_identity  # noqa: PLC0415

    shop = shop_identity(settings)
    languages = Languages(settings.locales_dir, shop.locale)
    templates = TemplateSet(settings.templates_dir)
    renderer = preview_renderer(templates, languages, shop)
    job = sample.usual_job(template, templates.about(template))
    shown = languages.resolve(locale).tag
    mails = []
    for tag in (locale, *(tag for tag in languages.tags if tag != shown)):
        recipient = replace(sample.RECIPIENT, locale=tag)
        mail = renderer.render(job, recipient, date_ms=sample.DATE_MS)
        mails.append(({"language": tag, "subject": mail.subject}, mail.data))
    folder = Path(tempfile.mkdtemp(prefix=f"postcart-{template}-"))
    return write_gallery(mails, folder, title=f"{template}, with made-up data")
