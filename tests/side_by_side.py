"""The product and the naive implementation side by side: one history in, two multisets of lines out.

Owns: translating campaigns, events and lines between the two. Must not: assert.
"""

import json
from collections import Counter
from collections.abc import Iterable
from datetime import time
from typing import Any

import msgspec

from oracle import Campaign, decide
from oracle.basics import milliseconds
from postcart.domain import campaign as product
from postcart.domain.caps import Caps
from postcart.domain.detect.rules import Rules
from postcart.domain.journey.outcome import Context
from postcart.domain.simulation import simulate
from postcart.domain.zones import resolver
from postcart.events.shop import ShopEvent

Json = dict[str, Any]

DECODER = msgspec.json.Decoder(ShopEvent)


def context(campaign: Campaign) -> Context:
    """The naive implementation's campaign as the product's."""

    def journey(name: str, offsets: Iterable[int]) -> product.Journey:
        steps = tuple(product.Step(after_ms=offset * 1_000, template="cart-reminder") for offset in offsets)
        return product.Journey(name=name, steps=steps)

    high_value = peak = None
    if campaign.high_value_from is not None:
        thresholds = dict.fromkeys(("EUR", "USD"), campaign.high_value_from)
        high_value = product.HighValue(threshold=thresholds, journey=journey("high", campaign.high_value_offsets))
    if campaign.peaks:
        peak = product.Peak(seasons=campaign.peaks, journey=journey("peak", campaign.peak_offsets))
    translated = product.Campaign(
        name="cart",
        version="1",
        journey=journey("standard", campaign.offsets),
        quiet_hours=product.QuietHours(
            start=time(campaign.quiet_from),
            end=time(campaign.quiet_to),
        ),
        cool_off_ms=campaign.cool_off_days * 86_400_000,
        high_value=high_value,
        peak=peak,
    )
    caps = Caps(between_ms={campaign.channel: campaign.apart * 3_600_000}, day_most=campaign.daily)
    return Context(campaign=translated, zones=resolver(None), caps=caps)


def simulated(events: Iterable[Json], campaign: Campaign) -> Counter[str]:
    """The product's lines on these events, as a multiset."""
    return product_lines(typed(events), campaign)


def product_lines(events: Iterable[ShopEvent], campaign: Campaign) -> Counter[str]:
    """The product's lines on these events, as a multiset."""
    return Counter(product_list(events, campaign))


def product_list(events: Iterable[ShopEvent], campaign: Campaign) -> list[str]:
    """The product's lines on these events, in its order."""
    decisions = simulate(events, context(campaign), Rules(seasons=campaign.peaks))
    return [comparable(json.loads(msgspec.json.encode(decision))) for decision in decisions]


def naive(events: Iterable[Json], campaign: Campaign) -> Counter[str]:
    """The naive implementation's lines, as a multiset."""
    return Counter(comparable(line) for line in decide(events, campaign))


def comparable(line: Json) -> str:
    """A line with its times as numbers: both ways to write a millisecond are ISO 8601."""
    times = {key: milliseconds(line[key]) for key in ("at", "abandoned_at") if key in line}
    return json.dumps(line | times, sort_keys=True)


def as_json(events: Iterable[ShopEvent]) -> list[Json]:
    """Events as their JSON lines."""
    return [json.loads(msgspec.json.encode(event)) for event in events]


def differences(events: list[Json], campaign: Campaign) -> tuple[list[str], list[str]]:
    """What only the product says, and what only the naive implementation says."""
    said, expected = simulated(events, campaign), naive(events, campaign)
    return sorted((said - expected).elements()), sorted((expected - said).elements())


def typed(events: Iterable[Json]) -> list[ShopEvent]:
    """JSON events as the product's."""
    return [DECODER.decode(msgspec.json.encode(event)) for event in events]
