"""What employees are to know: parcels in trouble, orders that nobody packs (topic ``alerts``, key: ``dedup_key``).

Owns: the record and its key. Must not: know who gets it, or how (their senders do).

An alert is deduplicated twice: the same ``alert_id`` again is a repeat; alerts of one ``dedup_key`` are one trouble, of
which a higher ``level`` is news, and which is over with ``resolved``.
"""

from datetime import datetime
from typing import Literal
from uuid import UUID

from msgspec import Struct

from postcart.events.ids import uuid5
from postcart.events.milestones import Reason, Status

AlertKind = Literal["stock", "fulfilment_delay", "delivery_trouble", "system"]


class Alert(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag_field="type", tag="alert"):
    """Something that an employee is to look at.

    Attributes:
        alert_id: The same for the same occurrence.
        dedup_key: The trouble that it is about.
        cause: What is wrong, from a closed set: a delay's rule, a parcel's status, ``not_handed_over``.
        level: 1 when it is found; higher while it lasts.
        since: From when on something was waited for.
        resolved: It is over.
        person_id: Opaque; never a contact point.
        variant_id: Of ``stock``.
    """

    alert_id: str
    kind: AlertKind
    dedup_key: str
    at: datetime
    cause: str
    level: int = 1
    resolved: bool = False
    order_id: str | None = None
    parcel_id: str | None = None
    carrier: str | None = None
    tracking_number: str | None = None
    status: Status | None = None
    reason: Reason | None = None
    since: datetime | None = None
    person_id: str | None = None
    variant_id: str | None = None


def alert_id(about: UUID, cause: str) -> str:
    """Id of an alert that no record of TRACK names."""
    return uuid5(about, f"alert/{cause}")
