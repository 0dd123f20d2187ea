"""The persons of the demo: real events know only numbers, so the demo makes up who they are.

Owns: names, languages, time zones and consents, the same in every run. Must not: look at what persons do.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from msgspec.structs import replace

from postcart.events.shop import Consent, ProfileUpdated


@dataclass(frozen=True, slots=True)
class Home:
    """A language and a place."""

    locale: str
    time_zone: str
    country: str
    names: tuple[str, ...]


_AMERICAN = ("Emma Reed", "Liam Brooks", "Olivia Hayes", "Noah Carter", "Ava Bennett", "Mia Foster", "Grace Nolan")

HOMES: Final = (
    Home("en-US", "America/Los_Angeles", "US", _AMERICAN),
    Home("de-DE", "Europe/Berlin", "DE", ("Anna Vogel", "Jonas Brandt", "Lena Hoffmann", "Paul Krämer", "Mara Schulz")),
    Home("en-US", "America/Denver", "US", _AMERICAN),
    Home("en-GB", "Europe/London", "GB", ("Isla Morgan", "Harry Doyle", "Poppy Marsh", "Freya Watts")),
    Home("ar-SA", "Asia/Riyadh", "SA", ("ليلى حسن", "نور الهاشمي", "سارة العتيبي", "مريم خالد")),
    Home("en-US", "America/New_York", "US", _AMERICAN),
)
"""West to east: at the same moment it is evening for some, when mails may go out, and night for others."""

_WITHOUT_CONSENT: Final = 11
"""One of so many never agreed to reminders."""


def made_up(profile: ProfileUpdated) -> ProfileUpdated:
    """The profile with a name, a language, a place and a consent; the same for the same person."""
    chance = int.from_bytes(sha256(profile.person_id.encode()).digest()[:6])
    chance, home_number = divmod(chance, len(HOMES))
    home = HOMES[home_number]
    chance, name_number = divmod(chance, len(home.names))
    return replace(
        profile,
        name=home.names[name_number],
        locale=home.locale,
        time_zone=home.time_zone,
        country=home.country,
        consents=(Consent(channel="email", purpose="marketing", given=chance % _WITHOUT_CONSENT != 0),),
    )
