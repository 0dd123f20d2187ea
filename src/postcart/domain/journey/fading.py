"""What of a person no rule can need any more.

Owns: when each part of the row is dropped, and when the whole row is. Must not: decide anything by what it drops.
"""

from postcart.domain.journey import shipping
from postcart.domain.journey.mailing import forget
from postcart.domain.journey.person import EPISODE_LIFE_MS, Person


def fade(person: Person, clock_ms: int) -> bool:
    """Forget what no rule can need any more; returns whether anything is left."""
    horizon_ms = clock_ms - EPISODE_LIFE_MS
    if person.sent and min(person.sent.values()) <= horizon_ms:
        person.sent = {job: at_ms for job, at_ms in person.sent.items() if at_ms > horizon_ms}
    if person.reserved:
        person.reserved = {job: one for job, one in person.reserved.items() if one.at_ms > horizon_ms}
    if person.rejected:
        person.rejected = {job: at_ms for job, at_ms in person.rejected.items() if at_ms > horizon_ms}
        if person.cancelled:
            kept = person.outstanding.keys() | person.rejected.keys()
            person.cancelled = {job: stop for job, stop in person.cancelled.items() if job in kept}
    if person.ordered_ms and person.ordered_ms <= horizon_ms:
        person.ordered_ms = 0
    if person.mailed:
        forget(person.mailed, clock_ms)
    if person.orders or person.parcels:
        shipping.forget(person.orders, person.parcels, clock_ms)
    if person.silent:
        person.silent = {channel: at_ms for channel, at_ms in person.silent.items() if at_ms > horizon_ms}
    return bool(
        person.pending
        or person.devices
        or person.episode
        or person.outstanding
        or person.hints
        or person.sent
        or person.reserved
        or person.rejected
        or person.mailed
        or person.ordered_ms
        or person.profile
        or person.known
        or person.consents
        or person.orders
        or person.parcels
        or person.errands
    )
