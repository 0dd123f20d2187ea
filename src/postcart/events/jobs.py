"""Render-and-send jobs, claims, and receipts.

Owns: the records between JOURNEY and the senders. Must not: carry contact points in clear (they are looked up at
the claim), or know a provider.
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from postcart.events.milestones import DelayRule, Expected, Reason, Status
from postcart.events.shipments import ParcelLine, Place
from postcart.events.shop import CartLine
from postcart.events.signals import LineState
from postcart.events.times import DAY_MS

Channel = Annotated[str, Meta(pattern="^[a-z][a-z0-9]{1,15}$")]
"""Name of a channel. Which there are is configuration (``channels``); see wiring.channels."""
CHANNELS: Final[tuple[Channel, ...]] = ("email", "sms", "push", "inapp", "webhook")
"""Those that Postcart knows of itself."""
Purpose = Literal["marketing", "transactional"]
SuppressReason = Literal[
    "ordered",
    "emptied",
    "returned",
    "merged",
    "superseded",
    "paid",
    "cancelled",
    "expired",
    "no_consent",
    "no_contact",
    "suppressed_address",
    "out_of_stock",
    "not_after",
    "too_old",
]
Outcome = Literal["accepted", "not_accepted", "rejected", "uncertain", "suppressed"]


class Incentive(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """What a step offers, as its campaign said when the episode opened.

    Attributes:
        value: Per cent for ``percent``, money in ``currency`` for ``amount``; unused for ``free_shipping``.
        code: To be entered at the checkout; None if the shop applies it by itself.
        valid_ms: From the message's date on.
    """

    kind: Literal["free_shipping", "percent", "amount"]
    value: Decimal = Decimal(0)
    currency: str | None = None
    code: str | None = None
    valid_ms: int = 3 * DAY_MS


class OrderFacts(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """What a message about an order can say.

    Attributes:
        lines: At most ten; ``more_lines`` were left out.
        total: What was to be paid; ``amount``: what was given back.
        expected: When the order is thought to arrive, as far as that is known.
    """

    order_id: str
    placed_ms: int | None = None
    lines: tuple[CartLine, ...] = ()
    more_lines: int = 0
    total: Decimal | None = None
    amount: Decimal | None = None
    currency: str | None = None
    expected: Expected | None = None


class ParcelFacts(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """What a message about a parcel can say. As in ``events.milestones``; what is not known is left out.

    Attributes:
        lines: At most ten; ``more_lines`` were left out.
        previous: What was told, or promised, before; ``late``: it is now later than promised.
        rule, level, since: Of a delay.
    """

    parcel_id: str
    order_id: str
    carrier: str
    tracking_number: str
    number: int | None = None
    count: int | None = None
    service: str | None = None
    lines: tuple[ParcelLine, ...] = ()
    more_lines: int = 0
    status: Status | None = None
    reason: Reason | None = None
    attempts: int = 0
    place: Place | None = None
    expected: Expected | None = None
    previous: datetime | None = None
    late: bool = False
    rule: DelayRule | None = None
    level: int = 0
    since: datetime | None = None


class Job(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """One message to render and send on one channel (jobs.CHANNEL.PURPOSE, key: person_id).

    A message about an order or a parcel has their id for ``episode_id``, step 0, and its occasion for ``journey``.

    Attributes:
        job_id: uuid5 over episode, step, the end that armed it and the channel; or over parcel or order, occasion,
            occurrence and channel. Message-ID or idempotency key.
        attempt: From 1. Attempt n+1 exists only after ``not_accepted`` of attempt n.
        revision: 0 as JOURNEY made it; an edited redrive counts on. Refused once the job was accepted or is uncertain.
        armed_ms: When the episode was armed: only stops after it concern this job.
        known_from_ms: When its visitor was identified, if the arming lies before that: only stops after it do; else 0.
        due_ms: When it was due, after deferral; ``not_after_ms``: it is never sent later than this.
        lines: The united lines, as to be shown.
        order, parcel: What a message about them can say.
    """

    job_id: str
    person_id: str
    episode_id: str
    step: int
    channel: Channel
    purpose: Purpose
    campaign: str
    campaign_version: str
    journey: str
    template: str
    armed_ms: int
    planned_ms: int
    due_ms: int
    not_after_ms: int
    attempt: int = 1
    revision: int = 0
    priority: int = 0
    incentive: Incentive | None = None
    lines: tuple[LineState, ...] = ()
    value: Decimal | None = None
    currency: str | None = None
    order: OrderFacts | None = None
    parcel: ParcelFacts | None = None
    known_from_ms: int = 0

    @property
    def heeds_from_ms(self) -> int:
        """Stops of a cart after this concern the job."""
        return max(self.armed_ms, self.known_from_ms)


class Claim(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """A sender's durable word that it is about to send (claims.CHANNEL, key: job_id, the job's partition number).

    Attributes:
        state: ``claimed`` opens the socket; ``released`` by ``not_accepted``; ``settled`` for good.
        at_ms: Real wall time.
        outcome: Of ``settled``; of ``released`` it is ``not_accepted`` where only the next attempt may be claimed, and
            None where this one may (nothing was handed to a provider, or it is to be sent once more).
        offset: Of the job's record in its topic, to find it again.
        resent: An earlier send of the job ended without an answer: another such end is final.
        revision: The job's.
        provider: Which is asked, or was; after ``resent`` no other one is.
    """

    job_id: str
    person_id: str
    episode_id: str
    step: int
    attempt: int
    state: Literal["claimed", "released", "settled"]
    at_ms: int
    purpose: Purpose = "marketing"
    outcome: Outcome | None = None
    offset: int | None = None
    resent: bool = False
    revision: int = 0
    provider: str | None = None


class Receipt(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag_field="type", tag="receipt"):
    """What became of an attempt (topic ``receipts``, key: person_id). ``accepted`` overrides ``uncertain``.

    Attributes:
        contact_id: Of the contact point that was used, where one was.
        gone: Of contact points, of several, that the provider knows no more.
        reason: Of ``suppressed``.
        not_before_ms: Of ``not_accepted``: when the provider may be asked again.
        status: The provider's code, ``detail`` its text without addresses.
    """

    job_id: str
    person_id: str
    episode_id: str
    step: int
    channel: Channel
    purpose: Purpose
    attempt: int
    outcome: Outcome
    at_ms: int
    reason: SuppressReason | None = None
    not_before_ms: int | None = None
    provider: str | None = None
    contact_id: str | None = None
    gone: tuple[str, ...] = ()
    status: str | None = None
    detail: str | None = None


ReportKind = Literal["delivered", "hard", "soft", "policy", "complaint", "other"]


class DeliveryReport(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag_field="type", tag="report"):
    """What came back after a provider had accepted (topic ``receipts``, key: person_id): a bounce, a complaint.

    Attributes:
        report_id: uuid5 over the job and what was said: the same report read twice is one.
        kind: ``hard`` suppresses the contact point at once, as ``complaint`` does for marketing; ``soft`` after five in
            a row; ``policy`` is for operators alone.
        source: Where it came from, for example ``dsn``, ``arf`` or a provider's name.
        status: Enhanced status code (RFC 3463) or the provider's code; ``detail`` its text without addresses.
    """

    report_id: str
    job_id: str
    person_id: str
    channel: Channel
    kind: ReportKind
    at_ms: int
    source: str
    status: str | None = None
    detail: str | None = None


ReceiptRecord = Receipt | DeliveryReport
"""Everything on the topic ``receipts``."""
