"""The demo's history: real shop events, and made-up visits and parcels after them.

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
from postcart.events.shop import OrderPlaced, ProfileUpdated, ShopEvent, order_key, time_ms
from postcart.settings import Settings
from postcart.wiring.demo.afterwards import made_up_visits
from postcart.wiring.demo.parcels import made_up_parcels
from postcart.wiring.demo.people import made_up

EVENTS_FILE: Final = "data_2022_nov.csv"
_ANONYMOUS: Final = 0.2
_DEVICES: Final = 0.25


@dataclass(frozen=True, slots=True)
class History:
    """All events, in order of time.

    Attributes:
        real: Of the file, with persons made up.
        added: What some of these persons do in the days after it, and the parcels of all orders; made up.
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
    visits = made_up_visits(real, list(simulate(real, context, rules)))
    orders = [event for event in (*real, *visits) if isinstance(event, OrderPlaced)]
    parcels = made_up_parcels(orders, after_ms=max(map(time_ms, real)))
    return History(real, sorted((*visits, *parcels), key=order_key))
