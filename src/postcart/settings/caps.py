"""Settings of how often a person may get marketing messages.

Owns: the model, and how durations by channel are written. Must not: know what they lead to (domain.caps).
"""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from postcart.settings.values import Group

_HOURS_MOST = 31 * 24
"""What was sent is remembered for 31 days."""


class ChannelGap(Group):
    """So many hours between two messages on a channel."""

    channel: str
    hours: int = Field(ge=0, le=_HOURS_MOST)

    def __str__(self) -> str:
        return f"{self.channel}={self.hours}"


def read_gaps(value: Any) -> Any:
    """Read ``email=16, sms=24`` as a list; anything but text as it is."""
    if not isinstance(value, str):
        return value
    gaps = []
    for item in filter(None, (part.strip() for part in value.split(","))):
        match = re.fullmatch(r"([a-z][a-z0-9]{1,15})\s*=\s*(\d{1,4})", item)
        if match is None:
            raise ValueError(f"{item!r}: a gap is written CHANNEL=HOURS, for example email=16")
        gaps.append({"channel": match[1], "hours": int(match[2])})
    return gaps


def check_gaps(gaps: tuple[ChannelGap, ...]) -> tuple[ChannelGap, ...]:
    """Each channel once."""
    names = [gap.channel for gap in gaps]
    if len(set(names)) < len(names):
        raise ValueError(f"each channel once, found {', '.join(names)}")
    return gaps


Gaps = Annotated[tuple[ChannelGap, ...], BeforeValidator(read_gaps), AfterValidator(check_gaps)]


class Frequency(Group):
    """How often a person may get marketing messages, over rolling windows; messages about orders are not counted."""

    between_h: Gaps = Field(
        (ChannelGap(channel="email", hours=16), ChannelGap(channel="sms", hours=24)),
        description="CHANNEL=HOURS, ...: so long after one message on a channel before the next",
    )
    day_most: int = Field(7, ge=0, le=1000, description="messages in any 24 hours, over all channels; 0: no such cap")
