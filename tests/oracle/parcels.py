"""A naive reading of docs/tracking.md for one tracking number, without learned estimates.

Written to be obviously right, not fast: it keeps all that was ever folded and looks at it again for each question.
Shares no code with the product.
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from oracle.parcel_days import DAY, Json, business_days, window

HOUR = 3_600_000
NAMESPACE = UUID("6f1d2c58-0d3e-5a63-9d0b-0f4e5b7c2a11")
RANK = {
    "pending": 1,
    "info_received": 2,
    "picked_up": 3,
    "in_transit": 4,
    "out_for_delivery": 5,
    "attempt_failed": 6,
    "available_for_pickup": 7,
    "delivered": 8,
    "returned": 9,
}
KINDS = {"registered": 0, "estimate": 1, "scan": 2}
LEVELS = ((0, ["customer", "operations"]), (2, ["operations"]), (5, ["customer", "operations"]))
RULES = ("no_pickup", "no_scan", "estimate")


def place(event: Json) -> tuple[Any, ...]:
    rank = RANK.get(event.get("status", ""), 0)
    return event["time"], event.get("sequence", 0), KINDS[event["type"]], rank, event["id"]


def follow(key: str, events: list[Json]) -> list[Json]:
    """Every line told of this number, in the order of telling, as type, at, id and what matters of it."""
    unique = {event["id"]: event for event in sorted(events, key=place, reverse=True)}
    number = Number(key)
    for event in sorted(unique.values(), key=place):
        number.run_until(event["time"])
        number.take(event)
    number.run_until(1 << 61)
    return number.lines


class Number:
    """A carrier's number through all its lives."""

    def __init__(self, key: str) -> None:
        try:
            self.space = UUID(key)
        except ValueError:
            self.space = uuid5(NAMESPACE, key)
        self.lines: list[Json] = []
        self.life: Life | None = None
        self.waiting: list[Json] = []
        self.floor = -1
        self.seen: int | None = None

    def run_until(self, at: int) -> None:
        """Whatever falls due before ``at``."""
        while True:
            due = [(event["time"] + 30 * DAY, 0, "") for event in self.waiting[:1]]
            if self.life:
                due += [(when, 1, rule) for when, rule in self.life.due()]
            if self.seen is not None:
                due.append((self.seen + 120 * DAY, 2, ""))
            due = [one for one in due if one[0] < at]
            if not due:
                return
            when, kind, _ = min(due, key=lambda one: (one[0], one[1], RULES.index(one[2]) if one[2] else 0))
            if kind == 0:
                self.waiting.pop(0)
            elif kind == 1 and self.life:
                self.life.fire(when)
                self.seen = max(when, self.seen or 0)
            else:
                self.life, self.waiting, self.floor, self.seen = None, [], -1, None

    def take(self, event: Json) -> None:
        """Fold one event."""
        now = event["time"]
        if event["type"] == "registered":
            self.register(event)
        elif now <= self.floor:
            return
        elif self.life is None or (self.life.end and now > self.life.end + 30 * DAY):
            self.waiting.append(event)
            self.waiting = self.waiting[-100:]
        else:
            self.life.take(event, now)
        self.seen = max(now, self.seen or 0)

    def register(self, event: Json) -> None:
        """Bind the number."""
        now = event["time"]
        if self.life and now <= self.life.registrations[-1]["time"] + 60 * DAY:
            self.life.registrations.append(event)
            self.life.promise()
        else:
            if self.life and self.life.scans:
                self.floor = max(self.floor, self.life.scans[-1]["time"])
            self.life = Life(str(uuid5(self.space, event["id"])), event, self.lines)
        self.life.wait(now)
        waiting, self.waiting = self.waiting, []
        for one in waiting:
            self.life.take(one, now)


class Life:
    """One parcel."""

    def __init__(self, parcel_id: str, event: Json, lines: list[Json]) -> None:
        self.id = parcel_id
        self.lines = lines
        self.registrations = [event]
        self.scans: list[Json] = []
        self.told: list[Json] = []
        self.estimates: list[Json] = []
        self.status: str | None = None
        self.end = 0
        self.known = 0
        self.told_dates: set[Any] = set()
        self.found: dict[str, Json] = {}
        self.armed: dict[str, Json] = {}
        self.passed = 0
        self.promise()

    # What it knows.

    def promised_end(self) -> int:
        """The last moment of the promise; 0 without one."""
        promised = self.registrations[-1].get("promised_at")
        return 0 if promised is None else window({"estimated_at": promised})[1]

    def expected_end(self) -> int:
        """The last moment of what is expected; 0 for nothing."""
        return window(self.estimates[-1])[1] if self.estimates else self.promised_end()

    def promise(self) -> None:
        """What was promised is what is known until the carrier speaks."""
        if not self.estimates:
            self.known = self.promised_end()

    def reached(self) -> int:
        """The highest rank told."""
        return max((RANK.get(line["status"], 0) for line in self.told), default=0)

    def last(self) -> Json | None:
        """The latest scan."""
        return max(self.scans, key=place) if self.scans else None

    def abroad(self) -> bool:
        """Whether it crosses a border."""
        latest = self.registrations[-1]
        places = [latest.get("origin") or {}, latest.get("destination") or {}]
        return len({one["country"] for one in places if one.get("country")}) > 1

    def tell(self, kind: str, at: int, name: str, **more: Any) -> None:
        """Say a line."""
        self.lines.append({"type": kind, "at": at, "id": str(uuid5(UUID(self.id), name)), "parcel_id": self.id, **more})

    # What happens to it.

    def take(self, event: Json, now: int) -> None:
        """Fold a scan or an estimate."""
        if event["type"] == "scan":
            self.scan(event, now)
        else:
            self.estimate(event, now)
        self.wait(now)

    def scan(self, event: Json, now: int) -> None:
        """The numbered rules of the chapter on milestones."""
        status = event["status"]
        rank = RANK.get(status, 0)
        last = self.last()
        is_late = last is not None and place(event) <= place(last)
        ends = status in {"delivered", "returned"} and rank > self.reached()
        if (is_late or self.end) and not ends:
            return
        if not is_late:
            self.scans.append(event)
        reason = event.get("reason")
        if status == "exception":
            reason = reason or "other"
        if status in {"exception", "expired"}:
            new = not any(
                line["status"] == status and (status == "expired" or line["reason"] == reason) for line in self.told
            )
        else:
            new = rank > self.reached()
        if status not in {"pending", "info_received"} or rank >= max(self.reached(), rank if new else 0):
            self.status = status
        if new:
            self.told.append({"status": status, "reason": reason})
            name = f"exception/{reason}" if status == "exception" else status
            self.tell("milestone", event["time"], name, status=status, reason=reason)
        if rank >= 3:
            for rule in RULES:
                self.clear(rule, now, status)
        if ends:
            self.end = event["time"]

    def estimate(self, event: Json, now: int) -> None:
        """The chapter on what is expected."""
        if self.end:
            return
        before = self.expected_end()
        self.estimates.append(event)
        end = self.expected_end()
        if before and before != end and end > now:
            self.clear("estimate", now, None)
        known = self.known
        if not known:
            self.known = end
            return
        promised = self.promised_end()
        date = (end - 1) // DAY
        if date == (known - 1) // DAY or date in self.told_dates:
            return
        if abs(end - known) >= DAY or (promised and end > promised):
            self.told_dates.add(date)
            self.known = end
            day = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=end - 1)
            self.tell("estimate", now, f"estimate/{day.date()}", previous=known, late=bool(promised and end > promised))

    # What does not happen to it.

    def waits(self) -> dict[str, tuple[int, str]]:
        """Rule → (due, cause), for rules that apply now."""
        if self.end or self.status == "expired":
            return {}
        last, latest = self.last(), self.registrations[-1]
        cause = last["id"] if last else latest["id"]
        waits: dict[str, tuple[int, str]] = {}
        if self.reached() < 3:
            ready = latest["time"] if latest.get("ready_at") is None else latest["ready_at"]
            waits["no_pickup"] = (business_days(ready + 72 * HOUR, 0), cause)
        elif last and self.status != "available_for_pickup":
            waits["no_scan"] = (business_days(last["time"], 5 if self.abroad() else 3), cause)
        end = self.expected_end()
        if end > self.passed and self.status != "available_for_pickup":
            waits["estimate"] = (end, f"{cause}/{end}")
        return waits

    def wait(self, now: int) -> None:
        """After every event: what is waited for from now on; a delay is not found before."""
        if self.end or self.status == "expired":
            self.found.clear()
        self.armed = {
            rule: {"due": max(due, now), "cause": cause}
            for rule, (due, cause) in self.waits().items()
            if rule not in self.found
        }

    def due(self) -> list[tuple[int, str]]:
        """What falls due when."""
        armed = [(one["due"], rule) for rule, one in self.armed.items()]
        return armed + [(one["next"], rule) for rule, one in self.found.items() if one["next"]]

    def fire(self, when: int) -> None:
        """The first rule that is due then."""
        rule = next(name for name in RULES if (when, name) in self.due())
        if rule in self.armed:
            one = self.armed.pop(rule)
            self.found[rule] = {"since": when, "level": 0, "cause": one["cause"], "next": 0}
            if rule == "estimate":
                self.passed = self.expected_end()
        found = self.found[rule]
        audiences = LEVELS[found["level"]][1]
        found["level"] += 1
        self.tell("delay", when, f"delay/{rule}/{found['cause']}/{found['level']}", rule=rule, level=found["level"],
                  audiences=audiences)  # fmt: skip
        found["next"] = 0
        if found["level"] < len(LEVELS):
            found["next"] = business_days(found["since"], LEVELS[found["level"]][0])

    def clear(self, rule: str, now: int, status: str | None) -> None:
        """The delay is over, if there is one."""
        found = self.found.pop(rule, None)
        if found is not None:
            first = uuid5(UUID(self.id), f"delay/{rule}/{found['cause']}/1")
            at = max(now, found["since"])
            self.lines.append(
                {
                    "type": "cleared",
                    "at": at,
                    "id": str(uuid5(first, "cleared")),
                    "parcel_id": self.id,
                    "rule": rule,
                    "level": found["level"],
                    "status": status,
                }
            )
