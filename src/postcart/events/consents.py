"""Consent as recorded by the gateway: per person, channel and purpose (topic ``consents``, compacted).

Owns: the record. Must not: judge it.
"""

from msgspec import Struct

from postcart.events.jobs import Channel, Purpose


class ConsentRecorded(Struct, frozen=True, gc=False, kw_only=True, tag_field="type", tag="consent"):
    """The last word on this channel and purpose; from now on the profile's does not count.

    Attributes:
        at_ms: When it was given or taken back.
        evidence: Wording and source.
        double_opt_in: Confirmed from the contact point itself, naming what for.
    """

    person_id: str
    channel: Channel
    purpose: Purpose
    given: bool
    at_ms: int
    evidence: str | None = None
    double_opt_in: bool = False
