"""What can be said of a parcel: one model for all carriers.

Owns: the statuses, their ranks, the reasons of an exception. Must not: know a carrier's words (carriers/*.yaml do).
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from postcart.events.milestones import Reason, Status

RANKS: Final[Mapping[Status, int]] = {
    "pending": 1,
    "info_received": 2,
    "picked_up": 3,
    "in_transit": 4,
    "out_for_delivery": 5,
    "attempt_failed": 6,
    "available_for_pickup": 7,
    "delivered": 8,
    "returned": 9,
}
"""The line that a parcel goes along; what is told of it only goes up. ``exception`` and ``expired`` are beside it."""
BESIDE: Final = 0
PICKED_UP: Final = RANKS["picked_up"]
"""From here on a scan says that the parcel moved."""
DELIVERED: Final = RANKS["delivered"]
RETURNED: Final = RANKS["returned"]


class Meaning(NamedTuple):
    """What a carrier's word means."""

    status: Status
    reason: Reason | None = None


def rank(status: Status) -> int:
    """Its place on the line; 0 beside it."""
    return RANKS.get(status, BESIDE)
