"""What JOURNEY keeps of a person: one row.

Owns: the row's fields and its next deadline. Must not: decide anything from them.
"""

from msgspec import Struct, field

from postcart.domain.campaign import Journey, Mobile, QuietHours
from postcart.domain.caps import Reserved
from postcart.domain.journey import shipping
from postcart.domain.journey.mailing import Mailing, forgotten_ms
from postcart.events.gate import Stop
from postcart.events.jobs import Channel, DeliveryReport, Job
from postcart.events.shop import Event, OrderEvents, ProfileUpdated, time_ms
from postcart.events.signals import (
    AbandonmentRecovered,
    LinesChanged,
    LineState,
    VisitEnded,
    VisitorForgotten,
    VisitStarted,
)
from postcart.events.suppressions import SuppressionReason
from postcart.events.times import DAY_MS

FOR_EVER = 1 << 62
EPISODE_LIFE_MS = 31 * DAY_MS
"""An episode expires this long after its opening; so long are orders and former visitors' lines remembered too."""

Happening = (
    VisitStarted | LinesChanged | VisitEnded | AbandonmentRecovered | VisitorForgotten | OrderEvents | ProfileUpdated
)
"""What is folded for a person, in the order of ``happening_key``."""


class Device(Struct, gc=False, kw_only=True, omit_defaults=True):
    """One visitor of the person.

    Attributes:
        lines: Last change per variant, removed ones included.
        left_ms: When it stopped being this person's; 0 while it is.
    """

    lines: dict[str, LineState] = field(default_factory=dict)
    in_session: bool = False
    left_ms: int = 0


class StepState(Struct, gc=False, kw_only=True, omit_defaults=True):
    """Where a step of the open episode stands.

    Attributes:
        planned_ms: Before deferral; 0 while it is not planned.
        next_ms: When it is to be looked at: ``planned_ms``, or later by quiet hours.
        job_id: Once it became due: its job. Counts as sent until a receipt says otherwise.
    """

    planned_ms: int = 0
    next_ms: int = 0
    job_id: str | None = None

    @property
    def pending(self) -> bool:
        """Planned, and neither due nor cancelled."""
        return self.planned_ms != 0 and self.job_id is None


class Pinning(Struct, gc=False, kw_only=True, omit_defaults=True):
    """An episode opened while other devices were in a session: which journey it pins is known once they told.

    Attributes:
        at_ms: The moment of the opening.
        sequence: Of the changes at that very moment, those up to this sequence came before the opening.
        ordered_ms: The latest order at that moment; what it took does not count.
        devices: Lines of each device at the opening, as far as they are known.
        waiting: Devices whose session at the opening has not ended yet.
    """

    at_ms: int
    sequence: int
    ordered_ms: int
    devices: dict[str, dict[str, LineState]]
    waiting: list[str]


class Episode(Struct, gc=False, kw_only=True, omit_defaults=True):
    """One abandoned cart of the person, over all devices, with what it pinned of its campaign.

    Attributes:
        armed_ms: The latest arming; 0 while nothing was armed.
        armed_by: Id of the end that armed it.
        known_from_ms: When its visitor was identified, if the arming lies before that; else 0.
        pinning: While the journey is not yet pinned for good; nothing is armed as long.
        mobile: Opened by a mobile session that ended abruptly: what goes over one more channel.
        texted: A text message about this cart was sent off: there is no second one.
    """

    episode_id: str
    opened_ms: int
    campaign: str
    version: str
    journey: Journey
    steps: list[StepState]
    quiet_hours: QuietHours | None = None
    last_step_ms: int = DAY_MS
    armed_ms: int = 0
    armed_by: str = ""
    known_from_ms: int = 0
    pinning: Pinning | None = None
    mobile: Mobile | None = None
    texted: bool = False


class Outstanding(Struct, gc=False, kw_only=True, omit_defaults=True):
    """A job without a final receipt. ``retry_ms``: when JOURNEY sends it again; 0 while the sender has it."""

    job: Job
    retry_ms: int = 0

    @property
    def is_cart(self) -> bool:
        """Whether it is a cart's; else it is about an order or a parcel, and by the shipping clock."""
        return self.job.purpose == "marketing"


class Person(Struct, gc=False, kw_only=True, omit_defaults=True):
    """A person: devices, open episode, orders, what was sent, profile, and what is not yet folded.

    Attributes:
        refused: Episodes closed at their opening by the cool-off, to be told when their journey is pinned.
        ordered_ms: The latest order's time; 0 for none.
        known: Had an order or an episode before.
        sent: Planned time of the steps that count as sent, by job id, as long as the cool-off may need them.
        reserved: Marketing messages that count for the caps, by job id; given back if they did not go out.
        rejected: When messages about carts were rejected, by job id: redriven ones may yet go out, and count from then.
        profile: The latest; its contact points are sealed before they come here.
        contact_ids: Opaque ids of contact points, by "profile's id/channel"; see ``contact_ids_of``.
        consents: What the ``consents`` topic says, by "channel/purpose": it overrides the profile.
        stops: The latest stop of each reason, for the gate.
        hints: The latest return or clear of each reason that was told ahead of its place, while that is still to come.
        hints_told: The gate's record of the person holds some: it must hear when they are over.
        mailed: Messages that went out, by job id; see mailing.
        early: Reports about jobs whose receipt is still to come.
        suppressed: Contact points that were suppressed, by "channel:contact id": a weaker reason never replaces one.
        orders, parcels: What is known of them, for messages about them; see shipping.
        errands: Messages on their way that may yet go over another channel, or that hold up others.
        silent: Per channel when a message over it was given up waiting for; until one arrives.
        pending: Happenings not yet folded, in order.
        indexed_ms: The deadline under which the row stands in the task's index; 0 for none.
    """

    person_id: str
    devices: dict[str, Device] = field(default_factory=dict)
    episode: Episode | None = None
    refused: list[Episode] = field(default_factory=list)
    ordered_ms: int = 0
    known: bool = False
    sent: dict[str, int] = field(default_factory=dict)
    reserved: dict[str, Reserved] = field(default_factory=dict)
    rejected: dict[str, int] = field(default_factory=dict)
    outstanding: dict[str, Outstanding] = field(default_factory=dict)
    profile: ProfileUpdated | None = None
    contact_ids: dict[str, str] = field(default_factory=dict)
    consents: dict[str, bool] = field(default_factory=dict)
    wrapped_key: bytes | None = None
    stops: dict[str, Stop] = field(default_factory=dict)
    hints: dict[str, Stop] = field(default_factory=dict)
    hints_told: bool = False
    cancelled: dict[str, Stop] = field(default_factory=dict)
    mailed: dict[str, Mailing] = field(default_factory=dict)
    early: list[DeliveryReport] = field(default_factory=list)
    suppressed: dict[str, SuppressionReason] = field(default_factory=dict)
    orders: shipping.Orders = field(default_factory=dict)
    parcels: shipping.Parcels = field(default_factory=dict)
    errands: shipping.Errands = field(default_factory=dict)
    silent: dict[Channel, int] = field(default_factory=dict)
    pending: list[Happening] = field(default_factory=list)
    indexed_ms: int = 0

    @property
    def in_session(self) -> bool:
        """Whether any of the person's visitors is in a session."""
        return any(device.in_session for device in self.devices.values())

    def due_ms(self) -> int:
        """The next moment at which something falls due that no happening announces; FOR_EVER if nothing will.

        By the clock of carts; see ``shipping_ms``.
        """
        moments = [item.retry_ms for item in self.outstanding.values() if item.retry_ms and item.is_cart]
        moments += [device.left_ms + EPISODE_LIFE_MS for device in self.devices.values() if device.left_ms]
        episode = self.episode
        if episode is not None:
            moments.append(episode.opened_ms + EPISODE_LIFE_MS)
            moments += [step.next_ms for step in episode.steps if step.pending]
        return min(moments, default=FOR_EVER)

    @property
    def has_jobs_out(self) -> bool:
        """Whether a message may still go out: it is on its way, or was rejected, and may be redriven."""
        return bool(self.outstanding or self.rejected)

    def shipping_ms(self) -> int:
        """The same of orders, parcels and messages about them, by the shipping clock; see ``shipping.deadlines_ms``."""
        if not (self.outstanding or self.orders or self.errands):
            return FOR_EVER
        moments = [item.retry_ms for item in self.outstanding.values() if item.retry_ms and not item.is_cart]
        return min((*moments, *shipping.deadlines_ms(self.orders, self.errands)), default=FOR_EVER)

    def unpacked_ms(self) -> int:
        """The same of orders that should be packed, by what TRACK has told; see ``shipping.unpacked_ms``."""
        return min(shipping.unpacked_ms(self.orders), default=FOR_EVER) if self.orders else FOR_EVER

    def deadline_ms(self) -> int:
        """When the row must be looked at at the latest, by the clock of carts."""
        first = happening_ms(self.pending[0]) if self.pending else FOR_EVER
        if self.hints:
            first = min(first, *(told.at_ms for told in self.hints.values()))
        return min(first, self.due_ms(), self._fades_ms())

    def _fades_ms(self) -> int:
        """When what is only remembered for a while can be dropped."""
        moments = [*self.sent.values(), *(one.at_ms for one in self.reserved.values())]
        if self.ordered_ms:
            moments.append(self.ordered_ms)
        mailings = min(map(forgotten_ms, self.mailed.values()), default=FOR_EVER)
        if self.orders or self.parcels:
            mailings = min(mailings, *shipping.forgotten_ms(self.orders, self.parcels))
        return min(min(moments) + EPISODE_LIFE_MS if moments else FOR_EVER, mailings)


def contact_ids_of(person: Person, profile: ProfileUpdated | None = None) -> dict[str, str]:
    """Per channel the opaque id of the contact point that is the person's now, or that ``profile`` names."""
    profile = profile or person.profile
    if profile is None:
        return {}
    split = ((*key.rpartition("/"), found) for key, found in person.contact_ids.items())
    return {channel: found for profile_id, _, channel, found in split if profile_id == profile.id}


def known_profile(person: Person) -> ProfileUpdated | None:
    """The profile that counts; while none was folded, the latest that has come: news of a parcel needs an address."""
    if person.profile is not None:
        return person.profile
    coming = [item for item in person.pending if isinstance(item, ProfileUpdated)]
    return max(coming, key=happening_key, default=None)


def happening_ms(happening: Happening) -> int:
    """When it happened, event time."""
    return time_ms(happening) if isinstance(happening, Event) else happening.at_ms


def happening_key(happening: Happening) -> tuple[int, int, int, int, str, int]:
    """The order of a person's happenings: time; then profiles, what events cause, orders, what falls due."""
    if isinstance(happening, Event):
        phase = -1 if isinstance(happening, ProfileUpdated) else 0
        return time_ms(happening), phase, happening.sequence, happening.RANK, happening.id, 0
    return happening.at_ms, *happening.order
