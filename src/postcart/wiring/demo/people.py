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
    phones: str
    """Numbers that the country keeps for films and books, without their last two digits."""


_AMERICAN = ("Emma Reed", "Liam Brooks", "Olivia Hayes", "Noah Carter", "Ava Bennett", "Mia Foster", "Grace Nolan")

HOMES: Final = (
    Home("en-US", "America/Los_Angeles", "US", _AMERICAN, "+120255501"),
    Home(
        "de-DE",
        "Europe/Berlin",
        "DE",
        ("Anna Vogel", "Jonas Brandt", "Lena Hoffmann", "Paul Krämer", "Mara Schulz"),
        "+4917139200",
    ),
    Home("en-US", "America/Denver", "US", _AMERICAN, "+130355501"),
    Home("en-GB", "Europe/London", "GB", ("Isla Morgan", "Harry Doyle", "Poppy Marsh", "Freya Watts"), "+4477009001"),
    Home("ar-SA", "Asia/Riyadh", "SA", ("ليلى حسن", "نور الهاشمي", "سارة العتيبي", "مريم خالد"), ""),
    Home("en-US", "America/New_York", "US", _AMERICAN, "+121255501"),
)
"""West to east: at the same moment it is evening for some, when mails may go out, and night for others."""

_WITHOUT_CONSENT: Final = 11
"""One of so many never agreed to reminders."""
_WITH_PHONE: Final = 2
"""One of so many gave a number; where there are numbers that nobody has."""


def made_up(profile: ProfileUpdated) -> ProfileUpdated:
    """The profile with a name, a language, a place, a consent and perhaps a number; the same for the same person."""
    chance = int.from_bytes(sha256(profile.person_id.encode()).digest()[:6])
    chance, home_number = divmod(chance, len(HOMES))
    home = HOMES[home_number]
    chance, name_number = divmod(chance, len(home.names))
    agrees = chance % _WITHOUT_CONSENT != 0
    chance //= _WITHOUT_CONSENT
    with_phone = home.phones and chance % _WITH_PHONE == 0
    return replace(
        profile,
        phone=f"{home.phones}{chance // _WITH_PHONE % 100:02d}" if with_phone else None,
        name=home.names[name_number],
        locale=home.locale,
        time_zone=home.time_zone,
        country=home.country,
        consents=(Consent(channel="email", purpose="marketing", given=agrees),),
    )
