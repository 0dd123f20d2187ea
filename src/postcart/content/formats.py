"""Money, numbers and dates as the recipient writes them.

Owns: the filters that templates use for them. Must not: convert currencies or choose a locale.

Babel's data is Unicode's CLDR. Digits are the Western ones in every language, in one message never mixed: CLDR has
native digits only for symbols here, and Arabic shops use both.
"""

from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache

from babel import Locale
from babel.dates import format_date
from babel.numbers import format_currency, format_decimal, format_percent, get_currency_precision

from postcart.domain.zones import named
from postcart.events.times import from_ms


@lru_cache(maxsize=8192)  # prices come again and again, and a format takes 0.1 ms
def money(amount: Decimal, currency: str, locale: Locale) -> str:
    """``amount`` in the recipient's notation of ``currency``, rounded half to even to the currency's own decimals."""
    exponent = Decimal(1).scaleb(-get_currency_precision(currency))
    rounded = amount.quantize(exponent, rounding=ROUND_HALF_EVEN)
    return format_currency(rounded, currency, locale=locale)


@lru_cache(maxsize=8192)
def number(value: int | Decimal, locale: Locale) -> str:
    """A number with the recipient's separators."""
    return format_decimal(value, locale=locale)


@lru_cache(maxsize=1024)
def percent(value: Decimal, locale: Locale) -> str:
    """A share in percent: ``Decimal(10)`` is ``10 %`` in German, ``10%`` in English."""
    return format_percent(value / 100, locale=locale)


def date(at: datetime, locale: Locale, style: str = "long") -> str:
    """The day of ``at`` in its own zone. ``style`` is CLDR's: short, medium, long, full, or a pattern."""
    return format_date(at.date(), format=style, locale=locale)


def local(at_ms: int, zone: str | None, fallback: str = "UTC") -> datetime:
    """The moment ``at_ms`` in the IANA ``zone``; an unknown one gives ``fallback``."""
    return from_ms(at_ms).astimezone(named(zone) or named(fallback) or UTC)
