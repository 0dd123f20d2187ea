"""What the gate knows: of each person, and how far that was read (topic ``gate``).

Owns: the records by which JOURNEY tells senders whom not to write to any more. Must not: carry contact points in clear
(they are sealed for their person), or decide.
"""

from typing import Literal

from msgspec import Struct

from postcart.events.jobs import Channel, Purpose

StopReason = Literal["ordered", "emptied", "returned", "merged", "expired", "superseded", "paid", "cancelled"]


class Stop(Struct, frozen=True, gc=False, array_like=True):
    """Something that stops jobs: it happened at ``at_ms`` (event time)."""

    reason: StopReason
    at_ms: int


class GateConsent(Struct, frozen=True, gc=False, array_like=True):
    """Consent for a channel and purpose; no record means no consent."""

    channel: Channel
    purpose: Purpose
    given: bool


class GatePerson(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag_field="type", tag="person"):
    """What senders need of a person (topic ``gate``, compacted, key: person_id).

    Attributes:
        contacts: Contact point per channel, sealed for this person (see adapters.vault), base64 text. Several of one
            channel stand one after the other, with blanks between them.
        contact_ids: Per channel the opaque id of that contact point (events.ids.contact_id): what suppressions name.
            Of several in the same order as these.
        name: Sealed like a contact point; None if unknown.
        stops: The latest stop of each reason; stops a cart job that was armed before it.
        hints: Returns and clears told ahead of their place in event time: a cart job that was armed before them waits
            until they have become stops, or are gone.
        cancelled: Stops of single jobs.
        unconfirmed: What the profile agrees to, as "channel/purpose", that the contact point has still to confirm.
    """

    person_id: str
    contacts: dict[str, str] = {}
    contact_ids: dict[str, str] = {}
    name: str | None = None
    locale: str | None = None
    time_zone: str | None = None
    country: str | None = None
    consents: tuple[GateConsent, ...] = ()
    stops: tuple[Stop, ...] = ()
    hints: tuple[Stop, ...] = ()
    cancelled: dict[str, Stop] = {}
    unconfirmed: tuple[str, ...] = ()


class GateProgress(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag_field="type", tag="progress"):
    """How far JOURNEY is on this partition, in *real* wall time (ms): what was appended before that is in the gate.

    Attributes:
        orders_read_ms: Orders, consents and profiles had been read to their high watermarks.
        carts_read_ms: All of DETECT's tasks had read sessions and carts, and JOURNEY what they told; 0 while they have
            told nothing, None where it is not told: in a replay.
    """

    partition: int
    orders_read_ms: int
    carts_read_ms: int | None = None


GateRecord = GatePerson | GateProgress
