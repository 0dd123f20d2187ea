"""``postcart replay``: a history into Kafka, at any speed.

Owns: the command. Must not: produce (adapters.replay).
"""

from typing import Annotated, Literal

import typer

from postcart.cli.importing import AnonymousOption, CurrencyOption, DevicesOption, EventFiles, ItemsOption, shop_events
from postcart.cli.setup import settings_with_currency


def replay(  # noqa: PLR0917 -- typer calls it by name
    files: EventFiles,
    speed: Annotated[
        float, typer.Option(min=0, help="Times real time, by the events' own times; 0 is as fast as possible.")
    ] = 0.0,
    currency: CurrencyOption = None,
    anonymous: AnonymousOption = 0.0,
    devices: DevicesOption = 0.0,
    items: ItemsOption = None,
) -> None:
    """Produce FILES to the shop's topics and drive the clock of workers that run with POSTCART_CLOCK=replay.

    Events keep their own times. After the last one the clock runs on, so that what waits becomes due.
    """
    from postcart.adapters.replay import replay as produce  # noqa: PLC0415

    settings = settings_with_currency(currency)
    events = shop_events(files, settings, anonymous=anonymous, devices=devices, items=items)
    produce(events, settings=settings, speed=speed or None)
