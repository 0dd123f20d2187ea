"""``postcart events import``: other people's files as shop events.

Owns: the commands. Must not: know the formats (codecs).
"""

from typing import Annotated, Literal

import typer

from postcart.cli.failures import say
from postcart.cli.importing import (
    AnonymousOption,
    CurrencyOption,
    DevicesOption,
    EventFiles,
    ItemsOption,
    olist_file_events,
    shop_events,
)
from postcart.cli.printing import binary_out
from postcart.cli.setup import settings_with_currency

app = typer.Typer(no_args_is_help=True, help="Make shop events of other files.")


@app.callback()
def events() -> None:
    """Make shop events of other files."""


@app.command("import")
def import_(  # noqa: PLR0917 -- typer calls it by name
    source: Annotated[
        Literal["rees46", "olist"],
        typer.Argument(metavar="FORMAT", help="rees46: REES46 open data; olist: Olist's orders, then their items."),
    ],
    files: EventFiles,
    currency: CurrencyOption = None,
    anonymous: AnonymousOption = 0.0,
    devices: DevicesOption = 0.0,
    items: ItemsOption = None,
) -> None:
    """Print files as shop events, a JSON object per line.

    They come in the order of time. Persons are made up from the files' users; REES46 ones have given consent. Importing
    the same files again gives the same ids. Olist's files are orders.csv and, if at hand, order_items.csv; prices are
    in BRL.
    """
    from postcart.codecs.event_lines import write_json_lines  # noqa: PLC0415

    settings = settings_with_currency(currency)
    if source == "olist":
        read = olist_file_events(files, settings)
    else:
        read = shop_events(files, settings, anonymous=anonymous, devices=devices, items=items)
    count = write_json_lines(read, binary_out())
    say(f"{count:,} events from {len(files)} file{'s' if len(files) > 1 else ''}")
