"""``postcart preview``: a template as its recipients will see it.

Owns: the command. Must not: render (content.preview).
"""

import tempfile
from pathlib import Path
from typing import Annotated, Literal

import typer

from postcart.cli.failures import say
from postcart.cli.printing import binary_out, print_json
from postcart.cli.setup import current_settings


def preview(
    template: Annotated[str, typer.Argument(help="Its folder under templates/.")],
    locale: Annotated[str, typer.Option(help="BCP 47 tag, for example de-DE.")] = "en",
    output: Annotated[
        Literal["html", "text", "json"], typer.Option("--output", "-o", help="Which part; json has all.")
    ] = "html",
    open_in_folder: Annotated[
        bool, typer.Option("--open-in-folder", help="Write a page with all parts into a new folder; print its path.")
    ] = False,
) -> None:
    """Render TEMPLATE with made-up data and print it. Nothing is sent."""
    from postcart.content.preview import render_preview  # noqa: PLC0415

    rendered = render_preview(template, locale)
    if open_in_folder:
        folder = Path(tempfile.mkdtemp(prefix="postcart-preview-"))
        say(str(folder))
    elif output == "json":
        print_json(rendered)
    else:
        text = rendered.html if output == "html" else rendered.text
        binary_out().write(text.encode())
