"""How long partitions stood still after a fault: the bound of the rows that measure times.

Owns: what counts as work, and as waiting for it. Must not: judge, or know any row by name.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from faults.evidence import WATCHED
from faults.world import World

_WINDOW_MS = 45_000


class Sign(NamedTuple):
    """A task was seen to work, by the broker's clock."""

    at_ms: int
    asked_ms: int
    """Since when this piece of work was there to be done."""


def measured(world: World) -> dict[str, float]:
    """For each fault to a worker: how long the longest-waiting partition stood still, in seconds."""
    found: dict[str, float] = {}
    faults = [(at, kind, what) for at, kind, what in world.harm if kind in world.row.crew]
    for number, (at_ms, kind, what) in enumerate(faults):
        following = [at for at, other, _ in faults[number + 1 :] if other == kind and at > at_ms]
        until = min([*following, at_ms + _WINDOW_MS])
        polite = what == "term"
        waits = [pause_ms(signs, at_ms, until, polite=polite) for signs in _signs(world, kind).values()]
        if known := [wait for wait in waits if wait is not None]:
            name = f"{kind} {what.split()[0]}"
            found[name] = max(found.get(name, 0.0), max(known) / 1000)
    return found


def pause_ms(signs: Iterable[Sign], at_ms: int, until: int, *, polite: bool) -> int | None:
    """How long a task stood still after a fault, though it had work; None if that can't be told.

    Of a worker that leaves politely, and works on for a moment, the longest time that a piece of work waited
    although nothing before it was done meanwhile; of one that is gone at once, the time to the next work.
    """
    later = sorted(sign for sign in signs if sign.at_ms > at_ms)
    if not later or (not polite and later[0].at_ms > until):
        return None
    if not polite:
        return later[0].at_ms - at_ms
    before = [at_ms, *(sign.at_ms for sign in later)]
    # What was not done within the window waited until its end at least.
    waits = (
        min(sign.at_ms, until) - max(previous, sign.asked_ms) for previous, sign in zip(before, later, strict=False)
    )
    return max(0, *waits)


def _signs(world: World, kind: str) -> dict[Any, list[Sign]]:
    """When each task of this kind of worker was seen to work."""
    if kind == "detect":
        return _always((json.loads(seen.value)["task"], seen.at_ms) for seen in _clocks(world))
    if kind == "journey":
        return _always((seen.partition, seen.at_ms) for seen in world.tails["journey.changelog"].records)
    return _claims(world)


def _clocks(world: World) -> Iterator[Any]:
    """Each task tells its clock to every partition of the signals: one is enough."""
    told = (seen for seen in world.tails["signals"].records if seen.partition == 0 and seen.value)
    return (seen for seen in told if seen.value.startswith(b'{"type":"clock"'))


def _always(signs: Iterable[tuple[Any, int]]) -> dict[Any, list[Sign]]:
    """Of tasks that always have something to do under load."""
    found: dict[Any, list[Sign]] = defaultdict(list)
    for task, at_ms in signs:
        found[task].append(Sign(at_ms, 0))
    return found


def _claims(world: World) -> dict[Any, list[Sign]]:
    """Of senders: a partition may have no mail to send for seconds, which is no pause."""
    asked: dict[bytes, int] = {}
    for topic in ("jobs.email.marketing", "jobs.email.transactional"):
        for seen in world.tails[topic].records:
            if seen.value is not None and (job := WATCHED[topic](seen.value)) is not None:
                asked.setdefault(job.job_id.encode(), seen.at_ms)
    found: dict[Any, list[Sign]] = defaultdict(list)
    for seen in world.tails["claims.email"].records:
        if seen.key is not None:
            found[seen.partition].append(Sign(seen.at_ms, asked.get(seen.key, 0)))
    return found
