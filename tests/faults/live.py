"""Runs by the machine's own clock: purchases and opt-outs while the channel is held back, and clocks that jump.

Owns: the short histories for that, with times that lie ahead, and what these rows promise besides conservation. Must
not: know how a fault is done that other rows have, too.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from faults.crew import wall_ms
from faults.evidence import evidence_of
from faults.feed import write
from faults.load import Json, Load, expected_of
from faults.mailroom import polite
from faults.scenario import At, Do
from faults.world import World
from oracle import Campaign
from postcart.events.consents import ConsentRecorded
from waiting import wait_for

AFTER_S = 40
"""The one reminder's offset."""
DISORDER_S = 10
"""The feed, too, stands still now and then where many processes share two processors."""
PROMISED_MS = 15_000
_SPREAD_MS = 25_000
_AHEAD_MS = 4_000
_EVENTS = 5
_FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
_CAMPAIGN = f"""
name: cart-reminder
steps:
  - {{after: {AFTER_S}s, template: cart-reminder}}
quiet_hours: {{start: "23:00", end: "05:00"}}
"""
_ORACLE = Campaign(offsets=(AFTER_S,), quiet_from=23, quiet_to=5)
_AWAKE_HOUR, _ASLEEP_HOUR = 14, 2
"""Local hours of the day that stay outside, or inside, the quiet hours although a clock is an hour wrong."""


@contextmanager
def short_campaign(folder: Path) -> Iterator[Mapping[str, str]]:
    """One reminder after some seconds; quiet hours as recipients' zones have them."""
    (folder / "campaigns").mkdir()
    (folder / "campaigns" / "cart-reminder.yaml").write_text(_CAMPAIGN)
    yield {"POSTCART_CAMPAIGNS_DIR": str(folder / "campaigns"), "POSTCART_DISORDER_S": str(DISORDER_S)}


@contextmanager
def faked_clock(folder: Path) -> Iterator[Mapping[str, str]]:
    """As ``short_campaign``, and the workers' wall clock goes as a file says."""
    set_clock(folder, 0)
    with short_campaign(folder) as variables:
        yield {
            **variables,
            "LD_PRELOAD": _FAKETIME,
            "FAKETIME_TIMESTAMP_FILE": str(folder / "faketime"),
            "FAKETIME_CACHE_DURATION": "1",  # s; without, each look at the clock reads the file
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }


def set_clock(folder: Path, seconds: int) -> None:
    """From now on the workers' wall clock is so far off."""
    scratch = folder / "faketime.new"
    scratch.write_text(f"{seconds:+d}\n")
    scratch.rename(folder / "faketime")


def shoppers(random: Random, count: int, begin_ms: int) -> Load:
    """People who leave a cart within half a minute.

    A third of them orders 15 s before its reminder is due, another third while the reminder is held back.
    """
    events: list[Json] = []
    for number in range(count // (_EVENTS + 1)):
        left_ms = begin_ms + _AHEAD_MS + random.randrange(_SPREAD_MS)
        events += _visit(f"p{begin_ms}-{number}", begin_ms, left_ms, _zone(begin_ms, _AWAKE_HOUR))
        due_ms = left_ms + AFTER_S * 1_000
        if number % 3:
            at_ms = due_ms - PROMISED_MS if number % 3 == 1 else due_ms + random.randrange(5_000, 10_000)
            events.append(_order(f"p{begin_ms}-{number}", at_ms))
    return expected_of(sorted(events, key=lambda event: event["time"]), _ORACLE)


def leavers(random: Random, count: int, begin_ms: int) -> Load:
    """People who leave a cart within half a minute and do nothing more; of ten, three live where it is night."""
    events: list[Json] = []
    for number in range(count // _EVENTS):
        zone = _zone(begin_ms, _ASLEEP_HOUR if number % 10 < 3 else _AWAKE_HOUR)
        left_ms = begin_ms + _AHEAD_MS + random.randrange(_SPREAD_MS)
        events += _visit(f"p{begin_ms}-{number}", begin_ms, left_ms, zone)
    load = expected_of(sorted(events, key=lambda event: event["time"]), _ORACLE)
    day = _zone(begin_ms, _AWAKE_HOUR)
    awake = {event["person_id"] for event in events if event["type"] == "profile" and event["time_zone"] == day}
    return load._replace(due={step: person for step, person in load.due.items() if person in awake})


def _zone(at_ms: int, hour: int) -> str:
    """A zone in which it is that hour of the day now."""
    ahead = (hour - at_ms // 3_600_000 + 11) % 24 - 11  # the database has them from UTC-12 to UTC+14
    return f"Etc/GMT{-ahead:+d}" if ahead else "UTC"


def _visit(name: str, begin_ms: int, left_ms: int, zone: str) -> list[Json]:
    visit: Json = {"visitor_id": f"v-{name}", "session_id": f"s-{name}"}
    line = {"variant_id": "shirt", "quantity": 1, "unit_price": "24.90", "currency": "USD"}
    consents = [{"channel": "email", "purpose": "marketing", "given": True}]
    return [
        {
            "type": "profile",
            "id": f"{name}-0",
            "time": begin_ms + 1_000,
            "person_id": name,
            "email": f"{name}@example.com",
            "time_zone": zone,
            "consents": consents,
        },
        {"type": "identified", "id": f"{name}-1", "time": left_ms - 900, "person_id": name, **visit},
        {"type": "viewed", "id": f"{name}-2", "time": left_ms - 800, "variant_id": "shirt", **visit},
        {"type": "added", "id": f"{name}-3", "time": left_ms - 600, "line": line, **visit},
        {"type": "ended", "id": f"{name}-4", "time": left_ms, **visit},
    ]


def _order(person: str, at_ms: int) -> Json:
    return {"type": "placed", "id": f"{person}-5", "time": at_ms, "person_id": person, "order_id": f"o-{person}"}


def reopen(world: World, _: Random) -> None:
    """The mail server is polite again 15 s after the last order, or opt-out, was appended."""
    last_ms = max(event["time"] for event in world.load.events)
    wait_for(lambda: world.feed.finished, lambda: "the feed does not end", seconds=300)
    world.pause((max(last_ms, wall_ms()) + PROMISED_MS - wall_ms()) / 1_000)
    world.notes["held_back"] = world.room.refused["451"]
    world.room.manner = polite


def late_buyers(world: World) -> set[str]:
    """Whoever ordered at all."""
    return {event["person_id"] for event in world.load.events if event["type"] == "placed"}


def nobody_who_ordered(world: World) -> list[str]:
    """No reminder to whoever ordered, and the gate, too, had something to stop."""
    return _nobody(world, late_buyers(world), "ordered")


def opt_out(world: World, random: Random) -> None:
    """Half of those whose reminder is held back, and who did not order, take their consent back."""

    def held_back() -> bool:
        world.look()
        return len(world.tails["jobs.email.marketing"].found) >= len(world.load.due)

    wait_for(held_back, lambda: "the reminders never became due", seconds=300)
    people = sorted(set(world.load.due.values()) - late_buyers(world))
    chosen = random.sample(people, len(people) // 2)
    topic, now_ms = world.settings.topic("consents"), wall_ms()
    records = [
        ConsentRecorded(person_id=person, channel="email", purpose="marketing", given=False, at_ms=now_ms)
        for person in chosen
    ]
    write(world.client, [(topic, one.person_id.encode(), msgspec.json.encode(one)) for one in records])
    world.chosen = frozenset(chosen)


def nobody_who_opted_out(world: World) -> list[str]:
    """No reminder to whoever took consent back."""
    return _nobody(world, set(world.chosen), "no_consent")


def _nobody(world: World, people: set[str], reason: str) -> list[str]:
    addresses = {world.load.addresses[person] for person in people}
    carts = {job.job_id for job in world.jobs() if job.purpose == "marketing"}
    evidence = evidence_of(world, {})
    problems = []
    if reached := [name for name, address in evidence.taken if name in carts and address in addresses]:
        problems.append(f"{len(reached)} reminders to people who had {reason}: {reached[:3]}")
    stopped = sum(1 for receipt in world.receipts() if receipt.reason == reason)
    due = sum(1 for person in world.load.due.values() if person in people)
    if stopped != due or not due:
        problems.append(f"{stopped} of {due} were stopped at the gate because they had {reason}")
    return problems


def shift(seconds: int) -> Any:
    """The workers' clocks jump."""

    def jump(world: World, _: Random) -> None:
        set_clock(world.folder, seconds)

    return jump


def jumps(_: Random) -> list[At]:
    """An hour ahead and back, then an hour behind and back."""
    return [
        At(0.3, Do(shift(3_600), "+1 h")),
        At(0.6, Do(shift(0), "right")),
        At(0.8, Do(shift(-3_600), "-1 h")),
        At(1.0, Do(shift(0), "right")),
    ]


def tossed(_: Random) -> list[At]:
    """To and fro, ahead and behind: waits by the wall clock are caught in every phase."""
    hours = [1, 0, -1, 0] * 8
    return [
        At(0.2 + 0.8 * step / len(hours), Do(shift(hour * 3_600), f"{hour:+d} h")) for step, hour in enumerate(hours, 1)
    ]


def in_time(world: World) -> list[str]:
    """No reminder before it was due by the true clock, and none to whoever has night."""
    due = {job.job_id: _due_ms(world, job.person_id) for job in world.jobs() if job.purpose == "marketing"}
    awake = set(world.load.due.values())
    people = {job.job_id: job.person_id for job in world.jobs()}
    early = night = 0
    for mail in tuple(world.room.sink.received):
        job_id = mail.entry.message_id.strip("<>").partition("@")[0]
        if job_id in due:
            early += mail.entry.at_ms < due[job_id]
            night += people[job_id] not in awake
    problems = [f"{early} reminders came before they were due"] if early else []
    return problems + ([f"{night} reminders came at night"] if night else [])


def _due_ms(world: World, person_id: str) -> int:
    left = [event["time"] for event in world.load.events if event["id"] == f"{person_id}-4"]
    return left[0] + AFTER_S * 1_000
