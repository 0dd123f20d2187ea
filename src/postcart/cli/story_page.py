"""A story on a terminal: who and what at the top, then the timeline.

Owns: how it looks, at 100 columns and more. Must not: find or word it (domain.story).
"""

import shutil
import sys
import textwrap
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from postcart.cli.printing import styled

if TYPE_CHECKING:
    from postcart.domain.story.moment import Moment
    from postcart.domain.story.state import EpisodeState, StepState
    from postcart.domain.story.story import Story, Zone
    from postcart.events.decisions import RuleSaid
    from postcart.wiring.event_trace import Trace

_LEAST_WIDTH = 80
_WIDTH = 100
_LABEL = 10
_TIMES = 32
"""Columns of both times."""


def print_story(story: "Story") -> None:
    """Print it to standard output."""
    width = max(_LEAST_WIDTH, shutil.get_terminal_size((_WIDTH, 0)).columns) if sys.stdout.isatty() else _WIDTH
    for line in _head(story):
        _write(line, width, indent=_LABEL)
    sys.stdout.write("\n")
    there = f"there ({story.zone.name})" if story.zone else "there"
    sys.stdout.write(styled(f"{'UTC':<21}{there}", "bold") + "\n")
    for moment in story.moments:
        _print_moment(moment, story.zone, width)


def print_trace(trace: "Trace") -> None:
    """A shop's event, and what became of it."""
    kind = trace.kind or "unreadable"
    arrived = f"taken by the broker {utc(trace.appended_ms)} UTC"
    happened = f"happened {utc(trace.happened_ms)} UTC, " if trace.happened_ms is not None else ""
    for line in (
        _field("event", f"{trace.id}: {kind}, {trace.topic}[{trace.partition}] at offset {trace.offset}"),
        _field("", happened + arrived),
        _field("became", _fate(trace)),
    ):
        _write(line, _WIDTH, indent=_LABEL)
    sys.stdout.write("\n")


def _fate(trace: "Trace") -> str:
    if trace.refused is not None:
        return f"a dead letter, because it can't be read ({trace.refused}): postcart dead show {trace.dead_letter}"
    if trace.read is False:
        return f"nothing yet: {trace.stage} has not read it"
    fate = trace.fate
    if fate is None:
        return f"read by {trace.stage}" if trace.read else f"not known: {trace.stage} tells no offsets"
    again = f"; it came {fate.copies} times, and counts once" if fate.copies > 1 else ""
    if fate.outcome == "late":
        return f"late: its visit's end had been decided when it came, so it changed cart lines at most{again}"
    visit = fate.visit
    if visit is None:
        return f"applied, outside of any visit{again}"
    ended = f"which ended {utc(visit.end_ms)} ({visit.trigger}) with the id {visit.end_id}"
    return f"applied to the visit that began {utc(visit.started_ms)}, {ended}{again}"


def _head(story: "Story") -> Iterator[str]:
    yield _field(story.kind, story.id)
    yield _field("state", story.says + (_when(story.job, story.zone) if story.job else ""))
    if story.next is not None:
        when = "as soon as a sender takes it" if story.next.at_ms is None else _both(story.next.at_ms, story.zone)
        yield _field("next", f"{story.next.what}: {when}")
    for label, names in (("person", story.person_ids), ("visitor", story.visitor_ids)):
        for name in names:
            if label != story.kind or name != story.id:
                yield _field(label, name)
    if story.zone is not None:
        others = f"; also {', '.join(story.zone.others)}, all must allow" if story.zone.others else ""
        yield _field("zone", f"{story.zone.name}, known from the {story.zone.known_from}{others}")
    for episode in story.episodes:
        yield from _episode(episode, story.zone)
    for parcel in story.parcels:
        yield _field(
            "parcel", f"{parcel.parcel_id}; {parcel.carrier} {parcel.tracking_number}, order {parcel.order_id}"
        )
        expected = f"; expected {_both(parcel.expected_ms, story.zone)}" if parcel.expected_ms is not None else ""
        yield _field("", parcel.says + (", delayed" if parcel.delay else "") + expected)


def _episode(episode: "EpisodeState", zone: "Zone | None") -> Iterator[str]:
    closed = f", closed {utc(episode.closed_ms)}" if episode.closed_ms is not None else ""
    journey = f"; campaign {episode.campaign}, journey {episode.journey}" if episode.campaign else ""
    opened = f" opened {utc(episode.opened_ms)}" if episode.opened_ms is not None else ""
    yield _field("episode", f"{episode.episode_id}{journey}")
    if opened or closed:
        yield _field("", f"{opened.strip()}{closed}")
    for step in episode.steps:
        yield _field("", f"reminder {step.step}: {step.says}{_when(step, zone)}")


def _when(step: "StepState", zone: "Zone | None") -> str:
    if step.sent_ms is not None:
        return f", {_both(step.sent_ms, zone)}"
    return f": {_both(step.next_ms, zone)}" if step.next_ms is not None else ""


def _print_moment(moment: "Moment", zone: "Zone | None", width: int) -> None:
    times = f"{utc(moment.at_ms):<21}{_there(moment.at_ms, zone):<11}"
    first, *rest = textwrap.wrap(moment.what, width - _TIMES)
    sys.stdout.write(f"{times}{styled(first, 'bold')}\n")
    for line in rest:
        sys.stdout.write(f"{'':{_TIMES}}{line}\n")
    for line in _details(moment, zone):
        _write(f"{'':{_TIMES + 2}}{line}", width, indent=_TIMES + 4)


def _details(moment: "Moment", zone: "Zone | None") -> Iterator[str]:
    yield from moment.details
    for planned in moment.planned:
        yield f"reminder {planned.step} planned for {_both(planned.at_ms, zone)}"
    for (verdict, plain), alike in groupby(moment.rules, key=lambda said: (said.verdict, not said.inputs)):
        rules = list(alike)
        if plain:
            yield _rule(verdict, ", ".join(said.rule for said in rules))
        else:
            for said in rules:
                yield _rule(said.verdict, said.rule, _inputs(said, moment.at_ms))
    for stopped in moment.stopped:
        reason = f" ({stopped.reason.replace('_', ' ')})" if stopped.reason else ""
        yield f"reminder {stopped.step} cancelled{reason}"
    if moment.until_ms is not None:
        yield f"next: {_both(moment.until_ms, zone)}"


def _rule(verdict: str, rules: str, inputs: str = "") -> str:
    return f"{verdict:<6} {rules.replace('_', ' ')}" + (f": {inputs}" if inputs else "")


def _inputs(said: "RuleSaid", at_ms: int) -> str:
    """All but the moment itself, which stands before the line."""
    from postcart.events.times import iso  # noqa: PLC0415

    shown = {name: value for name, value in said.inputs.items() if (name, value) != ("at", iso(at_ms))}
    return ", ".join(f"{name.replace('_', ' ')} {_short(value)}" for name, value in shown.items())


def _short(value: str) -> str:
    """``2026-06-01T19:45:00Z`` as this page writes times: in UTC, like the first column."""
    looks_like_one = len(value) >= len("2026-06-01T19:45:00Z") and value[10] == "T" and value.endswith("Z")
    return f"{value[:10]} {value[11:-1]}" if looks_like_one else value


def _field(label: str, text: str) -> str:
    return f"{label:<{_LABEL}}{text}"


def _write(line: str, width: int, *, indent: int) -> None:
    lead = line[: len(line) - len(line.lstrip())]
    wrapped = textwrap.wrap(
        line.strip() if lead else line,
        width,
        initial_indent=lead,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )
    sys.stdout.write("\n".join(wrapped) + "\n")


def utc(at_ms: int) -> str:
    """The time in UTC, to the second."""
    from postcart.events.times import from_ms  # noqa: PLC0415

    return f"{from_ms(at_ms):%Y-%m-%d %H:%M:%S}"


def _there(at_ms: int, zone: "Zone | None") -> str:
    from postcart.events.times import from_ms  # noqa: PLC0415

    return "-" if zone is None else f"{from_ms(at_ms).astimezone(zone.info):%a %H:%M}"


def _both(at_ms: int, zone: "Zone | None") -> str:
    return f"{utc(at_ms)} UTC" + (f" ({_there(at_ms, zone)} there)" if zone else "")
