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
from postcart.cli.printing import binary_out, print_json
from postcart.cli.setup import current_settings

if TYPE_CHECKING:
    from postcart.content.preview import Rendered

_DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")


def preview(
    template: Annotated[str, typer.Argument(help="Its folder under templates/.")],
    locale: Annotated[str, typer.Option(metavar="TAG", help="BCP 47, for example de-DE.")] = "en",
    output: Annotated[
        Literal["html", "text", "json"], typer.Option("--output", "-o", help="Which part; json has all of it.")
    ] = "html",
    open_in_folder: Annotated[
        bool, typer.Option("--open-in-folder", help="Write all parts to a new folder, print its path and open it.")
    ] = False,
) -> None:
    """Show a template as a mail, with made-up data.

    Sender and links are those of the settings. Nothing is sent.
    """
    from postcart.content.preview import render_preview  # noqa: PLC0415
    from postcart.wiring.email import shop_identity  # noqa: PLC0415

    settings = current_settings()
    rendered = render_preview(
        template,
        locale,
        templates=settings.templates_dir,
        locales=settings.locales_dir,
        shop=shop_identity(settings),
    )
    language = rendered.headers.get("Content-Language", "en")
    if language.partition("-")[0] != locale.replace("_", "-").partition("-")[0].lower():
        say(f"note: there is no catalogue for {locale}; this is {language}")
    if open_in_folder:
        folder = _write(rendered, template)
        typer.echo(str(folder))
        if sys.stdout.isatty() and any(os.environ.get(name) for name in _DISPLAYS):
            typer.launch(str(folder))
    elif output == "json":
        print_json(rendered)
    else:
        binary_out().write((rendered.html if output == "html" else rendered.text).encode())


def _write(rendered: "Rendered", template: str) -> Path:
    """Each part as a file of its own, so that browser and editor can be used on it."""
    folder = Path(tempfile.mkdtemp(prefix=f"postcart-{template}-"))
    headers = "".join(f"{name}: {value}\n" for name, value in rendered.headers.items())
    for name, text in (("mail.html", rendered.html), ("mail.txt", rendered.text), ("headers.txt", headers)):
        (folder / name).write_text(text, encoding="utf-8")
    return folder
