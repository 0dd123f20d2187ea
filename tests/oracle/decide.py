"""The whole history in, all decisions out.

Owns: sorting events to visitors and persons. Must not: hold a rule of its own.
"""

from collections import defaultdict
from collections.abc import Iterable

from oracle.basics import EVENT, KINDS, PROFILE, Happening, Json, place
from oracle.campaign import Campaign
from oracle.journeys import Journey
from oracle.visits import Visitor


def decide(events: Iterable[Json], campaign: Campaign | None = None) -> list[Json]:
    """All decisions of ``simulate`` for these JSON events, in no particular order."""
    campaign = campaign or Campaign()
    once = {event["id"]: event for event in events}
    visitors: dict[str, list[Json]] = defaultdict(list)
    happenings: list[Happening] = []
    for event in once.values():
        if event["type"] in KINDS:
            visitors[event["visitor_id"]].append(event)
        elif event["type"] in {"placed", "profile"}:
            at, *_ = where = place(event)
            phase = PROFILE if event["type"] == "profile" else EVENT
            happening = Happening(event["person_id"], at, phase, where[1:], event["type"], event=event)
            happenings.append(happening)
    lines: list[Json] = []
    for history in visitors.values():
        visitor = Visitor(history, campaign)
        visitor.walk()
        happenings += visitor.happenings
        lines += visitor.lines
    persons: dict[str, list[Happening]] = defaultdict(list)
    for happening in happenings:
        persons[happening.person].append(happening)
    for person, agenda in persons.items():
        journey = Journey(person, agenda, campaign)
        journey.run()
        lines += journey.output
    return lines
