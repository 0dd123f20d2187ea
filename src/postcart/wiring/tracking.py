"""Settings become tracking's own terms: its rules, carriers' words, the calendar.

Owns: that translation. Must not: start anything.
"""

from collections import Counter

from msgspec.structs import replace

from postcart.adapters.business_days import business_days
from postcart.content.carrier_files import SHIPPED, load_vocabularies
from postcart.domain.track.history import Tracking
from postcart.domain.track.outcome import Context
from postcart.domain.track.rules import Level, Polling, Rules
from postcart.domain.track.vocabulary import Vocabularies
from postcart.events.times import HOUR_MS, SECOND_MS
from postcart.settings import Settings
from postcart.settings.polling import EVERY


def track_rules(settings: Settings) -> Rules:
    """The numbers of tracking; what settings don't name stays as docs/tracking.md has it."""
    tracking = settings.tracking
    return Rules(
        pickup_ms=tracking.pickup_h * HOUR_MS,
        scan_days=tracking.scan_days,
        scan_days_abroad=tracking.scan_days_abroad,
        levels=tuple(Level(after=level.after, audiences=level.tell) for level in tracking.levels),
    )


def track_context(settings: Settings) -> Context:
    """What TRACK's decisions depend on besides the parcel; nothing is learned yet."""
    return Context(rules=replace(track_rules(settings), polling=poll_rules(settings)), business_days=business_days)


def poll_rules(settings: Settings) -> Polling | None:
    """Which carriers are asked, and how often. None: none; in a replay nobody is: what it is about is over."""
    polling = settings.polling
    if not polling.sources or settings.clock == "replay":
        return None
    carriers = frozenset(carrier.partition("=")[0] for source in polling.sources for carrier in source.carriers)
    return Polling(
        carriers=carriers,
        every=EVERY in carriers,
        interval_ms=polling.interval_s * SECOND_MS,
        longest_ms=polling.longest_s * SECOND_MS,
    )


def tracking(settings: Settings) -> Tracking:
    """What following a finished history of parcels depends on.

    Raises:
        ConfigurationError: A file of carriers' words is wrong.
    """
    return Tracking(track_rules(settings), business_days, vocabularies(settings), Counter())


def vocabularies(settings: Settings) -> Vocabularies:
    """What carriers' words mean.

    Raises:
        ConfigurationError: A file is wrong.
    """
    return load_vocabularies(settings.tracking.carriers_dir or SHIPPED)
