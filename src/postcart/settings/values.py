"""Small types of settings, and their one-line forms for environment variables.

Owns: how a band, a season or a list is written in one line. Must not: know which settings there are.
"""

import base64
import binascii
import json
import re
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, SecretStr, model_validator

_ADDRESS = re.compile(r"[^\s,:]+:\d{1,5}|\[[0-9a-fA-F:]+\]:\d{1,5}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_COUNTRY = re.compile(r"[A-Z]{2}")
_CHANNEL = re.compile(r"[a-z][a-z0-9]{1,15}(=[A-Za-z_][\w.]*)?")
_MASTER_KEY_BYTES = 32


class Group(BaseModel):
    """Base of all settings models: frozen, and no name that isn't known."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True)


class Band(Group):
    """A range of cart values: those below ``below``, and not below the band before it. ``None``: no end."""

    name: str
    below: Decimal | None = None

    def __str__(self) -> str:
        return self.name if self.below is None else f"{self.name}<{self.below}"


class Season(Group):
    """A range of days, UTC, first and last included."""

    first: date
    last: date

    def __str__(self) -> str:
        return f"{self.first}..{self.last}"

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.last < self.first:
            raise ValueError(f"ends ({self.last}) before it begins ({self.first})")
        return self


def lines(value: Any) -> Any:
    """Read ``a | b | c`` as a list; anything else as it is. For texts that hold commas themselves."""
    return [part.strip() for part in value.split("|") if part.strip()] if isinstance(value, str) else value


def _items(value: str) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()]


def read_bands(value: Any) -> Any:
    """Read ``low<50, medium<200, high`` as a list of bands; anything but text as it is."""
    if not isinstance(value, str) or value.lstrip().startswith("["):
        return json.loads(value) if isinstance(value, str) else value
    bands = []
    for item in _items(value):
        name, _, below = item.partition("<")
        bands.append({"name": name.strip(), "below": below.strip() or None})
    return bands


def check_bands(bands: tuple[Band, ...]) -> tuple[Band, ...]:
    """Bounds rise, and only the last band has none."""
    if not bands or bands[-1].below is not None or any(band.below is None for band in bands[:-1]):
        raise ValueError("every band but the last needs a bound, the last must have none: low<50, medium<200, high")
    bounds = [band.below for band in bands[:-1] if band.below is not None]
    if any(after <= before for before, after in pairwise(bounds)):
        raise ValueError("the bounds must rise")
    return bands


def read_seasons(value: Any) -> Any:
    """Read ``2026-11-20..2026-12-26, 2027-01-02..2027-01-10`` as a list; anything but text as it is."""
    if not isinstance(value, str) or value.lstrip().startswith("["):
        return json.loads(value) if isinstance(value, str) else value
    seasons = []
    for item in _items(value):
        first, dots, last = item.partition("..")
        if not dots:
            raise ValueError(f"{item!r}: a season is written FIRST..LAST, for example 2026-11-20..2026-12-26")
        seasons.append({"first": first.strip(), "last": last.strip()})
    return seasons


def read_names(value: Any) -> Any:
    """Read ``email, sms, letter=shop.letters`` as a list; anything but text as it is."""
    if not isinstance(value, str) or value.lstrip().startswith("["):
        return json.loads(value) if isinstance(value, str) else value
    return [part.strip() for part in value.replace("|", ",").split(",") if part.strip()]


def check_channels(value: tuple[str, ...]) -> tuple[str, ...]:
    """``NAME``, or ``NAME=MODULE`` for a channel of one's own; names differ."""
    for one in value:
        if not _CHANNEL.fullmatch(one):
            raise ValueError(
                f"{one!r}: write NAME, or NAME=MODULE for a channel of your own; NAME is letters and digits"
            )
    names = [one.partition("=")[0] for one in value]
    if len(set(names)) < len(names) or not names:
        raise ValueError("name at least one channel, and each once")
    return value


def check_bootstrap(value: str) -> str:
    """``host:port``, several separated by commas."""
    addresses = _items(value)
    if not addresses or not all(_ADDRESS.fullmatch(address) for address in addresses):
        raise ValueError(f"{value!r}: write host:port, several separated by commas")
    return ",".join(addresses)


def check_currency(value: str) -> str:
    """An ISO 4217 code."""
    if not _CURRENCY.fullmatch(value):
        raise ValueError(f"{value!r}: write the three capital letters of ISO 4217, for example EUR")
    return value


def check_country(value: str) -> str:
    """An ISO 3166 code of two letters."""
    if not _COUNTRY.fullmatch(value):
        raise ValueError(f"{value!r}: write the two capital letters of ISO 3166, for example DE")
    return value


def check_web_address(value: str) -> str:
    """An ``http`` or ``https`` address."""
    if not re.fullmatch(r"https?://[^\s/]+\S*", value):
        raise ValueError(f"{value!r}: write an address that begins with https://")
    return value.rstrip("/")


def check_time_zone(value: str) -> str:
    """A zone of the IANA database."""
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # a folder of zones is an OSError
        raise ValueError(f"{value!r}: write a name of the IANA database, for example Europe/Berlin") from error
    return value


def check_read_model_url(value: SecretStr) -> SecretStr:
    """Where the read model is; the message does not show it, as there may be a password in it."""
    if not re.fullmatch(r"(postgres(ql)?://|sqlite:///)\S+", value.get_secret_value()):
        raise ValueError("write postgresql://USER:PASSWORD@HOST/DATABASE, or sqlite:///FILE")
    return value


def check_https(value: str) -> str:
    """An ``https`` address."""
    if not value.startswith("https://"):
        raise ValueError(f"{value!r}: must begin with https://")
    return check_web_address(value)


def check_mail_address(value: str) -> str:
    """One plain mail address, without a name."""
    if not re.fullmatch(r"[^\s@<>,]+@[^\s@<>,]+\.[^\s@<>,.]+", value):
        raise ValueError(f"{value!r}: write one plain address, for example shop@shop.example")
    return value


def check_domain(value: str) -> str:
    """A domain of mail addresses, in ASCII."""
    if not re.fullmatch(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]", value.lower()):
        raise ValueError(f"{value!r}: write a domain, for example bounces.shop.example")
    return value.lower()


def check_master_key(value: SecretStr) -> SecretStr:
    """32 bytes in base64."""
    master_key_bytes(value)
    return value


def master_key_bytes(value: SecretStr) -> bytes:
    """Return the key itself.

    Raises:
        ValueError: It is not 32 bytes in base64; the message does not show it.
    """
    try:
        key = base64.b64decode(value.get_secret_value(), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != _MASTER_KEY_BYTES:
        raise ValueError(f"must be {_MASTER_KEY_BYTES} bytes in base64: openssl rand -base64 {_MASTER_KEY_BYTES}")
    return key


def check_webhook_secret(value: SecretStr) -> SecretStr:
    """As Standard Webhooks write it."""
    webhook_key(value)
    return value


def webhook_key(value: SecretStr) -> bytes:
    """Return the key of a secret of Standard Webhooks: ``whsec_`` and 24 to 64 bytes in base64.

    Raises:
        ValueError: It is none; the message does not show it.
    """
    text, prefix, least, most = value.get_secret_value(), "whsec_", 24, 64
    try:
        key = base64.b64decode(text.removeprefix(prefix), validate=True)
    except binascii.Error:
        key = b""
    if not text.startswith(prefix) or not least <= len(key) <= most:
        raise ValueError('must be whsec_ and 24 to 64 bytes in base64: echo "whsec_$(openssl rand -base64 32)"')
    return key


def check_long_enough(value: SecretStr) -> SecretStr:
    """16 characters at least."""
    minimum = 16
    if len(value.get_secret_value()) < minimum:
        raise ValueError(f"must have {minimum} characters at least: openssl rand -base64 32")
    return value


Bootstrap = Annotated[str, AfterValidator(check_bootstrap)]
Currency = Annotated[str, AfterValidator(check_currency)]
Country = Annotated[str, AfterValidator(check_country)]
WebAddress = Annotated[str, AfterValidator(check_web_address)]
HttpsAddress = Annotated[str, AfterValidator(check_https)]
TimeZone = Annotated[str, AfterValidator(check_time_zone)]
MailAddress = Annotated[str, AfterValidator(check_mail_address)]
DomainName = Annotated[str, AfterValidator(check_domain)]
Channels = Annotated[tuple[str, ...], BeforeValidator(read_names), AfterValidator(check_channels)]
Lines = Annotated[tuple[str, ...], BeforeValidator(lines)]
Bands = Annotated[tuple[Band, ...], BeforeValidator(read_bands), AfterValidator(check_bands)]
Seasons = Annotated[tuple[Season, ...], BeforeValidator(read_seasons)]
ReadModelUrl = Annotated[SecretStr, AfterValidator(check_read_model_url)]
MasterKey = Annotated[SecretStr, AfterValidator(check_master_key)]
Secret = Annotated[SecretStr, AfterValidator(check_long_enough)]
WebhookSecret = Annotated[SecretStr, AfterValidator(check_webhook_secret)]
