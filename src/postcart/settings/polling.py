"""Settings of asking carriers that push nothing.

Owns: the models, and how carriers and addresses are written. Must not: know what they lead to (wiring.polling).
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from postcart.settings.messaging import PROVIDER_NAME, check_api_address, check_names
from postcart.settings.values import Group, read_names

EVERY: Final = "*"
"""Stands for all carriers that no other source names."""

_CARRIER = re.compile(r"\*|[a-z0-9][a-z0-9_.-]{0,59}(=[A-Za-z0-9_.-]{1,60})?")
_PLACEHOLDERS: Final = frozenset({"carrier", "tracking_number"})


def check_carriers(value: tuple[str, ...]) -> tuple[str, ...]:
    """``NAME``, ``NAME=THEIRS``, or ``*``; each once."""
    for one in value:
        if not _CARRIER.fullmatch(one):
            raise ValueError(f"{one!r}: write a carrier's name in small letters, NAME=THEIRS, or *")
    names = [one.partition("=")[0] for one in value]
    if len(set(names)) < len(names):
        raise ValueError("name each carrier once")
    return value


def check_address_form(value: str) -> str:
    """An address with ``{tracking_number}``, and ``{carrier}`` if wanted, behind the host."""
    names = re.findall(r"\{(.*?)\}", value)
    if unknown := sorted(set(names) - _PLACEHOLDERS):
        raise ValueError(f"{{{unknown[0]}}} is not known; known are {{carrier}} and {{tracking_number}}")
    if "tracking_number" not in names:
        raise ValueError("say where the number goes: {tracking_number}")
    head = value.partition("://")[2].partition("/")[0]
    if "{" in head or "?" in head:
        raise ValueError("{carrier} and {tracking_number} go behind the host: https://HOST/...")
    check_api_address(value)
    return value


PolledCarriers = Annotated[tuple[str, ...], BeforeValidator(read_names), AfterValidator(check_carriers)]
AddressForm = Annotated[str, AfterValidator(check_address_form)]


class PollSource(Group):
    """Somebody who is asked where parcels are: a carrier, or one that knows many."""

    name: str = Field("carrier", pattern=PROVIDER_NAME, description="for metrics and logs")
    carriers: PolledCarriers = Field(
        (), description="those that push nothing: NAME, NAME=THEIRS where the source has another name, * for the rest"
    )
    url: AddressForm | None = Field(
        None, description="https address with {tracking_number}, and {carrier} if wanted; asked by GET"
    )
    answer: str | None = Field(
        None,
        pattern=r"^[a-z0-9][a-z0-9_.-]{0,59}$",
        description="how answers are read: easypost, shippo, or another file of carriers/answers",
    )
    vocabulary: str | None = Field(
        None, description="file of carriers/ that says what statuses mean; by default the one that the answer names"
    )
    header: str = Field("Authorization", pattern=r"^[A-Za-z0-9-]{1,60}$", description="that holds the secret")
    secret: SecretStr | None = Field(
        None, description="whole value of that header, for example ShippoToken shippo_live_..., or Basic ..."
    )
    rate_per_s: float = Field(5.0, gt=0, le=10_000, description="most questions a second")
    connections: int = Field(4, ge=1, le=1000, description="most questions at a time")
    timeout_s: float = Field(10.0, gt=0, le=30, description="seconds for an answer")
    probe_s: float = Field(60.0, gt=0, le=3600, description="seconds between tries while it is out of order")
    ca_file: Path | None = Field(None, description="PEM file of an own authority; else the system's are trusted")

    def __str__(self) -> str:
        return f"{self.name}={','.join(self.carriers)}"

    @property
    def is_on(self) -> bool:
        """Whether anything is asked there."""
        return bool(self.carriers)


class Polling(PollSource):
    """Carriers that push nothing are asked, each parcel on its way (`postcart worker poll`)."""

    more: tuple[PollSource, ...] = Field((), description="further sources, each with a name: a list, or JSON of one")
    interval_s: int = Field(1800, ge=1, le=86_400, description="between two questions about a parcel")
    longest_s: int = Field(
        14_400, ge=1, le=604_800, description="to which that grows while nothing is new, by half each time"
    )

    @property
    def sources(self) -> tuple[PollSource, ...]:
        """Those where anything is asked."""
        return tuple(one for one in (self, *self.more) if one.is_on)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        problems = list(_problems((self, *self.more)))
        if self.longest_s < self.interval_s:
            problems.append(f"longest_s ({self.longest_s}) is shorter than interval_s ({self.interval_s})")
        if problems:
            raise ValueError("; ".join(problems))
        return self


def _problems(sources: tuple[PollSource, ...]) -> Iterator[str]:
    for one in sources:
        missing = [name for name, value in (("url", one.url), ("answer", one.answer)) if value is None]
        if one.is_on and missing:
            yield f"{one.name} also needs {' and '.join(missing)}"
        elif not one.is_on and (len(missing) < 2 or one.secret is not None):  # noqa: PLR2004 -- url and answer
            yield f"{one.name} asks about nobody: set its carriers"
    on = [one for one in sources if one.is_on]
    try:
        check_names([one.name for one in on])
    except ValueError as error:
        yield str(error)
    yield from (f"{carrier} is asked at two sources" for carrier in _twice(_carriers(on)))


def _carriers(sources: Iterable[PollSource]) -> list[str]:
    return [carrier.partition("=")[0] for one in sources for carrier in one.carriers]


def _twice(names: list[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})
