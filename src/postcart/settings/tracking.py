"""Settings of parcels.

Owns: the model, and how the levels of a delay are written. Must not: know what they lead to (domain.track).
"""

from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from postcart.settings.values import Group

_AUDIENCES = "customer, operations or customer+operations"


class DelayLevel(Group):
    """Who is told of a delay, so many business days after it was found."""

    after: int
    tell: tuple[Literal["customer", "operations"], ...]

    def __str__(self) -> str:
        return f"{self.after}:{'+'.join(self.tell)}"


def read_levels(value: Any) -> Any:
    """Read ``0:customer+operations, 2:operations`` as a list; anything but text as it is."""
    if not isinstance(value, str):
        return value
    levels = []
    for item in filter(None, (part.strip() for part in value.split(","))):
        after, colon, tell = item.partition(":")
        if not colon or not after.strip().isdigit():
            raise ValueError(f"{item!r}: a level is written DAYS:WHO, WHO being {_AUDIENCES}")
        levels.append({"after": int(after), "tell": [one.strip() for one in tell.split("+")]})
    return levels


def check_levels(levels: tuple[DelayLevel, ...]) -> tuple[DelayLevel, ...]:
    """The first is told when the delay is found, each other one later than the one before it."""
    if not levels or levels[0].after != 0:
        raise ValueError(f"the first level must be told at once, for example 0:{_AUDIENCES.split(' or ')[1]}")
    if any(after.after <= before.after for before, after in pairwise(levels)):
        raise ValueError("each level must come later than the one before it")
    return levels


Levels = Annotated[tuple[DelayLevel, ...], BeforeValidator(read_levels), AfterValidator(check_levels)]


class Tracking(Group):
    """When a parcel is late, and who hears of it. Days are business days of the countries that it goes through."""

    carriers_dir: Path | None = Field(None, description="folder of carriers' words; by default those that are shipped")
    pickup_h: int = Field(72, ge=1, le=720, description="hours from when a parcel is ready to its pickup")
    scan_days: int = Field(3, ge=1, le=60, description="days without a scan, within a country")
    scan_days_abroad: int = Field(5, ge=1, le=60, description="days without a scan, across a border")
    levels: Levels = Field(
        (
            DelayLevel(after=0, tell=("customer", "operations")),
            DelayLevel(after=2, tell=("operations",)),
            DelayLevel(after=5, tell=("customer", "operations")),
        ),
        description="DAYS:WHO, ...: whom a delay is told to, days after it was found",
    )
