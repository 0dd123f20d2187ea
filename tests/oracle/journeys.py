"""From one person's happenings to episodes and steps.

Owns: the rules Episodes and steps, Anonymous (the person's part) and Consent, as an agenda that is worked through in
order. Must not: look at a visitor's events.
"""

from oracle.basics import (
    EXPIRY,
    STEP,
    Abandonment,
    Happening,
    Json,
    Line,
    day,
    episode_of,
    iso,
    value_and_currency,
)
from oracle.campaign import COLLAPSED_INTO, DAY, HOUR, LAST_STEP_LIFE, ORDER_KEPT, Campaign
from oracle.episodes import Episode, Step
from oracle.quiet import after_quiet_hours


class Journey:
    """One person's agenda, worked through once. Its result is ``output``."""

    def __init__(self, person: str, agenda: list[Happening], campaign: Campaign) -> None:
        self.person = person
        self.agenda = sorted(agenda, key=lambda happening: happening.order)
        self.campaign = campaign
        self.output: list[Json] = []
        self.carts: dict[tuple[str, int], dict[str, Line]] = {}
        self.visiting: set[str] = set()
        self.episode: Episode | None = None
        self.profile: Json = {}
        self.ordered: int | None = None
        self.sent: int | None = None
        self.dues: list[int] = []
        self.known_before = False

    def run(self) -> None:
        """Take whatever comes next, happening, step or expiry, until nothing is left."""
        while self.agenda or self.episode:
            step = min(self.episode.pending, key=lambda s: (s.at, s.number), default=None) if self.episode else None
            nexts = []
            if self.agenda:
                nexts.append(self.agenda[0].order[:2])
            if self.episode:
                nexts.append((self.episode.expires, EXPIRY))
            if step:
                nexts.append((step.at, STEP))
            at, phase = min(nexts)
            if phase == STEP and step:
                self.look_at(step)
            elif phase == EXPIRY:
                self.close(at, "expired")
            else:
                self.happen(self.agenda.pop(0))

    def happen(self, happening: Happening) -> None:
        """One happening of the agenda."""
        match happening.kind:
            case "profile":
                self.profile = happening.event
            case "placed":
                self.order(happening.at)
            case "visit started":
                self.visiting.add(happening.visitor)
                self.cancel(happening.at, "returned")
            case "lines":
                self.join(happening)
            case "visit ended":
                self.visit_ended(happening)
            case "recovered":
                self.recovered(happening)
            case "forgotten":
                self.carts.pop(happening.cart, None)

    # Lines

    def join(self, happening: Happening) -> None:
        """Lines changed, or joined; what the latest order already covers does not count."""
        cart = self.carts.setdefault(happening.cart, {})
        for line in happening.lines:
            if self.covered(line, happening.at):
                cart.pop(line.variant, None)
            else:
                cart[line.variant] = line
        if happening.lines and not happening.recovered:
            self.close_if_emptied(happening.at)

    def covered(self, line: Line, now: int) -> bool:
        """Whether the latest order, while it is kept, came at or after the line's last change."""
        return self.ordered is not None and now <= self.ordered + ORDER_KEPT and line.changed[0] <= self.ordered

    def united(self) -> list[Line]:
        """The lines of all carts, by variant, the latest change winning."""
        changes = [(line.changed[:2], cart, line) for cart, lines in self.carts.items() for line in lines.values()]
        latest = {line.variant: line for _, _, line in sorted(changes, key=lambda change: change[:2])}
        return [line for line in latest.values() if line.quantity]

    def own(self, happening: Happening) -> list[Line]:
        """The lines of the happening's own cart that count."""
        return [line for line in self.carts.get(happening.cart, {}).values() if line.quantity]

    def order(self, at: int) -> None:
        """An order was placed."""
        self.known_before = True
        self.ordered = at if self.ordered is None else max(at, self.ordered)
        for cart in self.carts.values():
            for variant in [variant for variant, line in cart.items() if line.changed[0] <= at]:
                del cart[variant]
        self.close(at, "ordered")

    # Episodes

    def visit_ended(self, happening: Happening) -> None:
        """A session of one of the visitors ended."""
        self.visiting.discard(happening.visitor)
        abandonment = happening.abandonment
        if abandonment:
            episode_id = self.episode.id if self.episode else episode_of(abandonment.id)
            tag = "returning" if self.known_before else "first_time"
            self.output.append(abandonment.line(person=self.person, episode=episode_id, visitor_tag=tag))
            if not self.episode and self.own(happening):
                self.episode = self.opened(abandonment, happening.at)
        self.close_if_emptied(happening.at)
        if self.episode and not self.visiting:
            self.arm(self.episode, happening.at)

    def opened(self, abandonment: Abandonment, now: int) -> Episode | None:
        """The episode that the abandonment opens, or None within the cool-off."""
        value, _ = value_and_currency(self.united())
        offsets = self.campaign.offsets_ms(value=value, day=day(abandonment.at))
        episode = Episode(episode_of(abandonment.id), abandonment.at, offsets)
        self.known_before = True
        if self.sent is not None and now < self.sent + self.campaign.cool_off_days * DAY:
            for number, offset in enumerate(offsets, 1):
                self.tell("planned", episode, number, abandonment.at + offset)
                self.tell("cancelled", episode, number, now, "cool_off")
            return None
        return episode

    def arm(self, episode: Episode, at: int, *, recovered: int | None = None) -> None:
        """Plan every step not yet sent from ``at``; those due by the time of a recovery collapse into one."""
        episode.armed = at
        steps = []
        for number, offset in enumerate(episode.offsets, 1):
            planned = at + offset
            not_after = at + episode.offsets[number] if number < len(episode.offsets) else planned + LAST_STEP_LIFE
            if number not in episode.sent:
                steps.append(Step(number, planned, not_after, planned))
        missed = [step for step in steps if recovered is not None and step.planned <= recovered]
        if missed and recovered is not None:
            missed[-1].planned = missed[-1].at = recovered + COLLAPSED_INTO
            if missed[-1].number == len(episode.offsets):
                missed[-1].not_after = missed[-1].planned + LAST_STEP_LIFE
        for step in steps:
            self.tell("planned", episode, step.number, step.planned)
            if step in missed[:-1] and recovered is not None:
                self.tell("cancelled", episode, step.number, recovered, "collapsed")
            else:
                episode.pending.append(step)
        self.close_if_used_up()

    def recovered(self, happening: Happening) -> None:
        """An anonymous abandonment turned out to be this person's, in time and outside a session."""
        abandonment, now = happening.abandonment, happening.at
        if abandonment is None or not self.own(happening):
            return
        if not self.episode:
            self.episode = self.opened(abandonment, now)
            self.close_if_emptied(now)
            if self.episode and not self.visiting:
                self.arm(self.episode, abandonment.at, recovered=now)
            return
        value, _ = value_and_currency(self.united())
        offsets = self.campaign.offsets_ms(value=value, day=day(abandonment.at))
        other = Episode(episode_of(abandonment.id), abandonment.at, offsets)
        self.merge(self.episode, other, now)

    def merge(self, present: Episode, recovered: Episode, now: int) -> None:
        """Two episodes become one: the one opened earlier."""
        armed = max(present.armed or 0, recovered.opened)
        if (present.opened, present.id) < (recovered.opened, recovered.id):
            self.close_if_emptied(now)
            if self.episode and not self.visiting and armed != present.armed:
                self.cancel(now, "merged")
                self.arm(present, armed, recovered=now)
            return
        self.cancel(now, "merged")
        recovered.sent |= present.sent
        self.episode = recovered
        self.close_if_emptied(now)
        if self.episode and not self.visiting:
            self.arm(recovered, armed, recovered=now)

    def cancel(self, at: int, reason: str) -> None:
        """Cancel whatever is pending."""
        if self.episode:
            for step in self.episode.pending:
                self.tell("cancelled", self.episode, step.number, at, reason)
            self.episode.pending = []

    def close(self, at: int, reason: str) -> None:
        """Close the open episode."""
        self.cancel(at, reason)
        self.episode = None

    def close_if_emptied(self, at: int) -> None:
        """Outside a session, an episode without lines is over."""
        if not self.visiting and not self.united():
            self.close(at, "emptied")

    def close_if_used_up(self) -> None:
        """An armed episode with no step left is over."""
        if self.episode and not self.episode.pending:
            self.episode = None

    # Steps

    def look_at(self, step: Step) -> None:
        """A step's planned time, or the end of its deferral, has come."""
        allowed = self.allowed(step.at)
        if allowed > step.not_after:
            self.finish(step, step.at, "not_after")
        elif allowed > step.at:
            step.at = allowed
        elif not self.consent():
            self.finish(step, step.at, "no_consent")
        elif not self.profile.get("email"):
            self.finish(step, step.at, "no_contact")
        else:
            self.finish(step, step.at, None)

    def allowed(self, at: int) -> int:
        """The first moment outside quiet hours at which one more message is not one too many."""
        while True:
            later = after_quiet_hours(at, self.profile.get("time_zone"), self.campaign)
            while self.too_many(later):
                later = min(due + wait for due in self.dues for wait in self.waits() if due + wait > later)
            if later == at:
                return at
            at = later

    def waits(self) -> tuple[int, int]:
        """How long a message counts: for the next one, and for the number of a day."""
        return self.campaign.apart * HOUR, DAY

    def too_many(self, at: int) -> bool:
        """Whether a message at that moment would be too soon after another, or one more than a day may have."""
        apart, day = self.waits()
        too_soon = any(at - apart < due <= at for due in self.dues)
        return too_soon or sum(at - day < due <= at for due in self.dues) >= self.campaign.daily

    def consent(self) -> bool:
        """Whether the latest profile gives consent for the campaign's channel and purpose."""
        wanted = (self.campaign.channel, self.campaign.purpose)
        given = {(entry["channel"], entry["purpose"]): entry["given"] for entry in self.profile.get("consents", [])}
        return given.get(wanted) is True

    def finish(self, step: Step, at: int, reason: str | None) -> None:
        """The step becomes due, or is cancelled for a reason of its own."""
        if not self.episode:
            return
        self.episode.pending.remove(step)
        if reason is None:
            self.episode.sent.add(step.number)
            self.sent = max(self.sent or 0, step.planned)
            self.dues.append(at)
            self.tell("due", self.episode, step.number, at)
        else:
            self.tell("cancelled", self.episode, step.number, at, reason)
        self.close_if_used_up()

    def tell(self, kind: str, episode: Episode, step: int, at: int, reason: str | None = None) -> None:
        """A line of output."""
        line = {"type": kind, "episode_id": episode.id, "person_id": self.person, "step": step, "at": iso(at)}
        self.output.append(line | ({"reason": reason} if reason else {}))
