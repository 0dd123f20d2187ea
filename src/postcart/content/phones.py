"""Phone numbers: one form for each, where they may be, and redaction.

Owns: reading, E.164, and time zones of numbers (by libphonenumber's data). Must not: ask anybody, or show a number.
"""

import re
from functools import lru_cache

from phonenumbers import (
    NumberParseException,
    PhoneNumber,
    PhoneNumberFormat,
    format_number,
    is_possible_number,
    is_valid_number,
    parse,
)
from phonenumbers.timezone import time_zones_for_number

from postcart.errors import RecipientRejected

_UNKNOWN_ZONE = "Etc/Unknown"
_NUMBER = re.compile(r"\+?\d[\d ()./-]{5,}\d")


def normal_phone(text: str, country: str | None) -> str:
    """A number in E.164 (``+4915112345678``); what is none stays as it is.

    Args:
        text: As people write it.
        country: ISO 3166 code of where a number without a country code belongs.
    """
    found = _read(text, country)
    return text if found is None else format_number(found, PhoneNumberFormat.E164)


def parse_phone(text: str) -> str:
    """The number that ``text`` is, with its country code, in E.164.

    Raises:
        RecipientRejected: It is no number that there can be (status ``5.1.3``, RFC 3463).
    """
    found = _read(text, None)
    if found is None or not is_valid_number(found):
        raise RecipientRejected("the recipient's number is not valid", status="5.1.3") from None
    return format_number(found, PhoneNumberFormat.E164)


@lru_cache(maxsize=8192)
def zones_of_phone(text: str) -> tuple[str, ...]:
    """IANA names of every zone in which a number in E.164 may be; none where that is not known."""
    found = _read(text, None)
    zones = time_zones_for_number(found) if found is not None else ()
    return tuple(zone for zone in zones if zone != _UNKNOWN_ZONE)


def redact_phones(text: str, *numbers: str) -> str:
    """``text`` of a provider without phone numbers: neither those given nor any other."""
    for number in numbers:
        text = text.replace(number, "<number>").replace(number.lstrip("+"), "<number>")
    return _NUMBER.sub("<number>", text)


def _read(text: str, country: str | None) -> PhoneNumber | None:
    try:
        found = parse(text, country)
    except NumberParseException:
        return None
    return found if is_possible_number(found) else None
