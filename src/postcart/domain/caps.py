"""How often a person may get marketing messages: over rolling windows, by channel and in all.

Owns: the caps and the first moment that they allow. Must not: know what was sent (the caller says), or quiet hours.
"""

from collections.abc import Collection, Mapping

from msgspec import Struct, field

from postcart.events.jobs import Channel
from postcart.events.times import DAY_MS, HOUR_MS


class Reserved(Struct, frozen=True, gc=False, array_like=True):
    """A marketing message that counts: when it was due, and on which channel."""

    channel: Channel
    at_ms: int


class Caps(Struct, frozen=True, gc=False, kw_only=True):
    """Defaults: spec 4.3.

    Attributes:
        between_ms: By channel, so long after a message before the next; exactly so long is long enough.
        day_most: Messages over all channels in any 24 hours; 0: no such cap.
    """

    between_ms: Mapping[Channel, int] = field(default_factory=lambda: {"email": 16 * HOUR_MS, "sms": 24 * HOUR_MS})
    day_most: int = 7


def allowed_ms(at_ms: int, channel: Channel, sent: Collection[Reserved], caps: Caps) -> int:
    """The first moment at or after ``at_ms`` at which one more message on this channel keeps the caps. Idempotent.

    ``sent``: what counts, in any order, at any time: a message that is due later than ``at_ms`` counts as well.
    """
    allowed = at_ms
    between_ms = caps.between_ms.get(channel, 0)
    own = [one.at_ms for one in sent if one.channel == channel]
    if own and between_ms:
        allowed = max(allowed, max(own) + between_ms)
    if caps.day_most:
        times = sorted((one.at_ms for one in sent), reverse=True)[: caps.day_most]
        if len(times) == caps.day_most:
            allowed = max(allowed, times[-1] + DAY_MS)
    return allowed
