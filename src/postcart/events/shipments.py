"""Events of parcels, as they come on shop.shipments.

Owns: their fields, the parcel's key. Must not: know what a carrier's status means (carriers/*.yaml say), or what
an event means for a parcel (domain.track).

The record's key is the carrier, a colon and the normalised tracking number: letters and digits alone, in capitals, as
people and systems put blanks and hyphens wherever they like.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct

from postcart.events.event import Event, Id, Quantity, Text
from postcart.events.ids import namespace_of, uuid5
from postcart.events.times import iso

Carrier = Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9_.-]{0,59}$")]
"""The carrier's short name in lower case: ``ups``, ``dhl-express``."""
TrackingNumber = Annotated[str, Meta(pattern="[0-9A-Za-z]", max_length=100)]
Country = Annotated[str, Meta(pattern="^[A-Z]{2}$")]
Short = Annotated[str, Meta(max_length=200)]
Moment = int | datetime
"""As ``Event.time``."""


class Place(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Where a parcel comes from, goes to, or was seen; what is not known is None.

    Attributes:
        country: ISO 3166.
        region: State or province, as the shop's country writes it.
        site: A warehouse, a seller, a depot: any name that stays the same.
    """

    country: Country | None = None
    region: Short | None = None
    city: Short | None = None
    postal_code: Short | None = None
    site: Short | None = None


class ParcelLine(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """What is in a parcel of an order's lines."""

    variant_id: Id
    quantity: Quantity = 1
    title: Text | None = None


class ShipmentEvent(Event, frozen=True, gc=False, kw_only=True):
    """An event of shop.shipments. Key: ``parcel_key``."""

    carrier: Carrier
    tracking_number: TrackingNumber

    @property
    def parcel_key(self) -> str:
        """The text of the record's key."""
        return parcel_key(self.carrier, self.tracking_number)


class ParcelRegistered(ShipmentEvent, frozen=True, gc=False, kw_only=True, tag="registered", omit_defaults=True):
    """The parcel is this order's and goes to this person. The same again, or newer, corrects what was said.

    Attributes:
        lines: What is in it; empty: not known. Of several parcels of an order each says its own.
        number, count: Parcel ``number`` of ``count`` of the order, where the shop knows.
        ordered_at: When the order was placed: what is promised and learned counts from here.
        ready_at: When it was packed and could be picked up; the event's own time if not said.
        promised_at: What the shop promised. At midnight UTC it is that whole day.
        freight: What the order's delivery cost, in the shop's currency.
    """

    RANK: ClassVar[int] = 0

    order_id: Id
    person_id: Id
    lines: Annotated[tuple[ParcelLine, ...], Meta(max_length=500)] = ()
    number: Quantity | None = None
    count: Quantity | None = None
    origin: Place | None = None
    destination: Place | None = None
    service: Short | None = None
    ordered_at: Moment | None = None
    ready_at: Moment | None = None
    promised_at: Moment | None = None
    freight: Decimal | None = None


class ParcelEstimate(ShipmentEvent, frozen=True, gc=False, kw_only=True, tag="estimate", omit_defaults=True):
    """The carrier expects to deliver at ``estimated_at``, or in the window from there to ``until``.

    At midnight UTC, without ``until``, it is that whole day.
    """

    RANK: ClassVar[int] = 1

    estimated_at: Moment
    until: Moment | None = None


class ParcelStatus(ShipmentEvent, frozen=True, gc=False, kw_only=True, tag="status", omit_defaults=True):
    """The carrier scanned the parcel or said something about it.

    Attributes:
        code, detail: The carrier's or aggregator's own words, for example ``in_transit`` and ``departed_facility``.
        vocabulary: Whose words they are: a file of carriers/; by default the carrier's.
        text: What the carrier wrote for people.
        source: How it got here; one scan that comes both ways has one id (``scan_id``).
    """

    RANK: ClassVar[int] = 2

    code: Short
    detail: Short | None = None
    vocabulary: Carrier | None = None
    text: Text | None = None
    place: Place | None = None
    source: Literal["pushed", "polled"] | None = None


CarrierEvent = ParcelEstimate | ParcelStatus
"""What carriers tell."""
ShipmentEvents = ParcelRegistered | CarrierEvent


def normalised(tracking_number: str) -> str:
    """Letters and digits alone, in capitals."""
    if tracking_number.isascii() and tracking_number.isalnum():  # most are, and this is asked for every record
        return tracking_number.upper()
    return "".join(char for char in tracking_number if char.isascii() and char.isalnum()).upper()


def parcel_key(carrier: str, tracking_number: str) -> str:
    """Under which the parcel's events travel and its row stands."""
    return f"{carrier}:{normalised(tracking_number)}"


def scan_id(key: str, code: str, time: str, place: str) -> str:
    """Id of a scan that may be polled and pushed: over parcel, status, and the carrier's own time and place."""
    return uuid5(namespace_of(key), f"{code}/{time}/{place}")


def carrier_scan_id(key: str, *, code: str, detail: str | None, at_ms: int, place: Iterable[str | None]) -> str:
    """``scan_id`` of what a carrier says, however it came and whichever way it is spelt.

    Args:
        key: The parcel's.
        code: The carrier's own word.
        detail: Its finer one, if any.
        at_ms: The carrier's time.
        place: Country, region, city, postal code, site; None where it says nothing.
    """
    word = f"{code}.{detail}" if detail else code
    return scan_id(key, word.casefold(), iso(at_ms), "/".join((part or "").casefold() for part in place))


def incarnation_id(key: str, registration_id: str) -> str:
    """Id of the parcel that this registration opened: carriers use numbers again."""
    return uuid5(namespace_of(key), registration_id)
