"""What a run feeds: histories of one seed, and what the naive implementation expects of them.

Owns: choosing, shifting and mixing histories. Must not: import anything that decides in the product (reading the REES46
fixtures, which makes ids and persons, is the importer's).
"""

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import msgspec

from histories import DAY, history, random_moves
from oracle import Campaign, decide
from oracle.basics import milliseconds, place
from postcart.codecs.rees46 import read_rees46
from postcart.settings import load_settings

Json = dict[str, Any]
Step = tuple[str, int]
"""Episode and step: at most one message, whatever its job is called."""

FIXTURES = Path(__file__).parents[1] / "fixtures" / "rees46"
_LONGEST = 40 * DAY
"""Longer histories would only stretch the replay."""
_SPREAD_DAYS = 25
_OWN = frozenset({"id", "visitor_id", "person_id", "session_id", "order_id"})
_REAL_SHARE = 3


class Load(NamedTuple):
    """Events in their order, and what is expected of them."""

    events: tuple[Json, ...]
    lines: Counter[str]
    """Every decision, as ``comparable`` writes it."""
    due: dict[Step, str]
    """Steps that are to be mailed, and to which person."""
    addresses: dict[str, str]
    """Person → the only address that this person ever has."""
    held_back: frozenset[str] = frozenset()
    """Ids of events that are not fed: the row brings them in another way."""


def load_of(seed: int, count: int, *, start: int = 0, real: bool = True) -> Load:
    """``count`` unique events: about a third real shop data, the rest generated, dense at the rules' edges.

    Args:
        seed: Decides everything.
        count: Of events.
        start: Which of the generator's beginnings; others than 0 lie at changes of clocks and take no real data.
        real: False takes no real data.
    """
    random = Random(seed)
    events = real_slice(random, count // _REAL_SHARE) if real and start == 0 else []
    for index in itertools.count():
        if len(events) >= count:
            break
        events += _generated(random, f"{seed}-{index}", start)
    return expected_of(sorted(events, key=place)[:count])


def expected_of(events: Sequence[Json], campaign: Campaign | None = None) -> Load:
    """These events with what the naive implementation says of them."""
    lines = decide(events, campaign)
    due = {(line["episode_id"], line["step"]): line["person_id"] for line in lines if line["type"] == "due"}
    addresses = {event["person_id"]: event["email"] for event in events if event.get("email")}
    return Load(tuple(events), Counter(map(comparable, lines)), due, addresses)


def comparable(line: Json) -> str:
    """A decision with its times as numbers: both ways to write a millisecond are ISO 8601."""
    times = {key: milliseconds(line[key]) for key in ("at", "abandoned_at") if key in line}
    return json.dumps(line | times, sort_keys=True)


def real_slice(random: Random, count: int) -> list[Json]:
    """So many events of real shop sessions: the first of one month, or of all three."""
    files = sorted(FIXTURES.glob("data_*.csv"))
    if count < 1_000:
        files = [random.choice(files)]
    settings = load_settings({}, None)
    key = settings.identity_key.get_secret_value().encode()
    events: Iterable[Any] = read_rees46(files, tenant=settings.tenant, identity_key=key, anonymous=0.2, devices=0.3)
    if len(files) == 1:
        events = itertools.islice(events, count)
    return [json.loads(msgspec.json.encode(event)) for event in events]


def _generated(random: Random, name: str, start: int) -> list[Json]:
    """One history with people of its own, moved by whole days; empty if it would be too long."""
    events = history(random_moves(random), start=start)
    days = random.randrange(_SPREAD_DAYS) if start == 0 else 0
    if milliseconds(events[-1]["time"]) - milliseconds(events[0]["time"]) > _LONGEST:
        return []
    return _steadfast([_own(event, name, days * DAY) for event in events], random)


def _own(event: Json, name: str, shift: int) -> Json:
    own = {key: f"{name}.{value}" if key in _OWN and value else value for key, value in event.items()}
    own["time"] = milliseconds(event["time"]) + shift
    if "email" in own:
        own["email"] = f"{own['person_id']}@example.com"
    return own


def _steadfast(events: list[Json], random: Random) -> list[Json]:
    """Each person's address, consents and time zone stay as one of its profiles has them.

    The gate heeds the latest word, so with a consent that comes and goes, or quiet hours that move with the person, the
    set of mails would depend on how far the sender has come; the row about opt-outs is there for that.
    """
    profiles = [event for event in events if event["type"] == "profile"]
    words = {event["person_id"]: event for event in random.sample(profiles, len(profiles))}
    kept = ("email", "consents", "time_zone")
    return [
        {key: value for key, value in event.items() if key not in kept}
        | {key: value for key, value in words[event["person_id"]].items() if key in kept}
        if event["type"] == "profile"
        else event
        for event in events
    ]


def arrivals(events: Sequence[Json], random: Random, *, times: int = 1, late_ms: int) -> list[Json]:
    """An arrival order: each event ``times`` times, each up to ``late_ms`` late."""
    late = (
        (milliseconds(event["time"]) + (random.randrange(late_ms) if late_ms else 0), random.random(), event)
        for event in events
        for _ in range(times)
    )
    return [event for _, _, event in sorted(late, key=lambda item: item[:2])]


def persons_where(load: Load, chosen: Callable[[str], bool]) -> Iterator[str]:
    """Persons with an address for which that holds."""
    return (person for person, address in load.addresses.items() if chosen(address))


def over_change_of_clocks(random: Random, count: int, _: int) -> Load:
    """A history over one of the days on which clocks change."""
    return load_of(random.randrange(1_000_000), count, start=random.choice((1, 2, 3, 4)))
