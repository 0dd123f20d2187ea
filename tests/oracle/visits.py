"""From one visitor's events to sessions, carts and abandonments.

Owns: the rules Sessions, Cart and the visitor's part of Anonymous, worked out from the whole sorted list. Must not:
know episodes or steps.
"""

from oracle.basics import (
    DUE,
    EVENT,
    FORGOTTEN,
    Abandonment,
    Happening,
    Json,
    Line,
    day,
    end_id,
    episode_of,
    main_category,
    place,
    value_and_currency,
)
from oracle.campaign import (
    CHECKOUT_AFTER,
    EXIT_AFTER,
    FORGET_AFTER,
    INACTIVE_AFTER,
    RECOVER_WITHIN,
    Campaign,
)
from oracle.cart import changed_lines

TRIGGERS = ["checkout", "ended", "exit", "inactivity"]


def time(event: Json) -> int:
    """When it happened."""
    return place(event)[0]


def standing_exits(events: list[Json]) -> set[str]:
    """Ids of the page exits that no event of the visitor follows within a minute."""
    followers = [time(event) for event in events[1:]]
    return {
        event["id"]
        for event, follower in zip(events, [*followers, None], strict=True)
        if event["type"] == "exit" and (follower is None or follower > time(event) + EXIT_AFTER)
    }


def checkout_of(session: list[Json]) -> Json | None:
    """The last checkout step of a checkout that was begun and not cleared."""
    step = None
    for event in session:
        if event["type"] == "checkout_step":
            step = event
        elif event["type"] == "cleared":
            step = None
    return step


def end_of(session: list[Json], exits: set[str]) -> tuple[int, str]:
    """When and by what the session ends if nothing else comes, worked out anew from all its events."""
    step = checkout_of(session)
    if step:
        return time(step) + CHECKOUT_AFTER, "checkout"
    last_of_id = {event.get("session_id"): event for event in session}
    ends = []
    for event in last_of_id.values():
        if event["type"] == "ended":
            ends.append((time(event), "ended"))
        elif event["id"] in exits:
            ends.append((time(event) + EXIT_AFTER, "exit"))
        else:
            ends.append((time(event) + INACTIVE_AFTER, "inactivity"))
    return max(ends, key=lambda end: (end[0], -TRIGGERS.index(end[1])))


class Visitor:
    """One visitor's history, walked through once. Its results are ``happenings`` and ``lines`` of output."""

    def __init__(self, events: list[Json], campaign: Campaign) -> None:
        self.events = sorted(events, key=place)
        self.campaign = campaign
        self.id: str = events[0]["visitor_id"]
        self.exits = standing_exits(self.events)
        self.person: str | None = None
        self.session: list[Json] = []
        self.cart: dict[str, Line] = {}
        self.cart_number = 0
        self.unnamed: Abandonment | None = None
        self.happenings: list[Happening] = []
        self.lines: list[Json] = []

    def walk(self) -> None:
        """Go through all events, then to the end of what is open."""
        previous = None
        for event in self.events:
            self.settle(previous, before=time(event))
            if event["type"] == "identified":
                self.identify(event)
            else:
                self.act(event)
            previous = event
        self.settle(previous, before=None)

    def settle(self, previous: Json | None, *, before: int | None) -> None:
        """Decide what was due before that moment (None: ever); what is due at it comes after its events."""
        if self.session:
            at, trigger = end_of(self.session, self.exits)
            if before is None or at < before:
                self.end(at, trigger, cause=self.session[-1], phase=DUE)
        if previous:
            forgotten = time(previous) + FORGET_AFTER
            if before is None or forgotten < before:
                self.forget(forgotten, previous)

    def act(self, event: Json) -> None:
        """Any event but identified: joins the open session or opens one."""
        if not self.session:
            self.tell("visit started", time(event), event)
        self.session.append(event)
        lines = changed_lines(self.cart, event, self.campaign.currency)
        for line in lines:
            self.cart[line.variant] = line
        if lines:
            self.tell("lines", time(event), event, lines=lines)
        if event["type"] == "cleared":
            self.unnamed = None
        if event["type"] == "ended" and event.get("reason") == "logout":
            self.end(time(event), "ended", cause=event, phase=EVENT)
            self.leave(event)
            self.person = None

    def identify(self, event: Json) -> None:
        """The visitor turned out to be a person."""
        at = time(event)
        if self.person == event["person_id"]:
            return
        if self.person is not None:
            if self.session:
                self.end(at, "ended", cause=event, phase=EVENT)
            self.leave(event)
            self.person = event["person_id"]
            return
        self.person = event["person_id"]
        unnamed, self.unnamed = self.unnamed, None
        lines = list(self.cart.values())
        if self.session:
            self.tell("visit started", at, event)
            self.tell("lines", at, event, lines=lines)
        elif unnamed and at <= unnamed.at + RECOVER_WITHIN and any(line.quantity for line in lines):
            self.tell("lines", at, event, lines=lines, recovered=True)
            self.tell("recovered", at, event, abandonment=unnamed)
        else:
            self.tell("lines", at, event, lines=lines)

    def end(self, at: int, trigger: str, *, cause: Json, phase: int) -> None:
        """The session ends; with lines in the cart it is an abandonment."""
        session, self.session = self.session, []
        abandonment = self.abandonment(session, at, trigger)
        if self.person is not None:
            # Ends due at one moment on several devices have no event to order them: their ids do.
            order = (0, 0, end_id(self.id, session[-1]["id"])) if phase == DUE else None
            self.tell("visit ended", at, cause, phase=phase, order=order, abandonment=abandonment)
        elif abandonment:
            self.unnamed = abandonment
            self.lines.append(abandonment.line(person=None, episode=episode_of(abandonment.id), visitor_tag=None))

    def abandonment(self, session: list[Json], at: int, trigger: str) -> Abandonment | None:
        """The abandonment that this end of the session is, if there are lines."""
        lines = sorted((line for line in self.cart.values() if line.quantity), key=lambda line: line.variant)
        if not lines:
            return None
        devices = [event["device"] for event in session if event.get("device") is not None]
        tags = {
            "duration_s": (at - time(session[0])) // 1_000,
            "value_band": self.campaign.band(value_and_currency(lines)[0]),
            "stage": "checkout" if checkout_of(session) else "cart",
            "device": devices[-1] if devices else None,
            "category": main_category(lines),
            "peak": self.campaign.is_peak(day(at)),
        }
        return Abandonment(
            id=end_id(self.id, session[-1]["id"]),
            visitor=self.id,
            session=session[-1].get("session_id"),
            trigger=trigger,
            at=at,
            lines=lines,
            tags=tags,
        )

    def leave(self, event: Json) -> None:
        """Logout or another person: the cart is emptied; who left keeps the lines for 31 days."""
        self.tell("forgotten", time(event) + FORGET_AFTER, event, phase=FORGOTTEN)
        self.cart = {}
        self.cart_number += 1

    def forget(self, at: int, last: Json) -> None:
        """Cart and visitor are forgotten."""
        self.tell("forgotten", at, last, phase=FORGOTTEN)
        self.cart = {}
        self.cart_number += 1
        self.unnamed = None
        self.person = None

    def tell(
        self,
        kind: str,
        at: int,
        cause: Json,
        *,
        phase: int = EVENT,
        order: tuple[int, int, str] | None = None,
        lines: list[Line] | None = None,
        abandonment: Abandonment | None = None,
        recovered: bool = False,
    ) -> None:
        """Note a happening for the person, if one is known."""
        if self.person is None:
            return
        happening = Happening(
            person=self.person,
            at=at,
            phase=phase,
            cause=order or place(cause)[1:],
            kind=kind,
            visitor=self.id,
            cart=(self.id, self.cart_number),
            lines=lines or [],
            abandonment=abandonment,
            recovered=recovered,
        )
        self.happenings.append(happening)
