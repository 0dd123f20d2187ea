"""A replay as the settings have it: topics, clients and clock put together.

Owns: that composition. Must not: produce.
"""

from collections.abc import Callable, Iterable
from typing import Literal

from postcart.adapters.clock import ClockWriter
from postcart.adapters.replay import DEFAULT_RUN_ON_MS, ReplayOptions, ReplayProgress, replay
from postcart.codecs.shop_subjects import SUBJECTS
from postcart.events.shop import ShopEvent
from postcart.settings import Settings
from postcart.wiring.process import client_settings


def run_replay(
    events: Iterable[ShopEvent],
    *,
    settings: Settings,
    speed: float | None,
    run_on_ms: int = DEFAULT_RUN_ON_MS,
    framing: Literal["json", "avro"] = "json",
    on_progress: Callable[[ReplayProgress], None] | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> ReplayProgress:
    """Produce the events to the shop's topics and drive the clock; see ``postcart.adapters.replay``.

    Raises:
        ConfigurationError: Events out of order, or earlier than what a former replay has told.
        TopologyError: A topic is missing.
        BrokerUnavailable: Kafka can't be reached.
    """
    client = client_settings(settings).client("replay") | {"log_level": 0}  # its errors tell what it would log
    options = ReplayOptions(
        client=client,
        topics={subject: settings.shop_topic(subject.removeprefix("shop.")) for subject in SUBJECTS},
        speed=speed,
        run_on_ms=run_on_ms,
        disorder_ms=settings.disorder_s * 1_000,
        framing=framing,
    )
    clock = ClockWriter(client, settings.topic("clock"))
    return replay(events, options=options, clock=clock, on_progress=on_progress, stopped=stopped)
