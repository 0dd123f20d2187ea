"""The time zones in which a recipient may be.

Owns: the choice from profile, country and the shop's country. Must not: decide about hours (quiet_hours does).
"""

from collections.abc import Callable, Mapping
from datetime import tzinfo
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, available_timezones

from postcart.events.shop import ProfileUpdated

COUNTRY_ZONES: dict[str, tuple[str, ...]] = {
    "AT": ("Europe/Vienna",),
    "AU": ("Australia/Perth", "Australia/Darwin", "Australia/Sydney"),
    "BR": ("America/Rio_Branco", "America/Manaus", "America/Sao_Paulo", "America/Noronha"),
    "CA": ("America/Vancouver", "America/Edmonton", "America/Winnipeg", "America/Toronto", "America/St_Johns"),
    "CH": ("Europe/Zurich",),
    "DE": ("Europe/Berlin",),
    "ES": ("Europe/Madrid", "Atlantic/Canary"),
    "FR": ("Europe/Paris",),
    "GB": ("Europe/London",),
    "IT": ("Europe/Rome",),
    "NL": ("Europe/Amsterdam",),
    "PT": ("Europe/Lisbon", "Atlantic/Azores"),
    "US": ("Pacific/Honolulu", "America/Anchorage", "America/Los_Angeles", "America/Denver", "America/New_York"),
}
"""The outermost and main zones of countries, from the IANA database's zone1970.tab: enough for `all must allow`."""


def resolver(shop_country: str | None) -> Callable[[ProfileUpdated | None], tuple[tzinfo, ...]]:
    """A function from a profile to its zones: its own, else its country's, else the shop's country's, else UTC."""

    def zones(profile: ProfileUpdated | None) -> tuple[tzinfo, ...]:
        name = profile.time_zone if profile else None
        return zones_of(name, profile.country if profile else None, shop_country)

    return zones


@lru_cache(maxsize=4096)
def all_zones(
    contact: tuple[str, ...], name: str | None, country: str | None, shop_country: str | None
) -> tuple[tzinfo, ...]:
    """Every zone that must allow: the person's, and those in which a contact point may be (a phone number's).

    Where a person has told no zone of its own, those of the contact point count alone: they are nearer than a
    country's.
    """
    found = [zone for known in contact for zone in _zone(known)]
    if found and not (name and _zone(name)):
        return tuple(found)
    return tuple(dict.fromkeys((*zones_of(name, country, shop_country), *found)))


def _zone(name: str) -> tuple[tzinfo, ...]:
    """The zone of an IANA name; none where it is not known."""
    zone = named(name)
    return () if zone is None else (zone,)


def named(name: str | None) -> ZoneInfo | None:
    """The zone of an IANA name; None where it is not known."""
    return read_all().get(name) if name else None


@cache
def read_all() -> Mapping[str, ZoneInfo]:
    """Every zone of the IANA database, by name; 0.2 s, once.

    Workers read them as they start. Read when it is needed, one could fail for want of a file descriptor, and would
    pass for unknown: then messages went by other people's night.
    """
    return {name: ZoneInfo(name) for name in available_timezones()}


@lru_cache(maxsize=4096)
def zones_of(name: str | None, country: str | None, shop_country: str | None) -> tuple[tzinfo, ...]:
    """The zones for an IANA name, a country and the shop's country, the first that is known."""
    if name and (own := _zone(name)):
        return own
    for code in (country, shop_country):
        if code in COUNTRY_ZONES:
            return tuple(read_all()[zone] for zone in COUNTRY_ZONES[code])
    return (read_all()["UTC"],)
