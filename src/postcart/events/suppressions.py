"""Contact points that get no messages any more (topic ``suppressions``, compacted; key: see ``suppression_key``).

Owns: the record and its key. Must not: hold a contact point: its opaque id names it.
"""

from typing import Literal

from msgspec import Struct

from postcart.events.jobs import Channel

SuppressionReason = Literal["hard", "soft", "complaint", "stop", "manual"]


class Suppressed(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag_field="type", tag="suppressed"):
    """This contact point is suppressed on this channel; a tombstone lifts it.

    Attributes:
        contact_id: ``events.ids.contact_id`` of the contact point.
        reason: ``complaint`` stops marketing only, all others everything.
        job_id: What brought it about, where a job did.
    """

    contact_id: str
    channel: Channel
    reason: SuppressionReason
    at_ms: int
    job_id: str | None = None
    status: str | None = None


def suppression_key(channel: str, contact_id: str) -> bytes:
    """The record's key, the same for every producer."""
    return f"{channel}:{contact_id}".encode()
