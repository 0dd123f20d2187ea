"""``postcart why ID``: what became of it, and which rules said what.

Owns: the command, and a story as JSON. Must not: find or tell it (wiring.why, domain.story).
"""

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from postcart.cli.failures import Exit, say
from postcart.cli.printing import OutputOption, print_json
from postcart.cli.setup import current_settings

if TYPE_CHECKING:
    from postcart.domain.story.story import Story
    from postcart.wiring.event_trace import Trace
    from postcart.wiring.why import Answer, Freshness

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3_600, 86_400


def why(
    identifier: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="Of a visitor, person, episode, abandonment, job, order, parcel, event; Message-ID, tracking number.",
        ),
    ],
    search_events: Annotated[
        bool,
        typer.Option("--search-events", help="If it is not there, look for a shop event of that id in the topics."),
    ] = False,
    hours: Annotated[
        int, typer.Option(min=1, max=24 * 31, metavar="N", help="With --search-events: among the last hours.")
    ] = 24 * 7,
    output: OutputOption = "table",
) -> None:
    """Tell what became of anything that has an id, and why.

    Which rules said what, on which inputs; claims, attempts and the server's answers; what comes next, and when. It is
    told from the read model (POSTCART_READ_MODEL_URL) that `postcart worker project` keeps. Times are UTC and the
    recipient's. Exit code 1 if the id is not there, 3 if the read model (or Kafka, to be searched) can't be reached.
    """
    from postcart.cli.story_page import print_story, print_trace  # noqa: PLC0415
    from postcart.wiring.event_trace import trace_event  # noqa: PLC0415
    from postcart.wiring.read_model import read_model  # noqa: PLC0415
    from postcart.wiring.why import ask  # noqa: PLC0415

    identifier = identifier.strip()
    if not identifier:
        raise typer.BadParameter(
            "it is empty: name what you ask for, for example a job or a Message-ID", param_hint="ID"
        )
    settings, trace = current_settings(), None
    store = read_model(settings)
    now_ms = round(time.time() * 1_000)
    try:
        answer = ask(store, identifier)
        if answer.story is None and search_events:
            trace = trace_event(settings, identifier, since_ms=now_ms - hours * _HOUR_S * 1_000, progress=say)
            if trace is not None and (of := trace.visitor_id or trace.person_id):
                answer = ask(store, of)
    finally:
        store.close()
    if output == "json":
        print_json(_document(identifier, answer, trace, now_ms))
    else:
        if trace is not None:
            print_trace(trace)
        if answer.story is not None:
            print_story(answer.story)
    if answer.story is None and trace is None:
        say(
            f"error: {identifier} is not in the read model, neither as the id of a visitor, person, episode, "
            "abandonment, job, order, parcel or event, nor as a Message-ID or a tracking number"
            + (f"; nor among the shop's events of the last {hours} h" if search_events else "")
        )
        if not search_events:
            say("if it is the id of a shop's event: --search-events looks for it in the topics")
    elif answer.truncated:
        say("there is more, older than what is shown")
    say(f"the read model {_fresh(answer.freshness, now_ms)}")
    if answer.story is None and trace is None:
        raise typer.Exit(Exit.FINDING)


def _fresh(freshness: "Freshness", now_ms: int) -> str:
    from postcart.cli.story_page import utc  # noqa: PLC0415

    if not freshness.partitions:
        return "is empty: does `postcart worker project` run?"
    if freshness.complete_ms is None:
        return "has not yet read all of its topics: what is missing may still come"
    age_s = max(0, (now_ms - freshness.complete_ms) // 1_000)
    return f"has everything up to {utc(freshness.complete_ms)} UTC, {_age(age_s)} ago"


def _age(seconds: int) -> str:
    for name, length in (("d", _DAY_S), ("h", _HOUR_S), ("min", _MINUTE_S)):
        if seconds >= length:
            return f"{seconds // length} {name}"
    return f"{seconds} s"


def _document(identifier: str, answer: "Answer", trace: "Trace | None", now_ms: int) -> dict[str, Any]:
    import msgspec  # noqa: PLC0415

    from postcart.events.times import iso  # noqa: PLC0415

    freshness, story = answer.freshness, answer.story
    complete = freshness.complete_ms
    return {
        "id": identifier,
        "found": story is not None or trace is not None,
        "event": None if trace is None else _times(msgspec.to_builtins(trace)),
        "read_model": {
            "complete_to": None if complete is None else iso(complete),
            "age_s": None if complete is None else max(0, now_ms - complete) / 1_000,
            "truncated": answer.truncated,
        },
        **({} if story is None else _story(story)),
    }


def _story(story: "Story") -> dict[str, Any]:
    import msgspec  # noqa: PLC0415

    from postcart.events.times import from_ms, iso  # noqa: PLC0415

    zone = story.zone
    timeline = []
    for moment in story.moments:
        local = None if zone is None else from_ms(moment.at_ms).astimezone(zone.info).isoformat()
        timeline.append({"at": iso(moment.at_ms), "at_local": local, **_times(msgspec.to_builtins(moment))})
    return {
        "kind": story.kind,
        "state": story.state,
        "says": story.says,
        "next": None if story.next is None else _times({"what": story.next.what, "at_ms": story.next.at_ms}),
        "person_ids": story.person_ids,
        "visitor_ids": story.visitor_ids,
        "zone": None if zone is None else msgspec.to_builtins(zone),
        "job": None if story.job is None else _times(msgspec.to_builtins(story.job)),
        "episodes": _times(msgspec.to_builtins(story.episodes)),
        "parcels": _times(msgspec.to_builtins(story.parcels)),
        "timeline": timeline,
    }


def _times(value: Any) -> Any:
    """Every ``…_ms`` as ``…_at`` in ISO 8601, everywhere."""
    from postcart.events.times import iso  # noqa: PLC0415

    if isinstance(value, dict):
        return {
            ("at" if name == "at_ms" else f"{name[:-3]}_at" if name.endswith("_ms") else name): (
                iso(one) if name.endswith("_ms") and one is not None else _times(one)
            )
            for name, one in value.items()
        }
    return [_times(one) for one in value] if isinstance(value, list) else value
