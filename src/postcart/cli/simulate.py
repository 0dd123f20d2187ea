"""``postcart simulate``: what would have been decided, without Kafka.

Owns: the command. Must not: decide (domain.simulation), or read files itself (codecs, content).
"""

from pathlib import Path
from typing import Annotated

import typer

from postcart.cli.failures import say
from postcart.cli.importing import AnonymousOption, CurrencyOption, DevicesOption, EventFiles, ItemsOption, shop_events
from postcart.cli.printing import print_json_lines
from postcart.cli.setup import settings_with_currency


def simulate(  # noqa: PLR0917 -- typer calls it by name
    files: EventFiles,
    campaign: Annotated[
        Path | None, typer.Option(help="Campaign file; by default the one that the workers would use.")
    ] = None,
    currency: CurrencyOption = None,
    anonymous: AnonymousOption = 0.0,
    devices: DevicesOption = 0.0,
    items: ItemsOption = None,
) -> None:
    """Decide over a history, without Kafka.

    FILES are JSON lines of shop events (as `postcart events import` writes them) or REES46 CSV files, told apart by
    their first line. Every decision is printed as a JSON line, in the order of time: of carts abandonments, planned,
    due and cancelled steps; of parcels milestones, changed estimates, delays, and when these are cleared. Consent and
    quiet hours count; nothing is sent.
    """
    from postcart.content.campaigns import load_campaign  # noqa: PLC0415
    from postcart.domain.simulation import simulate_all  # noqa: PLC0415
    from postcart.wiring.rules import active_campaign, decision_context, detect_rules  # noqa: PLC0415
    from postcart.wiring.tracking import tracking  # noqa: PLC0415

    settings = settings_with_currency(currency)
    chosen = load_campaign(campaign) if campaign else active_campaign(settings)
    events = shop_events(files, settings, anonymous=anonymous, devices=devices, items=items)
    parcels = tracking(settings)
    print_json_lines(simulate_all(events, decision_context(settings, chosen), detect_rules(settings), parcels))
    for what, count in parcels.unknown.most_common():
        say(f"{what}; left out: {count:,} event{'s' if count > 1 else ''}")
