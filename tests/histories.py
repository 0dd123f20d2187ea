"""Histories of a small made-up shop, dense in the moments at which a rule turns.

Owns: the moves out of which histories are made, a seeded generator and a hypothesis strategy of moves, and what may
happen to a history on its way (shuffled, repeated). Must not: know what is decided, except to aim events at it.

A move says what is done, by whom and when. "When" is counted from an earlier event or from something that the naive
implementation decided so far, plus an offset that is a boundary of some rule: so events fall exactly on it, one
millisecond before or behind it.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from random import Random
from typing import Any, NamedTuple

from hypothesis import strategies as st

from oracle import Campaign, decide
from oracle.basics import iso, milliseconds, place

Json = dict[str, Any]

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
DISORDER = 5 * MINUTE

VISITORS = ("5e0c2f5e-6f0c-4a53-9f2e-0d8c7f1a9b01", "cookie-2", "cookie-3")
PERSONS = ("person-1", "person-2")
SESSIONS = ("s1", "s2", None, "s3")
DEVICES = (None, "desktop", "mobile")
VARIANTS = ("shirt", "shoes", "socks")
PRICES = {"shirt": ("24.90", "19.9"), "shoes": ("110.00", "99.5"), "socks": ("12", "6.45")}
CATEGORIES = {"shirt": "tops", "shoes": None, "socks": "basics"}
ZONES = (None, "UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Chatham")
STARTS = tuple(
    milliseconds(text)
    for text in (
        "2022-10-01T10:00:00Z",
        "2026-03-06T15:00:00Z",  # America's clocks go forward two days later
        "2026-03-28T07:00:00Z",  # Europe's clocks go forward in the night
        "2026-10-23T19:30:00Z",  # Europe's clocks go back two nights later
        "2026-10-31T23:59:00Z",  # America's clocks go back the day after
        "2024-02-28T20:55:00Z",
    )
)
SOON = (0, 0, 1, SECOND, 20 * SECOND, MINUTE - 1, MINUTE, MINUTE + 1, 3 * MINUTE, 5 * MINUTE)
ENDS = tuple(minutes * MINUTE + nudge for minutes in (10, 15) for nudge in (-1, 0, 1))
STEPS = tuple(
    end + hours * HOUR + nudge
    for end in (MINUTE, 10 * MINUTE, 15 * MINUTE)
    for hours in (1, 24, 72)
    for nudge in (-1, 0, 1)
)
LONG = tuple(days * DAY + nudge for days in (3, 7, 24, 31) for nudge in (-1, 0, 1))
PAUSES = (20 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 11 * HOUR, 20 * HOUR, 26 * HOUR, 3 * DAY)
GAPS = SOON * 6 + ENDS * 2 + STEPS + LONG + PAUSES * 3
AIMS = (
    *(0, 0, 0, 1, -1),
    *(-15 * MINUTE, -15 * MINUTE - 1, -15 * MINUTE + 1),
    *(72 * HOUR, 72 * HOUR + 1, 7 * DAY, 7 * DAY - 15 * MINUTE, 7 * DAY - 15 * MINUTE - 1),
    *(31 * DAY, 31 * DAY + 1, -5 * MINUTE, 30 * MINUTE),
)
RECOVERIES = (
    *(0, 1, 30 * MINUTE, HOUR, HOUR + 1, 20 * HOUR, 24 * HOUR - 1, 24 * HOUR, 71 * HOUR),
    *(72 * HOUR - 1, 72 * HOUR, 72 * HOUR + 1),
)

LINES = ("added",) * 8 + ("changed",) * 3 + ("snapshot",) * 3 + ("removed",) * 3 + ("cleared",) * 2
QUIET = ("viewed",) * 4 + ("started", "heartbeat", "coupon") + ("checkout_step",) * 4 + ("exit",) * 5 + ("ended",) * 3
WHO = ("logout",) * 2 + ("identified",) * 7
PERSONAL = ("placed",) * 3 + ("profile",) * 3 + ("paid", "cancelled", "refunded")
KINDS = LINES + QUIET + WHO + PERSONAL + ("bought",) * 2 + ("guest",) * 3 + ("regular",)


class Move(NamedTuple):
    """One thing done. All fields are plain numbers, taken modulo what there is to choose from."""

    kind: int = 0
    visitor: int = 0
    person: int = 0
    session: int = 0
    device: int = 0
    since: int = 0
    gap: int = 0
    sequence: int = 0
    variant: int = 0
    amount: int = 1


SIZES = Move(
    kind=len(KINDS),
    visitor=12,
    person=6,
    session=12,
    device=3,
    since=24,
    gap=len(GAPS) * len(AIMS),
    sequence=6,
    variant=len(VARIANTS),
    amount=12,
)


def moves() -> st.SearchStrategy[list[Move]]:
    """Lists of moves for hypothesis; earlier choices are simpler ones, so failures shrink."""
    move = st.builds(Move, *(st.integers(0, size - 1) for size in SIZES))
    return st.lists(move, min_size=2, max_size=25)


def random_moves(random: Random, *, longest: int = 30) -> list[Move]:
    """As many moves as the generator likes; fast, for runs by the ten thousand."""
    count = random.randint(2, longest)
    return [Move(*(random.randrange(size) for size in SIZES)) for _ in range(count)]


def histories() -> st.SearchStrategy[list[Json]]:
    """Whole histories for hypothesis, sorted."""
    return st.builds(history, moves(), start=st.sampled_from(range(len(STARTS))))


def random_history(seed: int, *, campaign: Campaign | None = None) -> list[Json]:
    """The history of a seed."""
    random = Random(seed)
    return history(random_moves(random), start=random.randrange(len(STARTS)), campaign=campaign)


CAMPAIGNS = (
    Campaign(),
    Campaign(offsets=(3_600, 86_400), high_value_from=Decimal(100), high_value_offsets=(1_800, 7_200, 90_000, 172_800)),
    Campaign(peaks=((date(2026, 10, 24), date(2026, 10, 26)),), peak_offsets=(600,), cool_off_days=1),
    Campaign(offsets=(7_200, 20 * 86_400, 31 * 86_400), quiet_from=22, quiet_to=6),
    Campaign(
        offsets=(0, 2_592_000),
        high_value_from=Decimal("99.5"),
        high_value_offsets=(60,),
        peaks=((date(2026, 3, 28), date(2026, 4, 30)), (date(2022, 10, 1), date(2022, 10, 1))),
        peak_offsets=(3_600, 43_200),
    ),
    Campaign(offsets=(600, 1_200, 2_400, 7_200, 90_000), cool_off_days=0, apart=1, daily=3),
)
"""Journeys of different lengths, so that merged ones differ; offsets that meet the end of an episode's life."""


def history(moves: Iterable[Move], *, start: int = 0, campaign: Campaign | None = None) -> list[Json]:
    """The events that the moves make, sorted as they are folded."""
    begin = STARTS[start]
    events = [profile(person, begin - HOUR, number) for number, person in enumerate(PERSONS)]
    for move in moves:
        at = when(move, events, campaign)
        if at <= begin + 400 * DAY:
            events += done(move, at, len(events))
    return sorted(events, key=place)


def when(move: Move, events: Sequence[Json], campaign: Campaign | None) -> int:
    """The move's time: from one of the last events on, or aimed at something decided so far."""
    latest = max(milliseconds(event["time"]) for event in events)
    offset = GAPS[move.gap % len(GAPS)]
    if move.since < 16:
        return latest + offset
    if move.since < 20:
        anchor = events[-1 - (move.since - 15) % len(events)]
        return max(latest, milliseconds(anchor["time"]) + offset)
    decided = [line.get("at") or line["abandoned_at"] for line in decide(events, campaign)]
    aims = sorted({milliseconds(at) + AIMS[move.gap % len(AIMS)] for at in decided})
    later = [aim for aim in aims if aim >= latest]
    return later[move.gap % min(3, len(later))] if later else latest + offset


def done(move: Move, at: int, number: int) -> list[Json]:
    """The events of a move."""
    kind = KINDS[move.kind % len(KINDS)]
    person = PERSONS[max(0, move.person - 3) % len(PERSONS)]
    sequence = (0, 0, 0, 1, 2, number)[move.sequence % 6]
    common: Json = {"id": f"{number * 37 % 101:03d}-{number}", "time": at if number % 2 else iso(at)}
    common["sequence"] = sequence
    if kind == "profile":
        return [profile(person, at, number + move.amount, **common)]
    if kind in PERSONAL:
        return [common | {"type": kind, "person_id": person, "order_id": f"order-{number}"}]
    common["visitor_id"] = VISITORS[(0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2)[move.visitor % 12]]
    session, device = SESSIONS[move.session // 3 % 4], DEVICES[move.device % 3]
    if session is not None:
        common["session_id"] = session
    if device is not None:
        common["device"] = device
    if kind == "bought":
        order = {"type": "placed", "id": common["id"] + "-order", "time": at, "sequence": sequence}
        order |= {"person_id": person, "order_id": f"order-{number}"}
        return [common | {"type": "cleared", "reason": "ordered"}, order]
    if kind == "guest":
        later = at + 15 * MINUTE + RECOVERIES[move.gap % len(RECOVERIES)]
        login = common | {"type": "identified", "id": common["id"] + "-login", "time": later, "person_id": person}
        return [common | said("added", move, person), login]
    if kind == "regular":
        pauses = [at + visit * (20 * HOUR + move.gap % 7 * HOUR) for visit in range(4 + 2 * move.amount)]
        return [
            common | {"type": "viewed", "id": f"{common['id']}-{time}", "time": time, "variant_id": "shirt"}
            for time in pauses
        ]
    return [common | said(kind, move, person)]


def said(kind: str, move: Move, person: str) -> Json:
    """What a visitor's event says besides who and when."""
    variant = VARIANTS[move.variant % len(VARIANTS)]
    named = [name for bit, name in enumerate(VARIANTS) if (move.amount + 1) >> bit & 1]
    choices: dict[str, Json] = {
        "added": {"line": line(variant, 1 + move.amount % 3, move.amount)},
        "changed": {"line": line(variant, move.amount % 4, move.amount)},
        "snapshot": {"lines": [line(name, (move.gap + len(name)) % 3, move.amount) for name in named]},
        "removed": {"variant_id": variant},
        "viewed": {"variant_id": variant},
        "cleared": {"reason": ("emptied", "ordered")[move.amount % 2]},
        "logout": {"type": "ended", "reason": "logout"},
        "identified": {"person_id": person},
        "coupon": {"code": "SAVE"},
    }
    return {"type": kind} | choices.get(kind, {})


def line(variant: str, quantity: int, choice: int) -> Json:
    """A cart line; some name no currency, some another, some don't tell the product again."""
    stated: Json = {"variant_id": variant, "quantity": quantity, "unit_price": PRICES[variant][choice // 4 % 2]}
    currency = ("EUR", "EUR", "EUR", "EUR", "EUR", None, "USD")[choice % 7]
    if currency is not None:
        stated["currency"] = currency
    return stated if choice % 5 == 1 else stated | {"product": {"title": variant, "category": CATEGORIES[variant]}}


def profile(person: str, at: int, choice: int, **fields: Any) -> Json:
    """What the shop knows of a person: mostly reachable and consenting."""
    event: Json = {"type": "profile", "id": f"profile-{person}-{at}", "time": at, "person_id": person} | fields
    zone = ZONES[choice % len(ZONES)]
    if zone is not None:
        event["time_zone"] = zone
    if choice % 7 != 6:
        event["email"] = f"{person}@example.com"
    consents = [{"channel": "email", "purpose": "marketing", "given": choice % 5 != 4}]
    consents += [{"channel": "sms", "purpose": "marketing", "given": choice % 5 == 4}]
    return event | {"consents": [] if choice % 11 == 10 else consents}


def shuffled(events: Sequence[Json], random: Random) -> list[Json]:
    """An arrival order within the allowed disorder: nothing comes 5 minutes or more behind something later."""
    delays = [milliseconds(event["time"]) + random.choice((0, 0, random.randrange(DISORDER))) for event in events]
    return [event for _, _, event in sorted(zip(delays, range(len(events)), events, strict=True), key=lambda d: d[:2])]


def tripled(events: Sequence[Json], random: Random) -> list[Json]:
    """Every event three times, shuffled within the allowed disorder."""
    return shuffled([event for event in events for _ in range(3)], random)
