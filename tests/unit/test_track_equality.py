"""TRACK and the naive implementation of docs/tracking.md tell alike; order of arrival and repeats change nothing."""

from collections import Counter
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle.parcel_days import business_days
from oracle.parcels import follow as naive
from parcels import KEY, LINE, MONDAY, estimate, late_by, random_history, registered, scan, shuffled, weekdays
from postcart.domain.track import fold
from postcart.domain.track.history import follow
from postcart.domain.track.outcome import Context, Tracked
from postcart.domain.track.parcel import FOR_EVER, Parcel, ParcelEvent, when_ms
from postcart.domain.track.rules import Rules
from postcart.events.milestones import Delay, Milestone, ParcelDecision
from postcart.events.times import DAY_MS, HOUR_MS, MINUTE_MS, to_ms

Json = dict[str, Any]
RULES = Rules()
CONTEXT = Context(rules=RULES, business_days=weekdays)
DISORDER_MS = 5 * MINUTE_MS


def plain(events: list[ParcelEvent]) -> list[Json]:
    """Events as the naive implementation takes them."""
    return [msgspec.to_builtins(event) for event in events]


def comparable(record: ParcelDecision) -> Json:
    """What both say of a line."""
    line = msgspec.to_builtins(record)
    line["at"] = to_ms(record.at)
    kept = {
        "milestone": ("status", "reason"),
        "estimate": ("previous", "late"),
        "delay": ("rule", "level", "audiences"),
        "cleared": ("rule", "level", "status"),
    }[line["type"]]
    told = {name: getattr(record, name) for name in kept}
    if "previous" in told:
        told["previous"] = to_ms(told["previous"])
    if "audiences" in told:
        told["audiences"] = list(told["audiences"])
    return {name: line[name] for name in ("type", "at", "id", "parcel_id")} | told


def told(events: list[ParcelEvent]) -> list[Json]:
    """The product's lines."""
    return [comparable(record) for record in follow({KEY: events}, RULES, weekdays).news]


def check(seeds: range) -> None:
    for seed in seeds:
        events = random_history(seed)
        assert told(events) == naive(KEY, plain(events)), seed


def test_generated_histories() -> None:
    """By the hundred, aimed at the moments that the rules name."""
    check(range(800))


_STATUSES = st.sampled_from([*LINE, "exception", "expired"])
_REASONS = st.sampled_from([None, "customs", "weather"])
_GAPS = st.sampled_from(
    [0, 1, HOUR_MS, DAY_MS, 3 * DAY_MS, 30 * DAY_MS, 60 * DAY_MS, 60 * DAY_MS + 1, 120 * DAY_MS + 1]
)
_MOVES = st.lists(st.tuples(_GAPS, st.sampled_from("rses"), _STATUSES, _REASONS), min_size=1, max_size=12)


@settings(max_examples=150, derandomize=True, deadline=None, database=None)
@given(moves=_MOVES, seed=st.integers(0, 9))
def test_laws(moves: list[tuple[int, str, Any, Any]], seed: int) -> None:
    """Both agree; order and repeats change nothing; each occurrence once; up the line only. Made small if not."""
    events: list[ParcelEvent] = []
    at_ms = MONDAY
    for number, (gap_ms, kind, status, reason) in enumerate(moves):
        at_ms += gap_ms
        if kind == "r":
            events.append(registered(at_ms, f"r{number}", promised_at=at_ms + 2 * DAY_MS))
        elif kind == "e":
            events.append(estimate(at_ms, at_ms + (number % 4) * DAY_MS))
        else:
            events.append(scan(at_ms, status, f"s{number}", reason if status == "exception" else None))
    lines = told(events)
    assert lines == naive(KEY, plain(events))
    assert told(shuffled(events, Random(seed), copies=2)) == lines
    assert len({line["id"] for line in lines}) == len(lines)
    lives: dict[str, list[int]] = {}
    for line in lines:
        if line.get("status") in LINE and line["type"] == "milestone":
            lives.setdefault(line["parcel_id"], []).append(LINE.index(line["status"]))
    assert all(ranks == sorted(set(ranks)) for ranks in lives.values())


def test_generated_histories_reach_every_rule() -> None:
    """Else their agreement says little."""
    seen = Counter[str]()
    for seed in range(300):
        for line in told(random_history(seed)):
            seen[f"{line['type']}/{line.get('rule') or line.get('status') or ''}/{line.get('level') or ''}"] += 1
    assert {f"milestone/{status}/" for status in (*LINE, "exception", "expired")} <= seen.keys()
    assert {
        f"delay/{rule}/{level}" for rule in ("no_pickup", "no_scan", "estimate") for level in (1, 2, 3)
    } <= seen.keys()
    assert {
        f"cleared/{rule}/{level}" for rule in ("no_pickup", "no_scan", "estimate") for level in (1, 2, 3)
    } <= seen.keys()
    assert seen["estimate//"] > 100


@pytest.mark.slow
def test_many_more_generated_histories() -> None:
    """By the thousand."""
    check(range(10_000, 13_000))


def test_calendars_agree() -> None:
    """Monday to Friday, counted in two ways."""
    random = Random(1)
    for _ in range(300):
        at_ms, days = random.randrange(1 << 41), random.randrange(7)
        assert weekdays(at_ms, days, ()) == business_days(at_ms, days)


def test_arrival_changes_nothing() -> None:
    """A whole history in any order, each event three times: the same lines in the same order."""
    for seed in range(300):
        events = random_history(seed)
        assert told(shuffled(events, Random(seed), copies=3)) == told(events), seed


def reread(parcel: Parcel) -> Parcel:
    """As after a restart."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(parcel), type=Parcel)


def streamed(events: list[ParcelEvent], random: Random) -> list[Json]:
    """Event by event, three times each, up to five minutes late, with the row stored and read back."""
    parcel: Parcel | None = None
    out = Tracked()
    for now_ms, event in late_by(events, random, DISORDER_MS):
        parcel = parcel or Parcel(key=KEY)
        clock_ms = now_ms - DISORDER_MS - 1
        if parcel.deadline_ms(RULES) <= clock_ms or random.random() < 0.3:
            if not fold.advance(parcel, clock_ms, CONTEXT, out):
                parcel = Parcel(key=KEY)
            parcel = reread(parcel)
        fold.arrive(parcel, [event], out, too_old_ms=clock_ms - RULES.forget_ms)
    if parcel is not None:
        assert not fold.advance(parcel, FOR_EVER - 1, CONTEXT, out)
    return [comparable(record) for record in out.news]


def test_a_stream_tells_like_the_whole_history() -> None:
    """Shuffled within the allowed disorder, repeated, restarted."""
    for seed in range(300):
        events = random_history(seed)
        assert streamed(events, Random(seed)) == told(events), seed


RANKS = {status: rank for rank, status in enumerate(LINE, start=1)}


def test_out_of_all_order_nothing_goes_back() -> None:
    """Scans that come days too late, in any order: each milestone once, up the line only."""
    for seed in range(300):
        parcel, out, clock_ms = Parcel(key=KEY), Tracked(), 0
        for event in shuffled(random_history(seed), Random(seed), copies=2):
            fold.arrive(parcel, [event], out, too_old_ms=clock_ms - RULES.forget_ms)
            clock_ms = max(clock_ms, when_ms(event))
            if not fold.advance(parcel, clock_ms, CONTEXT, out):
                parcel = Parcel(key=KEY)
            parcel = reread(parcel)
        ids = [record.id for record in out.news]
        assert len(set(ids)) == len(ids), seed
        lives: dict[str, list[int]] = {}
        for record in out.news:
            if isinstance(record, Milestone) and record.status in RANKS:
                lives.setdefault(record.parcel_id, []).append(RANKS[record.status])
        assert all(told == sorted(set(told)) for told in lives.values()), seed


def test_rows_die() -> None:
    """Nothing is kept for ever, whatever happened."""
    for seed in range(200):
        events = random_history(seed)
        parcel, out = Parcel(key=KEY), Tracked()
        fold.arrive(parcel, events, out)
        last_ms = max(map(when_ms, events))
        fold.advance(parcel, last_ms + 60 * DAY_MS, CONTEXT, out)
        last_ms = max(last_ms, *(to_ms(record.at) for record in out.news if isinstance(record, Delay)), 0)
        assert fold.advance(parcel, last_ms + 120 * DAY_MS - 1, CONTEXT, out)
        assert not fold.advance(parcel, last_ms + 120 * DAY_MS, CONTEXT, out)
