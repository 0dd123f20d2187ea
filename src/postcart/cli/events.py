"""``postcart events import``: other people's files as shop events.

Owns: the commands. Must not: know the formats (codecs).
"""

from typing import Annotated, Literal

import typer

from postcart.cli.failures import say
from postcart.cli.importing import AnonymousOption, CurrencyOption, DevicesOption, EventFiles, ItemsOption, shop_events
from postcart.cli.printing import binary_out
from postcart.cli.setup import settings_with_currency

app = typer.Typer(no_args_is_help=True, help="Make shop events of other files.")


@app.callback()
def events() -> None:
    """Make shop events of other files."""


@app.command("import")
def import_(  # noqa: PLR0917 -- typer calls it by name
    source: Annotated[Literal["rees46"], typer.Argument(metavar="FORMAT", help="rees46: REES46 open data, CSV.")],
    files: EventFiles,
    currency: CurrencyOption = None,
    anonymous: AnonymousOption = 0.0,
    devices: DevicesOption = 0.0,
    items: ItemsOption = None,
) -> None:
    """Print files as shop events, a JSON object per line.

    They come in the order of time. Persons are made up from user_id, with consent given. Importing the same files again
    gives the same ids.
    """
    del source  # there is one so far; the argument keeps the place for others
    from postcart.codecs.rees46 import write_json_lines  # noqa: PLC0415

    settings = settings_with_currency(currency)
    read = shop_events(files, settings, anonymous=anonymous, devices=devices, items=items)
    count = write_json_lines(read, binary_out())
    say(f"{count:,} events from {len(files)} file{'s' if len(files) > 1 else ''}")
