"""What a carrier is to be asked (topic ``polls``, key: the parcel's, as on shop.shipments).

Owns: the record. Must not: know how a carrier is asked, or what it answers.
"""

from msgspec import Struct

from postcart.events.shipments import Carrier, TrackingNumber, parcel_key


class PollRequest(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag_field="type", tag="poll"):
    """Ask the carrier now where the parcel is. Asked twice it comes to the same.

    Attributes:
        parcel_id: Of the incarnation.
        round: How often it was asked before.
        at_ms: TRACK's clock.
        since_ms: Scans before are another parcel's: carriers use numbers again.
    """

    parcel_id: str
    carrier: Carrier
    tracking_number: TrackingNumber
    round: int = 0
    at_ms: int
    since_ms: int = 0

    @property
    def parcel_key(self) -> str:
        """The text of the record's key."""
        return parcel_key(self.carrier, self.tracking_number)
