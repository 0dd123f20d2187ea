"""The catalogue changes no decision: stock and price are looked at when a message is sent, and simulate sends none."""

import random
from decimal import Decimal
from pathlib import Path

from histories import CAMPAIGNS, random_history
from postcart.codecs.event_lines import read_json_lines, write_json_lines
from postcart.domain.detect.rules import Rules
from postcart.domain.simulation import simulate
from postcart.events.shop import VariantUpdated, time_ms
from side_by_side import context, typed


def test_simulate_passes_the_catalogue_over(tmp_path: Path) -> None:
    """Also as lines of a file, as the importer writes and replay reads them."""
    for seed in range(5):
        campaign = CAMPAIGNS[seed % len(CAMPAIGNS)]
        events = list(typed(random_history(seed, campaign=campaign)))
        variants = [
            VariantUpdated(id=f"v{n}", time=time_ms(event), variant_id="a", unit_price=Decimal(n), stock=n % 2)
            for n, event in enumerate(events)
        ]
        mixed = [*events, *variants]
        random.Random(seed).shuffle(mixed)
        file = tmp_path / "history.jsonl"
        with file.open("wb") as out:
            assert write_json_lines(mixed, out) == len(mixed)
        rules = Rules(seasons=campaign.peaks)
        wanted = list(simulate(events, context(campaign), rules))
        assert list(simulate(read_json_lines(file), context(campaign), rules)) == wanted
