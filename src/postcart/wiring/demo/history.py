"""The demo's history: real shop events, and a few made-up visits after them.

Owns: reading the events that come with the package. Must not: decide, or know Kafka.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.resources import as_file, files
from typing import Final

from postcart.codecs.rees46 import read_items, read_rees46
from postcart.domain.detect.rules import Rules
from postcart.domain.journey.outcome import Context
from postcart.domain.simulation import simulate
from postcart.events.shop import ProfileUpdated, ShopEvent
from postcart.settings import Settings
from postcart.wiring.demo.afterwards import made_up_visits
from postcart.wiring.demo.people import made_up

EVENTS_FILE: Final = "data_2022_nov.csv"
_ANONYMOUS: Final = 0.2
_DEVICES: Final = 0.25


@dataclass(frozen=True, slots=True)
class History:
    """All events, in order of time.

    Attributes:
        real: Of the file, with persons made up.
        added: What some of these persons do in the three days after it, made up.
    """

    real: Sequence[ShopEvent]
    added: Sequence[ShopEvent]

    @property
    def all(self) -> list[ShopEvent]:
        """Both."""
        return [*self.real, *self.added]


def read_history(settings: Settings, context: Context, rules: Rules) -> History:
    """The events that come with the package; the same for the same settings."""
    folder = files("postcart") / "demo_data"
    with ExitStack() as stack:
        path = stack.enter_context(as_file(folder / EVENTS_FILE))
        items = read_items(stack.enter_context(as_file(folder / "items.csv")))
        events = read_rees46(
            [path],
            tenant=settings.tenant,
            identity_key=settings.identity_key.get_secret_value().encode(),
            currency=settings.currency,
            anonymous=_ANONYMOUS,
            devices=_DEVICES,
            items=items,
        )
        real = [made_up(event) if isinstance(event, ProfileUpdated) else event for event in events]
    return History(real, made_up_visits(real, list(simulate(real, context, rules))))
